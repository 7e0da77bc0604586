"""Annotated objects of data sets in COCO's or LVIS's layout, for every task that looks at them."""
