"""Pure functions on tensors: patches, masks, positions and bit-packing."""
