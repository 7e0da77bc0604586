"""Detection and instance segmentation: ViTDet Mask R-CNN, in COCO's and LVIS's layout."""
