import base64
import dataclasses
import io
import math
import re

import numpy as np
import pytest
from PIL import Image

from rmae.visual.picture_card import PictureCompletion, RegionCompletion
from rmae.visual.pictures import HIDDEN_COLOUR
from rmae.visual.report import Report, render_report


def _region(iou: float = 0.5, baseline: float = 0.25) -> RegionCompletion:
    true = np.zeros((8, 16), bool)
    true[2:6, 2:9] = True
    return RegionCompletion(true=true, probability=true.astype(np.float32), iou_hidden=iou, baseline_hidden=baseline)


def _picture(*regions: RegionCompletion, pixels: bool = True, name: str = "cat.png") -> PictureCompletion:
    image = np.linspace(0, 1, 3 * 8 * 16, dtype=np.float32).reshape(3, 8, 16)
    return PictureCompletion(
        name=name,
        image=image,
        hidden=np.array([True, True, True, False, True, False, True, True]),
        region_hidden=np.array([True, True, True, True, True, False, True, True]),
        grid=(2, 4),
        reconstruction=image + 0.1 if pixels else None,
        regions=regions,
    )


METRICS = (
    {"update": 20, "pixel_loss": 0.9, "region_loss": 0.61234, "lr": 1e-4, "images_per_s": 100.0},
    {"update": 40, "pixel_loss": 0.51234, "region_loss": None, "lr": 5e-5, "images_per_s": 300.0},
    {"update": 60, "pixel_loss": None, "region_loss": None, "lr": 0.0, "images_per_s": 200.0},
)


def _report(*pictures: PictureCompletion) -> Report:
    return Report(title="demo", pictures=pictures)


def test_a_region_run_with_pixels_shows_picture_visible_patches_reconstruction_and_maps(read_page) -> None:
    page = read_page(render_report(_report(_picture(_region()))))
    assert page.alts() == [
        "cat.png: the picture",
        "cat.png: the visible patches, hidden ones grey",
        "cat.png: the reconstruction",
        "cat.png, region 1: the true map",
        "cat.png, region 1: the visible part, hidden patches grey",
        "cat.png, region 1: the predicted map",
    ]
    assert "to fill in the hidden patches of a picture and of maps of its regions" in page.text


def test_a_run_without_regions_shows_no_region_figures(read_page) -> None:
    page = read_page(render_report(_report(_picture())))
    assert page.alts() == [
        "cat.png: the picture",
        "cat.png: the visible patches, hidden ones grey",
        "cat.png: the reconstruction",
    ]
    assert "region" not in page.text.lower()
    assert "to fill in the hidden patches of a picture:" in page.text


def test_a_run_without_pixels_shows_no_reconstruction(read_page) -> None:
    page = read_page(render_report(_report(_picture(_region(), pixels=False))))
    assert len(page.alts()) == 5
    assert "Reconstruction" not in page.text
    assert "to fill in the hidden parts of region maps:" in page.text


def test_the_figures_hide_the_patches_of_the_image_and_those_of_its_regions(read_page) -> None:
    page = read_page(render_report(_report(_picture(_region()))))
    hidden = []
    for source in (attributes["src"] or "" for tag, attributes in page.elements if tag == "img"):
        with Image.open(io.BytesIO(base64.b64decode(source.partition(",")[2]))) as picture:
            centres = np.asarray(picture.convert("RGB"))[24::48, 24::48]  # 8 x 16 pixels are shown as 96 x 192
        hidden.append((centres == HIDDEN_COLOUR).all(axis=-1).flatten().tolist())
    nothing = [False] * 8
    image_hidden = [True, True, True, False, True, False, True, True]
    region_hidden = [True, True, True, True, True, False, True, True]
    assert hidden == [nothing, image_hidden, nothing, nothing, region_hidden, nothing]


def test_captions_give_the_visible_share_of_image_and_regions(read_page) -> None:
    text = read_page(render_report(_report(_picture(_region())))).text
    assert "The model saw only these 25 % of the patches." in text  # 2 of 8
    assert "Visible part (12 %)" in text  # 1 of 8


