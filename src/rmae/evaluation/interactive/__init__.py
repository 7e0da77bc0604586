"""Interactive segmentation: what a model makes of an object from clicks, boxes, scribbles, or few visible patches."""
