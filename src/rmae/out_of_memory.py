"""Which errors say that memory ran out, of the machine or of a GPU."""

_WORDS = (
    "can't allocate memory", "CUDA error: out of memory", "CUDA driver error: out of memory", "_ALLOC_FAILED",
    "_ALLOCATION_FAILED",
)  # fmt: skip
"""Of torch's allocator, and of CUDA, cuBLAS and cuDNN, where another program has filled the GPU."""


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory ran out; torch is not needed to know its own."""
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    return isinstance(error, RuntimeError) and any(word in str(error) for word in _WORDS)
