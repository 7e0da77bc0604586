"""What autograd holds between the forward and the backward pass."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode


def saved_bytes(call: Callable[[], Any], *, besides: Iterable[Tensor] = ()) -> int:
    """Bytes that autograd holds for the backward pass of a call.

    Every storage counts once and whole: a view keeps all of it. Counted is what is saved while the call runs, on any
    device; copies of weights in half precision, which autocast makes, are among it.

    Args:
        call: A forward pass, made once.
        besides: What is in memory anyway and does not count: parameters, buffers and inputs.

    Returns:
        Bytes.

    Example:
        >>> weight = torch.ones(10, requires_grad=True)
        >>> saved_bytes(lambda: (2 * weight).exp(), besides=[weight])
        40
    """
    known = {tensor.untyped_storage()._cdata for tensor in besides}
    # Kept until the end, so that no storage takes the place of one that was counted and freed.
    saved: dict[int, torch.UntypedStorage] = {}

    def note(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage._cdata not in known:
            saved[storage._cdata] = storage
        return tensor.detach()  # the tensor itself would be a cycle where it is a result of what saves it

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        call()
    return sum(storage.nbytes() for storage in saved.values())


class WrittenOutAttention(TorchFunctionMode):
    """Inside this block attention is two matrix products with a softmax between them, which autograd then holds.

    For comparison: what a step would need if its attention were not fused.
    """

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Replace fused attention; the models give it neither masks nor dropout."""
        if func is not functional.scaled_dot_product_attention:
            return func(*args, **(kwargs or {}))
        q, k, v = args
        scores = (q * q.shape[-1] ** -0.5) @ k.transpose(-2, -1)  # (B, heads, N, T)
        return scores.softmax(dim=-1) @ v
