"""Drawn scenes whose truth is known to the pixel, to try and test evaluations with nothing to download."""

from rmae.scenes.class_layout import make_class_scenes
from rmae.scenes.coco_layout import make_scenes

__all__ = ["make_class_scenes", "make_scenes"]
