import numpy as np
import pytest

from rmae.visual.region_statistics import (
    PATCH_SHARE,
    Fault,
    RegionStatistics,
    find_fault,
    key_figures,
    region_areas,
    warnings_in_words,
)


def _statistics(*images: list[float], num_images: int = 10, bytes_per_image: float | None = None) -> RegionStatistics:
    return RegionStatistics(
        num_images=num_images,
        regions_per_image=np.array([len(areas) for areas in images], int),
        areas=np.array([area for areas in images for area in areas]),
        bytes_per_image=bytes_per_image,
    )


def _plain(text: str) -> str:
    return text.replace("\N{NO-BREAK SPACE}", " ")


def test_areas_are_shares_of_the_picture_map_after_map() -> None:
    label_maps = np.array([[[4, 4, 4, 0], [4, -1, -1, 0]], [[-1, -1, -1, -1], [-3, 7, -1, -1]]], np.int32)
    np.testing.assert_array_equal(region_areas(label_maps), [2 / 8, 4 / 8, 1 / 8])


@pytest.mark.parametrize("num_maps", [0, 2])
def test_maps_without_regions_have_no_areas(num_maps: int) -> None:
    assert region_areas(np.full((num_maps, 3, 5), -1, np.int32)).shape == (0,)


@pytest.mark.parametrize(
    ("areas", "fault"),
    [
        ([], Fault.NO_REGION),
        ([1.0], Fault.WHOLE_PICTURE),
        ([0.995, 1.0, 1.0], Fault.WHOLE_PICTURE),
        ([0.98], None),
        ([1.0, 0.3], None),
        ([0.005, 0.0001], Fault.TINY),
        ([0.005, 0.006], None),
        ([PATCH_SHARE], None),
    ],
)
def test_faults_of_one_image(areas: list[float], fault: Fault | None) -> None:
    assert find_fault(np.array(areas)) is fault


def test_a_patch_is_one_of_14_by_14() -> None:
    assert pytest.approx(1 / 196) == PATCH_SHARE


def test_warnings_count_the_images_with_each_fault() -> None:
    fine = [0.5, 0.001]
    sentences = warnings_in_words(_statistics(fine, [], [1.0, 1.0], [], fine, [0.001, 0.002, 0.003]))
    assert [_plain(sentence) for sentence in sentences] == [
        "2 of the 6 images that were counted have no region at all: there the model has no region to complete.",
        "1 of the 6 images that were counted has no region but the whole picture, which says nothing about what is"
        " where in it.",
        "1 of the 6 images that were counted has only regions smaller than one patch (16 pixels a side at 224, 0.51 %"
        " of the picture): too small to have a shape.",
    ]


def test_an_image_without_regions_at_the_end_is_counted() -> None:
    (sentence,) = warnings_in_words(_statistics([0.5], []))
    assert sentence.startswith("1 of the 2 images that were counted has no region at all")


def test_nothing_suspicious_gives_no_warning() -> None:
    assert warnings_in_words(_statistics([0.5, 0.2], [0.1])) == []
    assert warnings_in_words(_statistics()) == []


def test_key_figures_of_known_counts() -> None:
    # 21 images with 0, 1, ... 20 regions; the median is the 11th, 5 % and 95 % are the 2nd and the 20th.
    images = [[0.02] * number for number in range(21)]
    figures = key_figures(_statistics(*images, num_images=118287, bytes_per_image=14321.0))
    assert [tuple(map(_plain, figure)) for figure in figures] == [
        ("Images", "118,287", "regions counted in 21 of them"),
        ("Regions an image", "10", "median; 90 % between 1 and 19"),
        ("Area of a region", "2 %", "of its picture, median; 90 % alike"),
        ("Stored", "14.3 kB", "regions of one image, mean"),
    ]


def test_key_figures_of_areas_weigh_each_region_the_same() -> None:
    figures = key_figures(_statistics([0.1, 0.2, 0.3, 0.4], [0.9], num_images=2))
    assert _plain(figures[2][1]) == "30 %"
    assert figures[1][1] == "2.5"
    assert figures[0][2] == "regions counted in all of them"
    assert len(figures) == 3  # nothing is said about storage


def test_the_range_of_areas_leaves_out_a_twentieth_at_both_ends() -> None:
    figures = key_figures(_statistics([number / 100 for number in range(1, 22)]))
    assert [_plain(text) for text in figures[2][1:]] == ["11 %", "of its picture, median; 90 % between 2 % and 20 %"]


def test_without_images_counted_there_is_only_their_number() -> None:
    assert key_figures(_statistics()) == [("Images", "10", "regions counted in 0 of them")]


def test_areas_must_belong_to_the_counts() -> None:
    with pytest.raises(ValueError, match=r"areas have shape \(3,\), but regions_per_image adds up to 4; give"):
        RegionStatistics(num_images=2, regions_per_image=np.array([3, 1]), areas=np.ones(3))
