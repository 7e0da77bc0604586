"""Interactive segmentation, scored: simulated clicks, and maps of which a share is visible."""
