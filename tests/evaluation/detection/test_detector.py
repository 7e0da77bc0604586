"""The detector's parts fit together as ViTDet says."""

import numpy as np
import pytest
import torch

from rmae.evaluation.detection.detector import build_detector
from rmae.evaluation.detection.presets import for_lvis, paper
from rmae.evaluation.layer_groups import layer_groups
from rmae.models.build import num_trainable_parameters
from rmae.models.encoder import build_encoder


def build(config, num_classes):
    with torch.device("meta"):
        vit = build_encoder(
            img_size=(224, 224), patch_size=16, channels=3, embed_dim=768, depth=12, num_heads=12, mlp_ratio=4.0
        ).requires_grad_(True)
        return build_detector(vit, config, num_classes=num_classes, generator=np.random.default_rng(0))


def test_with_vit_b_it_has_the_parameters_that_the_paper_gives():
    """ViTDet (arXiv 2203.16527), table 5: 111 million with 80 categories."""
    assert num_trainable_parameters(build(paper(), 80)) == pytest.approx(111e6, rel=2e-3)


def test_windows_anchors_and_strides_of_the_paper():
    model = build(paper(), 80)
    assert [block.window_size for block in model.encoder.blocks] == [14, 14, 0] * 4
    sizes = model.proposals.anchor_generator.sizes
    assert sizes == ((32,), (64,), (128,), (256,), (512,))
    assert model.boxes.detections_per_img == 100
    assert build(for_lvis(paper()), 1203).boxes.detections_per_img == 300
    assert model.encoder.pos_embed.shape == (1, 197, 768)


def test_rates_fall_with_depth_and_relative_positions_are_not_decayed():
    model = build(paper(), 80)
    groups = layer_groups(model, encoder="encoder.", depth=12, weight_decay=0.1, layer_decay=0.7)
    found = {id(parameter): group for group in groups for parameter in group["params"]}
    scales = {
        "encoder.pos_embed": (0.7**13, 0.0),
        "encoder.patch_embed.weight": (0.7**13, 0.1),
        "encoder.blocks.0.attn.qkv.weight": (0.7**12, 0.1),
        "encoder.blocks.11.attn.rel_pos_h": (0.7, 0.0),
        "encoder.blocks.11.mlp.fc1.bias": (0.7, 0.0),
        "pyramid.levels.0.0.weight": (1.0, 0.1),
        "mask_head.masks.weight": (1.0, 0.1),
    }
    parameters = dict(model.named_parameters())
    for name, (scale, decay) in scales.items():
        group = found[id(parameters[name])]
        assert (group["lr_scale"], group["weight_decay"]) == (pytest.approx(scale), decay), name
    assert sum(len(group["params"]) for group in groups) == len(parameters)
