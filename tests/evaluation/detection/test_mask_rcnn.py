"""The detector as a whole: what its losses are made of, and where it finds things."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn import functional

from rmae.config import EncoderConfig, RunConfig
from rmae.config.detection import DetectConfig
from rmae.evaluation.detection.detector import build_detector
from rmae.evaluation.detection.heads import MaskHead, ProposalHead
from rmae.evaluation.detection.mask_rcnn import Objects, sample_masks
from rmae.evaluation.encoder import open_encoder
from rmae.ops.bits import pack_bits

SMALL = DetectConfig(
    encoder=EncoderConfig(img_size=64, scratch_size="micro", scratch_patch_size=8),
    pyramid_scales=(1.0, 0.5), pyramid_channels=8, proposal_depth=1, box_depth=1, box_width=16, mask_depth=1,
    anchor_scale=2.0, anchors_sampled=16, boxes_sampled=8, proposals_before_nms=30, proposals_after_nms=10,
)  # fmt: skip


def build(config=SMALL, num_classes=3, seed=0):
    vit = open_encoder("scratch", config.encoder, seed=0).vit
    return build_detector(vit, config, num_classes=num_classes, generator=np.random.default_rng(seed))


def rectangle(top, left, bottom, right, label=1):
    """One object that fills its box, in a frame of 64 x 64 pixels."""
    mask = np.zeros((1, 64, 64), bool)
    mask[0, top:bottom, left:right] = True
    boxes = torch.tensor([[left, top, right, bottom]], dtype=torch.float32)
    return Objects(boxes, torch.tensor([label]), torch.from_numpy(pack_bits(mask)))


def nothing():
    return Objects(torch.zeros(0, 4), torch.zeros(0, dtype=torch.int64), torch.zeros(0, 64, 8, dtype=torch.uint8))


def test_the_total_is_the_sum_of_the_losses_and_reaches_every_weight():
    model = build()
    losses = model(torch.randn(2, 3, 64, 64), [rectangle(8, 8, 40, 40), rectangle(20, 10, 60, 62, label=3)])
    torch.testing.assert_close(losses.total, sum(losses[1:]))
    assert all(loss.dtype == torch.float32 and loss.ndim == 0 and loss > 0 for loss in losses)
    losses.total.backward()
    without = [name for name, parameter in model.named_parameters() if parameter.grad is None]
    assert without == []


@pytest.mark.parametrize("objects", [[nothing(), nothing()], [nothing(), rectangle(8, 8, 40, 40)]])
def test_pictures_without_objects_are_trained_on(objects):
    model = build()
    losses = model(torch.randn(2, 3, 64, 64), objects)
    losses.total.backward()
    assert torch.isfinite(losses.total)
    if not len(objects[1].labels):
        assert losses.mask == losses.box == losses.rpn_box == 0
        assert losses.rpn_objectness > 0
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in model.parameters())


def test_what_is_drawn_from_the_global_generator_decides_the_losses():
    model, images, objects = build(), torch.randn(1, 3, 64, 64), [rectangle(8, 8, 40, 40)]
    totals = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        totals.append(model(images, objects).total.item())
    assert totals[0] == totals[1] != totals[2]


def test_weights_of_the_heads_are_a_function_of_the_generator():
    first, again, other = (build(seed=seed).state_dict() for seed in (5, 5, 6))
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["mask_head.masks.weight"], other["mask_head.masks.weight"])


def test_building_leaves_the_global_generator_as_it_was():
    vit = open_encoder("scratch", SMALL.encoder, seed=0).vit
    before = torch.random.get_rng_state()
    build_detector(vit, SMALL, num_classes=3, generator=np.random.default_rng(0))
    assert torch.equal(before, torch.random.get_rng_state())


def test_an_object_lies_where_the_anchors_say_it_does():
    """An anchor that is made to stand out is found, with the offsets that it is given: here none."""
    config = DetectConfig(
        **{name: getattr(SMALL, name) for name in SMALL.__dataclass_fields__}
        | {"pyramid_scales": (1.0,), "proposals_after_nms": 1}
    )
    model = build(config).eval()

    def head(maps):
        logits = [each.new_full((1, 3, *each.shape[-2:]), -9) for each in maps]
        logits[0][0, 1, 2, 3] = 9  # square anchor of 16 pixels at cell (2, 3) of stride 8
        return logits, [each.new_zeros(1, 12, *each.shape[-2:]) for each in maps]

    seen = []
    model.proposals.head.forward = head
    pool, model.boxes.box_roi_pool.forward = model.boxes.box_roi_pool.forward, None
    model.boxes.box_roi_pool.forward = lambda maps, boxes: (seen.append(boxes), pool(maps, boxes))[1]
    model.detect(torch.randn(1, 3, 64, 64), [(64, 64)])
    assert seen[0][0].tolist() == [[24 - 8, 16 - 8, 24 + 8, 16 + 8]]


def test_finds_lie_inside_the_picture_and_are_few_enough():
    config = DetectConfig(
        **{name: getattr(SMALL, name) for name in SMALL.__dataclass_fields__}
        | {"num_detections": 4, "score_threshold": 0.0}
    )
    found = build(config).eval().detect(torch.randn(2, 3, 64, 64), [(40, 64), (64, 30)])
    for each, (height, width) in zip(found, [(40, 64), (64, 30)], strict=True):
        assert len(each.scores) == 4
        assert each.boxes_xyxy.min() >= 0
        assert (each.boxes_xyxy[:, [0, 2]] <= width).all()
        assert (each.boxes_xyxy[:, [1, 3]] <= height).all()
        assert each.masks.shape == (4, 28, 28)
        assert (each.scores.diff() <= 0).all()
        assert set(each.labels.tolist()) <= {1, 2, 3}


def test_a_picture_is_found_the_same_alone_and_in_a_batch():
    model = build().double().eval()
    images = torch.randn(3, 3, 64, 64, dtype=torch.float64)
    together = model.detect(images, [(64, 64), (40, 64), (64, 64)])
    alone = model.detect(images[1:2], [(40, 64)])[0]
    for one, other in zip(together[1], alone, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-10)


def test_masks_are_the_same_however_few_are_drawn_at_once(monkeypatch):
    config = replace(SMALL, score_threshold=0.0, num_detections=7)
    model, images = build(config).double().eval(), torch.randn(2, 3, 64, 64, dtype=torch.float64)
    together = model.detect(images, [(64, 64)] * 2)
    drawn = []
    model.mask_head.register_forward_hook(lambda _, given, made: drawn.append(len(made)))
    monkeypatch.setattr("rmae.evaluation.detection.mask_rcnn._BOXES_AT_ONCE", 4)
    for one, other in zip(together, model.detect(images, [(64, 64)] * 2), strict=True):
        torch.testing.assert_close(one.masks, other.masks, rtol=0, atol=1e-10)
        assert torch.equal(one.labels, other.labels)
    assert drawn == [4, 4, 4, 2]


def test_in_bf16_losses_and_boxes_are_float32_and_close():
    model, images, objects = build(), torch.randn(2, 3, 64, 64), [rectangle(8, 8, 40, 40), rectangle(0, 0, 33, 17)]
    torch.manual_seed(0)
    expected = model(images, objects)
    torch.manual_seed(0)
    with torch.autocast("cpu", torch.bfloat16):
        losses = model(images, objects)
        found = model.eval().detect(images, [(64, 64)] * 2)
    assert all(loss.dtype == torch.float32 for loss in losses)
    assert all(each.boxes_xyxy.dtype == each.scores.dtype == torch.float32 for each in found)
    assert losses.total.item() == pytest.approx(expected.total.item(), rel=0.05)
    assert all(p.grad is None or p.grad.dtype == torch.float32 for p in model.parameters())


def test_masks_are_sampled_as_shares_of_the_cells_of_a_box():
    """A rectangle over a box of 8 x 8 pixels in 4 x 4 cells of 2 x 2: its edge halves a row of cells."""
    objects = rectangle(10, 20, 15, 40)
    boxes = torch.tensor([[20.0, 8.0, 28.0, 16.0]])
    sampled = sample_masks(objects.masks, torch.tensor([0]), boxes, width=64, side=4)
    # One sample in the middle of a cell, between four pixels of which the lower two may be off.
    assert sampled[0, :, 0].tolist() == [0, 1, 1, 0.5]
    assert torch.equal(sampled[0], sampled[0, :, :1].expand(4, 4))


def test_boxes_get_the_mask_of_their_own_object_however_many_there_are(monkeypatch):
    monkeypatch.setattr("rmae.evaluation.detection.mask_rcnn._MASKS_AT_ONCE", 2)
    generator = np.random.default_rng(0)
    masks = generator.random((5, 64, 64)) < 0.5
    matched = torch.tensor([4, 0, 3, 3, 1])
    boxes = torch.tensor([[16.0, 16.0, 44.0, 44.0]]).expand(5, 4)
    packed = torch.from_numpy(pack_bits(masks))
    sampled = sample_masks(packed, matched, boxes, width=64, side=28)  # a cell is a pixel
    assert torch.equal(sampled, torch.from_numpy(masks[matched.numpy(), 16:44, 16:44]).float())


def test_proposal_head_shares_its_layers_between_the_maps():
    head = ProposalHead(channels=4, depth=2, num_anchors=3)
    small, large = torch.randn(1, 4, 3, 3), torch.randn(1, 4, 6, 6)
    logits, offsets = head([large, small])
    assert [tuple(each.shape) for each in logits] == [(1, 3, 6, 6), (1, 3, 3, 3)]
    assert [tuple(each.shape) for each in offsets] == [(1, 12, 6, 6), (1, 12, 3, 3)]
    assert torch.equal(head([small])[0][0], logits[1])
    assert sum(isinstance(layer, torch.nn.Conv2d) for layer in head.convolutions) == 2


def test_masks_are_drawn_at_twice_the_side():
    assert MaskHead(channels=4, depth=2, num_classes=5)(torch.randn(2, 4, 14, 14)).shape == (2, 6, 28, 28)


def test_a_detector_learns_one_picture_by_heart():
    model, image, objects = build(), torch.zeros(1, 3, 64, 64), [rectangle(16, 8, 48, 40, label=2)]
    image[:, :, 16:48, 8:40] = 1
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    torch.manual_seed(0)
    for _ in range(60):
        loss = model(image, objects).total
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    best = model.eval().detect(image, [(64, 64)])[0]
    assert best.labels[0] == 2
    assert best.scores[0] > 0.5
    torch.testing.assert_close(best.boxes_xyxy[0], objects[0].boxes_xyxy[0], rtol=0, atol=4)
    assert functional.interpolate(best.masks[None, :1], size=(32, 32)).gt(0.5).float().mean() > 0.8


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"encoder": EncoderConfig(img_size=(64, 40), scratch_size="micro", scratch_patch_size=8)},
         "pictures of 64 x 40 pixels do not suit the pyramid, whose coarsest map has a cell every 32 pixels"),
        ({"encoder": EncoderConfig(img_size=60, scratch_size="micro", scratch_patch_size=6),
          "pyramid_scales": (4.0, 2.0, 1.0)},
         "patches of 6 pixels cannot be split into the 4 cells"),
        ({"encoder": EncoderConfig(img_size=60, scratch_size="micro", scratch_patch_size=8)},
         "pictures of 60 x 60 pixels cannot be cut into the encoder's patches of 8"),
    ],
)  # fmt: skip
def test_sizes_that_do_not_suit_are_explained(changed, sentence):
    config = DetectConfig(**{name: getattr(SMALL, name) for name in SMALL.__dataclass_fields__} | changed)
    with pytest.raises(ValueError, match=sentence):
        build(config)


def test_a_compiled_detector_is_refused():
    with pytest.raises(ValueError, match="compile is on; the detector cannot be compiled"):
        DetectConfig(run=RunConfig(compile=True))
