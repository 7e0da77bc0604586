"""Semantic segmentation: UperNet on the pixel encoder."""
