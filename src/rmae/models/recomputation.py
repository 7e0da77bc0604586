"""Computing again in the backward pass instead of holding what the forward pass made."""

from collections.abc import Callable

from torch import Tensor
from torch.utils.checkpoint import checkpoint


def run(function: Callable[..., Tensor], *tensors: Tensor, recompute: bool) -> Tensor:
    """Call a function, and hold what autograd wants of it, or its arguments alone.

    In the backward pass only what comes before the function's last saved tensor is computed again: a product at its end
    is not. Dropout is none of what models here do, so that the state of random generators is not looked at.

    Args:
        function: Of tensors, the same for the same ones.
        tensors: What it is called with.
        recompute: Whether to call it again in the backward pass.

    Returns:
        What the function returns; values and gradients do not depend on `recompute`.
    """
    if not recompute:
        return function(*tensors)
    result = checkpoint(function, *tensors, use_reentrant=False, preserve_rng_state=False)
    assert isinstance(result, Tensor)
    return result
