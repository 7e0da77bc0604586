"""Pre-train region-aware Vision Transformers on your own images (R-MAE)."""
