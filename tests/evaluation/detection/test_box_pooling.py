import pytest
import torch

from rmae.evaluation.detection.box_pooling import BoxPooling


@pytest.mark.parametrize(
    ("side", "level"), [(10, 0), (111.9, 0), (112, 1), (223.9, 1), (224, 2), (448, 3), (896, 3), (2000, 3)]
)
def test_large_boxes_are_sampled_from_coarse_maps(side, level):
    """Equation 1 of Feature Pyramid Networks: a side of 224 belongs to the map of stride 16."""
    pooling = BoxPooling(strides=(4, 8, 16, 32), size=7)
    assert pooling.levels(torch.tensor([[0.0, 0, side, side]])).tolist() == [level]
    assert pooling.levels(torch.tensor([[5.0, 7, 5 + side * 2, 7 + side / 2]])).tolist() == [level]  # the same area


def test_sampling_is_exact_at_the_centres_of_cells():
    """Cell (i, j) of a map of stride 2 lies at the pixels around (2 i + 1, 2 j + 1)."""
    rows, columns = torch.meshgrid(torch.arange(8.0), torch.arange(8.0), indexing="ij")
    ramp = torch.stack([2 * rows + 1, 2 * columns + 1])[None]  # of each cell its centre in pixels
    pooled = BoxPooling(strides=(2,), size=2)([ramp], [torch.tensor([[4.0, 2.0, 8.0, 10.0]])])
    assert pooled[0, 0].tolist() == [[4.0, 4.0], [8.0, 8.0]]  # rows: centres of the halves of 2 .. 10
    assert pooled[0, 1].tolist() == [[5.0, 7.0], [5.0, 7.0]]  # columns: of 4 .. 8


def test_boxes_come_from_their_own_picture_and_map_in_their_order():
    pooling = BoxPooling(strides=(4, 8), size=1)
    maps = [torch.tensor([1.0, 2.0]).view(2, 1, 1, 1).expand(2, 1, 64, 64), torch.full((2, 1, 32, 32), 7.0)]
    small, large = [10.0, 10, 50, 50], [0.0, 0, 200, 200]
    boxes = [torch.tensor([large, small]), torch.tensor([small, large, small])]
    assert pooling(maps, boxes).flatten().tolist() == [7, 1, 2, 7, 2]


def test_without_boxes_there_is_nothing_and_gradients_flow_all_the_same():
    features = torch.randn(2, 3, 4, 4, requires_grad=True)
    pooled = BoxPooling(strides=(4,), size=7)([features], [torch.zeros(0, 4), torch.zeros(0, 4)])
    assert pooled.shape == (0, 3, 7, 7)
    pooled.sum().backward()
    assert features.grad is not None
    assert not features.grad.any()
