import base64
import io
import re

import numpy as np
import pytest
from PIL import Image

from rmae.visual.region_pictures import region_views
from rmae.visual.region_sheet import RegionPicture, RegionSheet, RegionStatistics, render_region_page


def _statistics(*images: list[float]) -> RegionStatistics:
    return RegionStatistics(
        num_images=1000,
        regions_per_image=np.array([len(areas) for areas in images], int),
        areas=np.array([area for areas in images for area in areas]),
        bytes_per_image=2345.0,
    )


STATISTICS = _statistics([0.1, 0.2], [0.3], [0.4, 0.4, 0.2, 0.1])


def _picture(num_maps: int, *, name: str = "cat.jpg") -> RegionPicture:
    label_maps = np.full((num_maps, 320, 400), -1, np.int32)
    for number, label_map in enumerate(label_maps):
        label_map[40 * number : 40 * number + 80, :100] = 0
        label_map[:, 200:] = 1
    return RegionPicture(name=name, image=np.full((320, 400, 3), 90, np.uint8), label_maps=label_maps)


def _sheet(*pictures: RegionPicture, statistics: RegionStatistics = STATISTICS) -> RegionSheet:
    return RegionSheet(title="photos", summary={"Source": "made up"}, statistics=statistics, pictures=pictures)


def test_the_head_has_figures_and_facts(read_page) -> None:
    text = read_page(render_region_page(_sheet())).text
    assert "Images1,000 regions counted in 3 of them" in text
    assert "Regions an image2 median; 90 % between 1 and 4" in text
    assert "Area of a region20 % of its picture, median; 90 % between 10 % and 40 %" in text
    assert "Stored2.3 kB regions of one image, mean" in text
    assert "Sourcemade up" in text


def test_each_picture_is_shown_with_its_maps_and_their_figures(read_page) -> None:
    page = read_page(render_region_page(_sheet(_picture(2), _picture(5, name="dog.jpg"))))
    assert [alt.replace("\N{NO-BREAK SPACE}", " ") for alt in page.values("img", "alt")] == [
        "cat.jpg: the picture",
        "cat.jpg: map 1: 2 regions, median 28 %, 56 % covered",
        "cat.jpg: map 2: 2 regions, median 28 %, 56 % covered",
        "dog.jpg: the picture",
        "dog.jpg: all its regions together: 10 regions, median 28 %, 69 % covered, small ones on top",
        "dog.jpg: map 1: 2 regions, median 28 %, 56 % covered",
        "dog.jpg: map 2: 2 regions, median 28 %, 56 % covered",
    ]
    assert "All 5 maps 10 regions, median 28 %\n69 % covered, small ones on top" in page.text


@pytest.mark.parametrize(("num_maps", "style"), [(0, "card"), (1, "card"), (2, "card wide"), (9, "card wide")])
def test_cards_with_more_than_two_views_are_wide(num_maps: int, style: str, read_page) -> None:
    assert read_page(render_region_page(_sheet(_picture(num_maps)))).values("article", "class") == [style]


def test_the_pictures_on_the_page_are_the_views(read_page) -> None:
    picture = _picture(1)
    page = read_page(render_region_page(_sheet(picture)))
    sources = page.values("img", "src")
    for source, view in zip(sources, region_views(picture), strict=True):
        with Image.open(io.BytesIO(base64.b64decode(source.partition(",")[2]))) as shown:
            difference = np.abs(np.asarray(shown).astype(int) - view.image)
        assert difference.mean() < 2


def test_suspicious_pictures_are_pointed_out(read_page) -> None:
    whole = RegionPicture(
        name="w", image=np.zeros((320, 320, 1), np.uint16), label_maps=np.zeros((1, 320, 320), np.int32)
    )
    tiny = np.full((1, 320, 320), -1, np.int32)
    tiny[0, :10, :10] = 0

    def notices(*pictures: RegionPicture) -> list[str]:
        return re.findall(r"This picture has [^.]*\.", read_page(render_region_page(_sheet(*pictures))).text)

    assert notices(_picture(1)) == []
    assert notices(_picture(0), whole, RegionPicture(name="t", image=whole.image, label_maps=tiny)) == [
        "This picture has no region at all.",
        "This picture has no region but the whole picture.",
        "This picture has only regions smaller than one patch.",
    ]


def test_suspicious_images_of_the_store_are_counted(read_page) -> None:
    page = read_page(render_region_page(_sheet(statistics=_statistics([0.5], [], []))))
    assert "2 of the 3 images that were counted have no region at all" in page.text
    assert page.values("p", "class").count("notice") == 1
    assert "notice" not in read_page(render_region_page(_sheet())).values("p", "class")


def test_histograms_say_what_they_show(read_page) -> None:
    counts, areas = read_page(render_region_page(_sheet())).values("svg", "aria-label")
    assert counts.startswith("Histogram of regions an image. ")
    assert areas.startswith("Histogram of the area of the regions. ")
    for label in (counts, areas):
        assert "Regions an image: 2 median" in label


def test_a_sheet_of_nothing_says_so(read_page) -> None:
    for statistics in (_statistics(), _statistics([], [])):
        html = render_region_page(_sheet(statistics=statistics))
        page = read_page(html)
        assert "No region was counted" in page.text
        assert "No picture was chosen" in page.text
        assert "<svg" not in html
        assert "nan" not in page.text


def test_markup_in_names_is_text(read_page) -> None:
    name = """<script>alert("1")</script>' onerror='x' " onerror="y" &amp;.png"""
    sheet = RegionSheet(
        title=name,
        summary={name: name},
        statistics=STATISTICS,
        pictures=(_picture(1, name=name), _picture(0, name=name)),
    )
    html = render_region_page(sheet)
    page = read_page(html)
    assert "<script" not in html
    assert not any("onerror" in attributes for _, attributes in page.elements)
    assert page.text.count(name) == 6  # tab, heading, fact and its name, two cards
    assert [alt.startswith(f"{name}: ") for alt in page.values("img", "alt")] == [True] * 3


def test_the_page_is_self_contained(read_page) -> None:
    html = render_region_page(_sheet(_picture(1), _picture(6), _picture(0)))
    page = read_page(html)
    references = [
        value
        for _, attributes in page.elements
        for key, value in attributes.items()
        if value and key in {"src", "href", "xlink:href", "srcset", "action", "data"}
    ]
    assert len([value for value in references if value.startswith("data:image/jpeg;base64,")]) == 2 + 4 + 1
    assert all(value.startswith(("data:image/jpeg;base64,", "#")) for value in references)
    assert re.findall(r"url\((?!#)|@import|<script|<link", html) == []
    assert any("default-src 'none'" in content for content in page.values("meta", "content"))


def test_ids_are_unique_and_every_reference_has_its_id() -> None:
    html = render_region_page(_sheet())
    ids = re.findall(r'\bid="([^"]+)"', html)
    assert ids
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'(?:href="|url\()#([^")]+)', html)) <= set(ids)


def test_the_same_sheet_gives_the_same_page() -> None:
    assert render_region_page(_sheet(_picture(4))) == render_region_page(_sheet(_picture(4)))
