"""Interactive segmentation: an object from what a person marks of it."""