def test_each_region_has_its_score_and_the_tile_their_mean(read_page) -> None:
    first = _picture(_region(0.9, 0.5), _region(0.6, 0.1))
    second = _picture(_region(0.3, 0.3))
    text = read_page(render_report(_report(first, second))).text
    assert re.findall(r"IoU (0\.\d\d \(baseline 0\.\d\d\))", text) == [
        "0.90 (baseline 0.50)",
        "0.60 (baseline 0.10)",
        "0.30 (baseline 0.30)",
    ]
    assert "Region IoU0.60 mean of 3 regions; baseline 0.30" in text  # over regions; over pictures it were 0.525


def test_a_region_without_a_score_is_a_dash_and_not_in_the_mean(read_page) -> None:
    text = read_page(render_report(_report(_picture(_region(math.nan, math.nan), _region(0.6, 0.1))))).text
    assert "IoU \N{EN DASH} (no pixel of it was hidden)" in text
    assert "Region IoU0.60 mean of 1 region; baseline 0.10" in text
    assert "nan" not in text


def test_borrowed_brightness_is_owned_up_to_where_pixels_are_shown(read_page) -> None:
    def says_so(picture: PictureCompletion, normalized: bool) -> bool:
        report = Report(title="demo", pictures=(picture,), normalized_pixels=normalized)
        return "borrows the mean" in read_page(render_report(report)).text

    assert says_so(_picture(), True)
    assert not says_so(_picture(), False)
    assert not says_so(_picture(_region(), pixels=False), True)


def test_tiles_show_the_last_loss_that_was_logged_and_the_median_speed(read_page) -> None:
    text = read_page(render_report(Report(title="demo", metrics=METRICS))).text
    assert "Final pixel loss0.512 " in text
    assert "Final region loss0.612 " in text
    assert "Images a second200 " in text


def test_a_report_of_nothing_says_so(read_page) -> None:
    text = read_page(render_report(Report(title="empty"))).text
    assert "No metrics" in text
    assert "No pictures" in text


@pytest.mark.parametrize(
    ("num_skipped", "sentence"), [(1, "1 image could not be read"), (1234, "1,234 images could not be read")]
)
def test_skipped_images_are_mentioned(num_skipped: int, sentence: str, read_page) -> None:
    assert sentence in read_page(render_report(Report(title="demo", num_skipped=num_skipped))).text
    assert "could not be read" not in read_page(render_report(Report(title="demo"))).text


def test_markup_in_names_is_text(read_page) -> None:
    name = """<script>alert("1")</script>' onerror='x' " onerror="y" &amp;.png"""
    report = Report(title=name, summary={name: name}, pictures=(_picture(_region(), name=name),), config_json=name)
    html = render_report(report)
    page = read_page(html)
    assert "<script" not in html
    assert not any("onerror" in attributes for _, attributes in page.elements)
    assert page.text.count(name) == 6  # tab, heading, fact and its name, card, configuration
    assert all(alt.startswith(name) for alt in page.alts())


def test_the_page_is_self_contained(read_page) -> None:
    html = render_report(dataclasses.replace(_report(_picture(_region())), metrics=METRICS))
    assert html.startswith("<!doctype html>")
    page = read_page(html)
    references = [
        value
        for _, attributes in page.elements
        for key, value in attributes.items()
        if value and key in {"src", "href", "xlink:href", "srcset", "action", "data"}
    ]
    assert len(references) > 6
    assert all(reference.startswith(("data:image/png;base64,", "#")) for reference in references)
    assert re.findall(r"url\((?!#)|@import", html) == []
    policies = [a["content"] for tag, a in page.elements if tag == "meta" and "http-equiv" in a]
    assert policies == ["default-src 'none'; img-src data:; style-src 'unsafe-inline'"]
    assert ("html", {"lang": "en"}) in page.elements
    assert any(attributes.get("name") == "viewport" for _, attributes in page.elements)
    assert "prefers-color-scheme: dark" in html


def test_the_configuration_is_kept_line_by_line(read_page) -> None:
    config = '{\n  "seed": 0\n}'
    assert config in read_page(render_report(Report(title="demo", config_json=config))).text


def test_the_same_report_gives_the_same_page() -> None:
    report = dataclasses.replace(_report(_picture(_region())), metrics=METRICS)
    assert render_report(report) == render_report(report)
