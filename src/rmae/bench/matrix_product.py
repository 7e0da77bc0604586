"""What a machine can do at its best: the speed of a large matrix product."""

import time
from statistics import median

import torch


def matrix_product_rate(device: torch.device, dtype: torch.dtype, *, side: int | None = None) -> float:
    """Measure the floating-point operations a second of a product of two square matrices.

    Args:
        device: Where.
        dtype: Of both matrices and of the result.
        side: Rows and columns; None = 8192 on a GPU, 1024 elsewhere.

    Returns:
        Operations a second, two for each multiply-accumulate; the median of five rounds.
    """
    on_gpu = device.type == "cuda"
    side = (8192 if on_gpu else 1024) if side is None else side
    num_products = 50 if on_gpu else 5
    # A GPU slows down where many bits flip, and it does in training: noise, not zeros.
    generator = torch.Generator(device).manual_seed(0)
    a, b = (torch.randn(side, side, device=device, generator=generator).to(dtype) for _ in range(2))
    product = torch.empty_like(a)

    def seconds() -> float:
        if on_gpu:
            torch.cuda.synchronize(device)
        start = time.perf_counter()
        for _ in range(num_products):
            torch.mm(a, b, out=product)
        if on_gpu:
            torch.cuda.synchronize(device)
        return (time.perf_counter() - start) / num_products

    seconds()
    return 2 * side**3 / median(seconds() for _ in range(5))
