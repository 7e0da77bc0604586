"""The forward half of a step compiles as a whole and computes the same."""

import pytest
import torch

from rmae.config import RunConfig
from rmae.evaluation.classification.features import freeze
from rmae.evaluation.classification.finetune import FinetuneStep
from rmae.evaluation.classification.heads import Classifier, build_probe
from rmae.evaluation.classification.linear import LinearStep
from rmae.evaluation.encoder import fit_encoder
from rmae.training.ranks import open_ranks

pytestmark = pytest.mark.slow
LABELS = torch.tensor([0, 1, 2, 0])


@pytest.fixture(autouse=True)
def no_graphs_of_other_tests():
    torch._dynamo.reset()
    yield
    torch._dynamo.reset()


@pytest.fixture
def images():
    return torch.randn(4, 3, 24, 24, generator=torch.Generator().manual_seed(0))


def assert_compiled_is_plain(step, images, targets):
    compiled = torch.compile(step, fullgraph=True, backend="aot_eager")
    found = []
    for each in (step, compiled):
        torch.manual_seed(0)  # of what is left out
        loss = each(images, targets).total
        parameters = [parameter for parameter in step.parameters() if parameter.requires_grad]
        found.append([loss.detach(), *torch.autograd.grad(loss, parameters)])
    for plain, ours in zip(*found, strict=True):
        torch.testing.assert_close(ours, plain)


def test_finetuning(encoder, images):
    vit = fit_encoder(encoder().vit, image_hw=(24, 24), drop_path=0.2)
    model = Classifier(vit, pooling="average", num_classes=3, generator=torch.Generator().manual_seed(0))
    assert_compiled_is_plain(FinetuneStep(model), images, torch.eye(3)[LABELS])


def test_a_linear_probe(encoder, images):
    with open_ranks(RunConfig(accelerator="cpu")) as ranks:
        probe = build_probe(32, 3, ranks=ranks, generator=torch.Generator().manual_seed(0))
        step = LinearStep(freeze(encoder(), image_hw=(24, 24), pooling="token"), probe, "token")
        assert_compiled_is_plain(step, images, LABELS)
