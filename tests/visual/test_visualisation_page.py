import re
from typing import Any

import numpy as np

from rmae.visual.visualisation_page import (
    Column,
    Hint,
    Part,
    PictureLook,
    Strip,
    View,
    Visualisation,
    draw_card,
    heat_legend,
    render_visualisation,
)

IMAGE = np.full((30, 40, 3), 120, np.uint8)


def view(file: str, title: str = "A view", caption: str = "") -> View:
    return View(file, IMAGE, title, caption)


def look(name: str = "cat.png", *, title: str = "A view") -> PictureLook:
    strip = Strip(
        (
            Column("", (view("p.png", "Picture"),)),
            Column("50 % hidden", (view("a.png", title, "12 of 64\nhidden"), None, view("b.png", title))),
        ),
        heading="Region 1",
    )
    parts = (
        Part("Regions", (strip,), notes=("Something is missing.",), legend_html=heat_legend()),
        Part("Attention", (), folded=(("Each head", (view("h.png", "Patch 1"), view("p.png", "Picture"))),)),
    )
    return PictureLook(name=name, image=IMAGE, parts=parts)


def render(*looks: PictureLook, **changes: Any) -> str:
    cards = [draw_card(each, number) for number, each in enumerate(looks, start=1)]
    return render_visualisation(Visualisation(**{"title": "mine", "lead": "A lead.", "pictures": cards, **changes}))


def test_all_views_are_listed_with_their_files() -> None:
    assert [each.file for each in look().views()] == ["p.png", "a.png", "b.png", "h.png", "p.png"]


def test_views_stand_in_columns_below_their_headings(read_page) -> None:
    html = render(look())
    page = read_page(html)
    assert page.alts() == [
        "cat.png: Region 1, Picture",
        "cat.png: Region 1, 50 % hidden, A view",
        "cat.png: Region 1, 50 % hidden, A view",
        "cat.png: Patch 1",
        "cat.png: Picture",
    ]
    assert "--columns: 3; --rows: 4" in html  # three rows of views below the headings; no fewer columns than three
    headings = re.findall(r"<h5>(.*?)</h5>", html)
    assert headings == ["Region 1", "50 % hidden"]
    assert "12 of 64\nhidden" in page.text
    assert "Something is missing." in page.text


def test_many_columns_go_on_below() -> None:
    columns = tuple(Column(f"Patch {i}", (view("a.png"),)) for i in range(9))
    part = Part("Attention", (Strip(columns),))
    assert "--columns: 5; --rows: 2" in render(PictureLook(name="a", image=IMAGE, parts=(part,)))


def test_heads_open_on_a_click(read_page) -> None:
    page = read_page(render(look()))
    assert sum(tag == "details" for tag, _ in page.elements) == 2  # the heads, and the settings
    assert "Each head" in page.text


def test_several_pictures_have_a_list_of_contents_and_one_has_none(read_page) -> None:
    page = read_page(render(look("a.png"), look("b.png")))
    links = [attributes["href"] for tag, attributes in page.elements if tag == "a"]
    anchors = [attributes["id"] for tag, attributes in page.elements if tag == "article"]
    assert links == ["#picture-1", "#picture-2"]
    assert anchors == ["picture-1", "picture-2"]
    assert not any(tag == "a" for tag, _ in read_page(render(look())).elements)


def test_figures_facts_notes_hints_and_settings_are_there(read_page) -> None:
    page = read_page(
        render(
            look(),
            summary={"Pictures": "3"},
            notes=("Left out: a.png, the file is missing.",),
            columns=("", "error"),
            rows=(("mine, 75 % hidden", "12.5 %"),),
            table_hint="What it means.",
            hints=(Hint("Regions", "How to read them."),),
            record_json='{\n  "seed": 0\n}',
        )
    )
    for words in (
        "Pictures3",
        "Left out: a.png, the file is missing.",
        "mine, 75 % hidden12.5 %",
        "What it means.",
        "Regions\nHow to read them.",
        '{\n  "seed": 0\n}',
    ):
        assert words in page.text


def test_without_figures_there_is_no_table() -> None:
    assert "<table" not in render(look())


def test_markup_in_names_is_text(read_page) -> None:
    name = """<script>alert("1")</script>' onerror='x' " onerror="y" &amp;.png"""
    html = render(
        look(name, title=name),
        look(name),
        title=name,
        lead=name,
        summary={name: name},
        notes=(name,),
        columns=(name, name),
        rows=((name, name),),
        table_hint=name,
        hints=(Hint(name, name),),
        record_json=name,
    )
    page = read_page(html)
    assert "<script" not in html
    assert not any("onerror" in attributes for _, attributes in page.elements)
    # tab, heading, lead, fact, note, table (3 rows of text), hint, settings; contents, cards; titles of views
    assert page.text.count(name) == 1 + 1 + 1 + 2 + 1 + 5 + 2 + 1 + 2 + 2 + 2
    assert page.alts()[1] == f"{name}: Region 1, 50 % hidden, {name}"


def test_the_page_is_self_contained(read_page) -> None:
    html = render(look(), look("b.png"))
    page = read_page(html)
    references = [
        value
        for _, attributes in page.elements
        for key, value in attributes.items()
        if value and key in {"src", "href", "srcset", "data"}
    ]
    assert len(references) == 2 * 5 + 4
    assert all(reference.startswith(("data:image/jpeg;base64,", "#")) for reference in references)
    assert re.findall(r"url\(|@import", html) == []


def test_the_scale_of_heat_maps_runs_from_dark_to_bright() -> None:
    colours = re.findall(r"#([0-9a-f]{6})", heat_legend())
    sums = [sum(bytes.fromhex(colour)) for colour in colours]
    assert len(colours) == 7
    assert sums[0] == min(sums)
    assert sums[-1] == max(sums)
