"""What the pages of docs say about the code stands in the code: names, messages, flags, and the pages themselves."""

import ast
import importlib.util
import re
import tomllib
from functools import cache
from pathlib import Path
from types import ModuleType

import pytest
import yaml

import rmae
from rmae import cli

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.glob("*.md"))]
_FENCED = re.compile(r"^```(\w*)\n(.*?)^```", re.DOTALL | re.MULTILINE)


def texts(page: str) -> list[str]:
    """What rmae prints, as a page quotes it, line by line."""
    found = [text for kind, text in _FENCED.findall((DOCS / page).read_text()) if kind == "text"]
    return [line for text in found for line in text.splitlines()]


def hook(name: str) -> ModuleType:
    """One of the site's hooks."""
    spec = importlib.util.spec_from_file_location(name, DOCS / "hooks" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def links_to_code() -> list[tuple[str, str, str]]:
    """Page, name and file of each link to a part of the source."""
    pattern = re.compile(r"\[`([^`\]]+)`\]\(\.\./(src/[^)]+\.py)\)")
    return [(page.name, *found) for page in PAGES for found in pattern.findall(page.read_text())]


@pytest.mark.parametrize("link", links_to_code(), ids=lambda link: f"{link[0]}: {link[1]}")
def test_what_a_link_names_is_in_the_file(link: tuple[str, str, str]):
    _, name, file = link
    assert hook("repository_files").line_of(name, ROOT / file) is not None


def test_the_page_about_the_method_leads_to_every_part_of_the_model():
    named = {name.partition(".")[0] for page, name, _ in links_to_code() if page == "method.md"}
    assert len(named) > 60
    config = rmae.ModelConfig(size="micro", img_size=32, region_decoder_depth=2)
    built = {type(part).__name__ for part in rmae.build_model(config).modules()}
    ours = {name for name in built if name in {node.name for node in classes_of_models()}}
    assert ours - named == {"LeanMlp"}  # timm's own, which holds less in memory


def classes_of_models() -> list[ast.ClassDef]:
    """All classes of rmae.models."""
    files = sorted((ROOT / "src/rmae/models").glob("*.py"))
    return [node for file in files for node in ast.parse(file.read_text()).body if isinstance(node, ast.ClassDef)]


@cache
def sentences() -> tuple[re.Pattern[str], ...]:
    """All strings of the source that hold words, anything where a value is put into them."""
    found = set()
    for file in sorted((ROOT / "src/rmae").rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            match node:
                case ast.JoinedStr(values=values):
                    parts = [str(part.value) if isinstance(part, ast.Constant) else None for part in values]
                case ast.Constant(value=str(text)):
                    parts = [text]
                case _:
                    continue
            if sum(len(part) for part in parts if part is not None) >= 12:
                found.add("".join(".*" if part is None else re.escape(part) for part in parts))
    return tuple(map(re.compile, sorted(found)))


@pytest.mark.parametrize("message", texts("troubleshooting.md"))
def test_a_message_stands_in_the_source(message: str):
    assert any(sentence.fullmatch(message) for sentence in sentences())


def test_enough_messages_are_told_each_once():
    messages = texts("troubleshooting.md")
    assert len(messages) > 30
    assert len(messages) == len(set(messages))


def test_no_sentence_of_the_source_fits_anything():
    assert not any(sentence.fullmatch("a message that nobody ever wrote") for sentence in sentences())


def test_what_the_walk_quotes_was_printed():
    printed = (DOCS / "assets/walk_through/printed.txt").read_text().splitlines()
    quoted = texts("own_images.md")
    assert quoted
    assert [line for line in quoted if line not in printed and line != "..."] == []


def test_the_batch_that_is_split_adds_up():
    [line] = texts("scale.md")
    whole, *parts = [int(number.replace(",", "")) for number in re.findall(r"[\d,]+", line)]
    assert whole == parts[0] * parts[1] * parts[2]


def test_the_version_is_told_alike():
    ours = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    newest = re.search(r"^## (\S+) \((\S+)\)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert newest is not None
    assert (newest[1], newest[2]) == (ours, cited["date-released"])
    assert cited["version"] == ours


def test_every_public_name_is_in_the_reference():
    named = re.findall(r"^::: rmae\.(\w+)$", (DOCS / "reference.md").read_text(), re.MULTILINE)
    assert sorted(named) == sorted(rmae.__all__)


def layers_of_the_map() -> list[list[str]]:
    """What the map of the code names, layer by layer, from the topmost one down."""
    [tree] = [text for _, text in _FENCED.findall((DOCS / "design.md").read_text()) if text.startswith("cli/")]
    layers = [
        [line.split(maxsplit=1)[0] for line in layer.splitlines() if line[0] != " "] for layer in tree.split("\n\n")
    ]
    assert sum(map(len, layers)) > 15
    return layers


def test_the_map_of_the_code_names_what_is_there():
    names = [name for layer in layers_of_the_map() for name in layer]
    assert [name for name in names if not (ROOT / "src/rmae" / name).exists()] == []
    assert [name for name in names if name.endswith("/") != (ROOT / "src/rmae" / name).is_dir()] == []


def test_the_map_of_the_code_has_the_layers_that_are_enforced():
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    [layers] = [contract["layers"] for contract in contracts if contract["type"] == "layers"]
    [start, *enforced] = [set(layer.split(" | ")) for layer in layers]
    assert start == {"__main__"}  # what python -m starts
    assert [{name.removesuffix("/").removesuffix(".py") for name in layer} for layer in layers_of_the_map()] == enforced


def inline_code(page: Path) -> list[str]:
    """What stands between single backticks, outside of blocks."""
    return re.findall(r"(?<!`)`([^`\n]+)`(?!`)", _FENCED.sub("", page.read_text()))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_in_the_text_are_commands(page: Path):
    for code in inline_code(page):
        match code.split():
            case ["rmae", "COMMAND", *_]:
                pass
            case ["rmae", first, *rest]:
                named = {first, " ".join([first, *rest[:1]])}
                of_two_words = not rest and any(name.startswith(f"{first} ") for name in cli._COMMANDS)
                assert of_two_words or named & cli._COMMANDS.keys(), code
            case _:
                pass


OF_OTHER_PROGRAMS = {
    "--nproc-per-node", "--ntasks-per-node", "--gpus-per-task", "--gpus-per-node", "--wait", "--shm-size",
    "--table",  # of benchmarks/faults/campaign.py
}  # fmt: skip


@pytest.mark.slow
def test_flags_in_the_text_are_flags(capsys: pytest.CaptureFixture[str]):
    """Each is an option of a command or of a source of regions, or one of another program that is named here."""
    known = OF_OTHER_PROGRAMS | {"--help"}
    sources = ("coco-instances", "coco-panoptic", "felzenszwalb", "grid", "random-masks", "sam", "sam-json", "slic")
    asked = [[*name.split(), "--help"] for name in cli._COMMANDS]
    asked += [["pretrain", "--regions", f"{source} --help"] for source in (*sources, "stored", "inside")]
    for words in asked:
        with pytest.raises(SystemExit):
            cli.run(words)
        known |= set(re.findall(r"--[a-z][a-z-]*", capsys.readouterr().out))
    for page in PAGES:
        written = {flag for code in inline_code(page) for flag in re.findall(r"(?<!\S)--[a-z][a-z-]*", code)}
        assert written <= known, page.name


def navigation() -> list[str]:
    """Pages of the site in their order."""

    def pages(entries: list) -> list[str]:
        found = []
        for entry in entries:
            [target] = entry.values()
            found += [target] if isinstance(target, str) else pages(target)
        return found

    return pages(yaml.safe_load((ROOT / "mkdocs.yml").read_text())["nav"])


def test_every_page_is_in_the_navigation_and_on_the_first_page():
    pages = {page.name for page in DOCS.glob("*.md")}
    made = set(hook("repository_files").PAGES.values())
    assert sorted(navigation()) == sorted(pages | made)
    first = (DOCS / "index.md").read_text()
    assert [page for page in sorted(pages - {"index.md"}) if f"]({page})" not in first] == []


def test_pictures_are_light_and_used():
    used = "".join(page.read_text() for page in PAGES)
    for picture in sorted((DOCS / "assets").rglob("*.[jp][pn]g")):
        assert picture.stat().st_size < 400_000
        assert picture.relative_to(DOCS).as_posix() in used


def test_links_out_of_docs_lead_to_pages_of_the_site():
    files = hook("repository_files")
    text = "[`sincos_positions`](../src/rmae/ops/positions.py), [data](../benchmarks/flops.json), [it](../CHANGELOG.md)"
    assert files.LINK.sub(lambda found: files.redirected(found, "method.md"), text) == (
        "[`sincos_positions`](source/src/rmae/ops/positions.py.md), [data](source/benchmarks/flops.json.md), "
        "[it](changelog.md)"
    )
    source = (ROOT / "src/rmae/ops/positions.py").read_text().splitlines()
    [number] = [number for number, line in enumerate(source, start=1) if line.startswith("def sincos_positions(")]
    href = 'href="source/src/rmae/ops/positions.py.html'
    shown = files.on_page_content(f'<a {href}"><code>sincos_positions</code></a>', page=None, config=None, files=None)
    assert shown == f'<a {href}#__codelineno-0-{number}"><code>sincos_positions</code></a>'
    assert files.moved_into_docs("[a](docs/design.md#formats), [b](CHANGELOG.md), [c](benchmarks/gpu_queue.md)") == (
        "[a](design.md#formats), [b](changelog.md), [c](../benchmarks/gpu_queue.md)"
    )
    assert '`````python linenums="1"\nprint(1)\n`````' in files.source_page("a.py", "print(1)\n\n")


@pytest.mark.parametrize(
    ("name", "text", "found"),
    [
        ("a.html", '<a href="https://example.org">click</a><script src="app.js"></script>', []),
        ("a.html", '<script src="https://example.org/x.js"></script>', ["https://example.org/x.js"]),
        ("a.html", '<link rel="stylesheet" href="//example.org/x.css">', ["//example.org/x.css"]),
        ("a.html", "<style>p {background: url('https://example.org/p.png')}</style>", ["https://example.org/p.png"]),
        ("a.html", '<p style="background: url(https://example.org/p.png)">', ["https://example.org/p.png"]),
        ("a.html", '<pre class="mermaid">', ["a script for the class mermaid"]),
        (
            "a.css",
            "@import 'https://example.org/x.css'; a {b: url(data:image/png;base64,A)}",
            ["https://example.org/x.css"],
        ),
        ("a.css", '@import url("https://example.org/x.css") screen;', ["https://example.org/x.css"]),
        ("a.css", "@import url( //example.org/x.css );", ["//example.org/x.css"]),
        ("a.css", "@import url(x.css); @import 'y.css';", []),
        (
            "a.html",
            '<img srcset="a.png 1x, https://example.org/b.png 2x,//example.org/c.png 3x">',
            ["https://example.org/b.png", "//example.org/c.png"],
        ),
        ("a.html", '<source srcset="a.png, b.png 2x">', []),
        (
            "a.html",
            '<link rel="preload" as="image" imagesrcset="//example.org/c.png 3x">',
            ["//example.org/c.png"],
        ),
        ("a.js", "fetch('https://example.org')", []),
    ],
)
def test_what_a_page_would_load_from_elsewhere_is_found(tmp_path: Path, name: str, text: str, found: list[str]):
    (tmp_path / name).write_text(text)
    assert hook("self_contained").fetched(tmp_path / name) == found
