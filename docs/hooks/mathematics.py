"""Formulas as MathML, which browsers show by themselves: GitHub draws $...$ with a script, and the site loads none."""

import re
from html import unescape

from latex2mathml.converter import convert
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import Files
from mkdocs.structure.pages import Page

_FORMULA = re.compile(r'<(?P<tag>span|div) class="arithmatex">\\[(\[](?P<latex>.*?)\\[)\]]</(?P=tag)>', re.DOTALL)


def on_page_content(html: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Turn every formula of a page into MathML."""
    html = _FORMULA.sub(_to_mathml, html)
    if 'class="arithmatex"' in html:
        raise PluginError(f"{page.file.src_uri} has a formula that is not turned into MathML")
    return html


def _to_mathml(found: re.Match[str]) -> str:
    return convert(unescape(found["latex"]).strip(), display="block" if found["tag"] == "div" else "inline")
