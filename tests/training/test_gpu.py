"""What only a CUDA device shows; deselected elsewhere."""

import pytest
import torch

import rmae
from rmae.config import LossConfig
from rmae.data.loader import open_batches, to_device
from rmae.data.order import BatchOrder
from rmae.data.samples import PretrainSamples, collate
from rmae.training.finite import FiniteGuard
from rmae.training.optimizer import build_optimizer
from rmae.training.step import PretrainStep


@pytest.mark.gpu
@pytest.mark.parametrize(
    "choice",
    [{}, {"feeding": "both"}, {"feeding": "none"}, {"region_variant": "batch"}, {"region_variant": "channel"}],
    ids=str,
)
def test_a_step_never_makes_the_host_wait(config, change, choice):
    config = change(config, model=choice)
    device = torch.device("cuda")
    model = rmae.build_model(config.model, generator=torch.Generator().manual_seed(0)).to(device)
    optimizer = build_optimizer(model, config.optimizer)
    guard = FiniteGuard(device, ("loss", "pixel_loss", "region_loss"))
    optimizer.found_inf = guard.found_inf
    images = torch.randint(0, 256, (4, 3, 32, 32), dtype=torch.uint8, device=device)
    packed = torch.randint(0, 256, (4, 3, 32, 4), dtype=torch.uint8, device=device)
    ids_shuffle, region_ids_shuffle = (torch.rand(4, 16, device=device).argsort(dim=1).int() for _ in range(2))
    loss = LossConfig(background_weight=0.5, balance_area=True)
    forward = PretrainStep(model, loss, pixel_mean=(0.4,) * 3, pixel_std=(0.3,) * 3).to(device)

    def step(update):
        losses = forward(images, packed, ids_shuffle, region_ids_shuffle)
        losses.total.backward()
        norm = torch.nn.utils.get_total_norm([p.grad for p in model.parameters() if p.grad is not None])
        guard.check(update, torch.stack([*losses, norm]).detach())
        optimizer.step()
        optimizer.zero_grad()

    step(0)  # the first one allocates
    torch.cuda.set_sync_debug_mode("error")
    try:
        for update in range(1, 4):
            step(update)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert guard.first_bad() is None


@pytest.mark.gpu
def test_batches_arrive_whole_while_the_device_works(config, images):
    samples = PretrainSamples(images, data=config.data, model=config.model, seed=0)
    order = BatchOrder(
        num_samples=len(samples), batch_size=4, steps_per_update=1, rank=0, world_size=1, seed=0, first_update=0,
        num_updates=12,
    )  # fmt: skip
    device, work = torch.device("cuda"), torch.randn(2048, 2048, device="cuda")
    with open_batches(samples, order, collate=collate, num_workers=2, pin_memory=True) as loaded:
        arrived = []
        for batch in to_device(loaded, device):
            work = (work @ work).clamp(-1, 1)  # copies and their uses must wait for each other, and for nothing else
            arrived.append([None if tensor is None else tensor + 0 for tensor in batch.tensors()])
    with open_batches(samples, order, collate=collate, num_workers=0, pin_memory=False) as expected:
        for tensors, batch in zip(arrived, expected, strict=True):
            for tensor, other in zip(tensors, batch.tensors(), strict=True):
                assert (tensor is None and other is None) or torch.equal(tensor.cpu(), other)
