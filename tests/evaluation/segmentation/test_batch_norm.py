import copy

import pytest
import torch
from torch import nn

from rmae.evaluation.segmentation.batch_norm import SharedBatchNorm


def test_it_is_torchs_batch_norm_where_there_is_one_process():
    ours, theirs = SharedBatchNorm(3), nn.BatchNorm2d(3)
    with torch.no_grad():
        for norm in (ours, theirs):
            norm.weight.copy_(torch.tensor([1.0, 2.0, -1.0]))
            norm.bias.copy_(torch.tensor([0.5, 0.0, 3.0]))
    for seed in range(3):
        x = 2 + 3 * torch.randn(4, 3, 5, 6, generator=torch.Generator().manual_seed(seed))
        torch.testing.assert_close(ours(x), theirs(x))
    torch.testing.assert_close(ours.running_mean, theirs.running_mean)
    torch.testing.assert_close(ours.running_var, theirs.running_var)
    ours.eval(), theirs.eval()
    torch.testing.assert_close(ours(x), theirs(x))


def test_one_value_a_channel_is_normalised_by_the_running_statistics():
    norm = SharedBatchNorm(2)
    norm.running_mean.fill_(1.0)
    norm.running_var.fill_(4.0)
    x = torch.tensor([3.0, -1.0]).view(1, 2, 1, 1)
    torch.testing.assert_close(norm(x).flatten(), torch.tensor([1.0, -1.0]))
    assert norm.running_mean.tolist() == [1.0, 1.0]
    assert norm.running_var.tolist() == [4.0, 4.0]


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_what_is_not_finite_stays_out_of_the_running_statistics(bad: float):
    norm = SharedBatchNorm(2)
    x = torch.randn(2, 2, 3, 3)
    norm(x)
    before = copy.deepcopy(norm.state_dict())
    x[0, 1, 0, 0] = bad
    norm(x)
    assert norm.running_mean[1] == before["running_mean"][1]
    assert norm.running_var[1] == before["running_var"][1]
    assert norm.running_mean[0] != before["running_mean"][0]  # the other channel goes on
