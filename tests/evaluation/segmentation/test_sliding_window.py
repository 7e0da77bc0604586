from itertools import pairwise

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from rmae.evaluation.segmentation import sliding_window
from rmae.evaluation.segmentation.sliding_window import classify, slide, window_starts

PADDING = torch.tensor([7.0, 8.0, 9.0]).view(3, 1, 1)


@pytest.mark.parametrize(
    ("length", "window", "stride", "expected"),
    [
        (10, 4, 3, [0, 3, 6]),
        (10, 4, 4, [0, 4, 6]),
        (4, 4, 2, [0]),
        (3, 4, 2, [0]),
        (5, 4, 2, [0, 1]),
        (8, 4, 4, [0, 4]),
    ],
)
def test_windows_cover_a_side(length: int, window: int, stride: int, expected: list[int]):
    assert window_starts(length, window, stride) == expected


def test_windows_always_cover_and_never_stick_out():
    for length in range(1, 40):
        for window in range(1, 12):
            for stride in range(1, window + 1):
                starts = window_starts(length, window, stride)
                assert starts[0] == 0
                assert starts[-1] + window == max(length, window)
                assert all(0 < later - earlier <= stride for earlier, later in pairwise(starts))


def run(images: Tensor, predict, *, window: int = 4, stride: float = 0.5, batch_size: int = 3) -> Tensor:
    return slide(images, predict, window_hw=(window, window), stride=stride, batch_size=batch_size, padding=PADDING)


def test_one_window_over_all_is_the_plain_forward():
    images = torch.randn(3, 8, 8)
    convolution = torch.nn.Conv2d(3, 5, 3, padding=1)
    expected = convolution(images[None])[0]
    torch.testing.assert_close(run(images, convolution, window=8), expected)


@pytest.mark.parametrize("batch_size", [1, 2, 100])
def test_overlapping_windows_are_averaged(batch_size: int):
    """A model that numbers the windows: each pixel is the mean of the numbers of the windows over it."""
    numbers = iter(range(100))

    def predict(windows: Tensor) -> Tensor:
        return torch.stack([torch.full((1, 4, 4), float(next(numbers))) for _ in windows])

    logits = run(torch.zeros(3, 4, 7), predict, batch_size=batch_size)
    # Windows at columns 0, 2 and 3.
    assert logits[0, 0].tolist() == [0, 0, 0.5, 1, 1.5, 1.5, 2]


def test_what_the_windows_see_does_not_change_a_model_that_looks_at_single_pixels():
    images = torch.randn(3, 11, 17)

    def predict(windows: Tensor) -> Tensor:
        assert windows.shape[1:] == (3, 4, 4)
        assert len(windows) <= 3
        return torch.stack([windows.sum(dim=1), windows[:, 0] * 2], dim=1)

    torch.testing.assert_close(run(images, predict, stride=2 / 3), predict_all(images))


def predict_all(images: Tensor) -> Tensor:
    return torch.stack([images.sum(dim=0), images[0] * 2])


def test_a_small_picture_is_padded_and_the_padding_cut_off():
    seen = []

    def predict(windows: Tensor) -> Tensor:
        seen.append(windows)
        return windows

    images = torch.zeros(3, 2, 6)
    logits = run(images, predict)
    assert logits.shape == (3, 2, 6)
    assert (logits == 0).all()
    assert seen[0][0, :, 3, 0].tolist() == [7, 8, 9]


def test_windows_of_bytes_keep_their_type():
    def predict(windows: Tensor) -> Tensor:
        assert windows.dtype == torch.uint8
        return windows.float()

    assert run(torch.full((3, 3, 9), 200, dtype=torch.uint8), predict).unique().tolist() == [200]


@pytest.mark.parametrize("size_hw", [(5, 7), (10, 14), (13, 5), (3, 30), (1, 1)])
@pytest.mark.parametrize("max_values", [1, 100, 2**24])
def test_classes_are_those_of_logits_enlarged_at_once(
    size_hw: tuple[int, int], max_values: int, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(sliding_window, "_MAX_VALUES", max_values)
    logits = torch.randn(4, 5, 7, dtype=torch.float64)
    whole = functional.interpolate(logits[None], size=size_hw, mode="bilinear", align_corners=False)[0]
    strips = torch.cat(list(sliding_window._resized_strips(logits, size_hw)), dim=1)
    torch.testing.assert_close(strips, whole)
    assert torch.equal(classify(logits, size_hw), whole.argmax(dim=0))


def test_a_single_row_can_be_enlarged():
    logits = torch.tensor([[[0.0, 1.0]], [[0.5, 0.5]]])
    assert classify(logits, (3, 2)).tolist() == [[1, 0]] * 3
