"""Scenes whose truth is known to the pixel: drawn, with nothing to download, or composed of photographic cut-outs."""

from rmae.scenes.class_layout import make_class_scenes
from rmae.scenes.coco_layout import make_scenes
from rmae.scenes.cut_out_files import read_cut_outs
from rmae.scenes.cut_out_scenes import make_cut_out_classes, make_cut_out_scenes

__all__ = ["make_class_scenes", "make_cut_out_classes", "make_cut_out_scenes", "make_scenes", "read_cut_outs"]
