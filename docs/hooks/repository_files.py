"""Pages of files that lie outside docs, so that links to them lead somewhere on GitHub and in the site alike.

A page links to `../src/rmae/models/losses.py` as GitHub has it; here that file becomes a page of its own. Where the
link's text is the name of a function or a class in it, the link leads to its line.
"""

import ast
import posixpath
import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[2]
PAGES = {"CHANGELOG.md": "changelog.md", "CONTRIBUTING.md": "contributing.md"}
"""Pages at the root of the repository, and what they are called in the site."""
LINK = re.compile(r"\[(?P<text>[^\]]*)\]\(\.\./(?P<path>[^)#\s]+)\)")
"""A link out of docs."""
_TO_SOURCE = re.compile(
    r'<a href="(?P<page>(?:\.\./)*source/(?P<path>[^"#]+\.py)\.html)"><code>(?P<name>[^<]+)</code></a>'
)
_LANGUAGES = {".py": "python", ".sh": "sh", ".json": "json", ".yml": "yaml", ".toml": "toml"}


def on_files(files: "Files", config: "MkDocsConfig") -> "Files":
    """Add the pages, of those at the root and of every file that a page links to."""
    from mkdocs.structure.files import File, InclusionLevel  # here alone, so that tests need no mkdocs

    for name, page in PAGES.items():
        files.append(File.generated(config, page, content=moved_into_docs((ROOT / name).read_text())))
    pages = [file for file in files.documentation_pages() if not file.inclusion.is_excluded()]
    linked = {found["path"] for file in pages for found in LINK.finditer(file.content_string)}
    for path in sorted(linked - PAGES.keys()):
        content = source_page(path, (ROOT / path).read_text())
        files.append(File.generated(config, page_of(path), content=content, inclusion=InclusionLevel.NOT_IN_NAV))
    return files


def on_page_markdown(markdown: str, page: "Page", config: "MkDocsConfig", files: "Files") -> str:
    """Let links out of docs lead to those pages."""
    return LINK.sub(lambda found: redirected(found, page.file.src_uri), markdown)


def on_page_content(html: str, page: "Page", config: "MkDocsConfig", files: "Files") -> str:
    """Let links that name a part of a file lead to its line; only now, since MkDocs sees no anchors inside of code."""
    return _TO_SOURCE.sub(to_line, html)


def moved_into_docs(text: str) -> str:
    """The text of a page at the root with its links as a page of docs has them."""
    for name, page in PAGES.items():
        text = text.replace(f"]({name})", f"]({page})")
    return text.replace("](docs/", "](").replace("](benchmarks/", "](../benchmarks/")


def page_of(path: str) -> str:
    """Where the site has a file of the repository."""
    return PAGES.get(path, f"source/{path}.md")


def source_page(path: str, text: str) -> str:
    """A page that shows a file, with numbered lines; search leaves it out."""
    language = _LANGUAGES.get(Path(path).suffix, "text")
    fence = "`" * 5  # docstrings may hold fences of three
    return f'---\nsearch:\n  exclude: true\n---\n# {path}\n\n{fence}{language} linenums="1"\n{text.rstrip()}\n{fence}\n'


def redirected(found: re.Match[str], page: str) -> str:
    """A link out of docs as a link to the file's page, seen from the page that it stands on."""
    return f"[{found['text']}]({posixpath.relpath(page_of(found['path']), posixpath.dirname(page) or '.')})"


def to_line(found: re.Match[str]) -> str:
    """A link to a file's page as one to the line where what it names begins."""
    line = line_of(found["name"], ROOT / found["path"])
    anchor = "" if line is None else f"#__codelineno-0-{line}"
    return f'<a href="{found["page"]}{anchor}"><code>{found["name"]}</code></a>'


def line_of(name: str, file: Path) -> int | None:
    """First line of a function, class, method ("Class.method") or constant; None where the file has no such name."""
    body, line = ast.parse(file.read_text()).body, None
    for part in name.split("."):
        node = next((node for node in body if part in names_of(node)), None)
        if node is None:
            return None
        line, body = node.lineno, getattr(node, "body", [])
    return line


def names_of(node: ast.stmt) -> set[str]:
    """What a statement defines."""
    match node:
        case ast.FunctionDef(name=name) | ast.ClassDef(name=name) | ast.AnnAssign(target=ast.Name(id=name)):
            return {name}
        case ast.Assign(targets=targets):
            return {target.id for target in targets if isinstance(target, ast.Name)}
        case _:
            return set()
