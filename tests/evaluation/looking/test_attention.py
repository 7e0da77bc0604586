from collections.abc import Callable

import numpy as np
import pytest
import timm
import torch

from rmae.evaluation.looking.attention import attend
from rmae.evaluation.looking.subject import Subject
from rmae.models.attention import attention_maps

MakeSubject = Callable[..., Subject]
IMAGE = np.random.default_rng(0).integers(0, 256, (60, 40, 3), dtype=np.uint8)


def test_points_become_the_patches_they_lie_in(make_subject: MakeSubject):
    points = [(0, 0), (1, 1), (0.5, 0.5), (0.49, 0.26), (1, 0)]  # of 4 x 6 patches
    found = attend(make_subject(), IMAGE, points, layer=-1)
    assert [each.query for each in found] == [(0, 0), (3, 5), (2, 3), (1, 2), (0, 5)]


def test_it_is_the_attention_of_the_layer_in_the_picture_as_the_model_sees_it(make_subject: MakeSubject):
    subject = make_subject()
    [each] = attend(subject, IMAGE, [(0.3, 0.9)], layer=0)
    expected = attention_maps(
        subject.encoder, subject.normalise(subject.squeeze(IMAGE)), layers=[0], ids_query=torch.tensor([[3 * 6 + 1]])
    )[0, 0, :, 0]  # (heads, 1 + L)
    np.testing.assert_array_equal(each.heads, expected[:, 1:].unflatten(1, (4, 6)))
    assert each.class_share == pytest.approx(expected[:, 0].mean().item())
    assert each.register_share == 0
    assert each.heads.sum((1, 2)).mean() + each.class_share == pytest.approx(1, abs=1e-5)
    last = attend(subject, IMAGE, [(0.3, 0.9)], layer=-1)[0]
    assert (last.heads != each.heads).any()
    assert (attend(subject, IMAGE, [(0.3, 0.9)], layer=1)[0].heads == last.heads).all()


@pytest.mark.parametrize(("class_token", "registers"), [(True, 3), (False, 3), (False, 0)])
def test_what_goes_to_other_tokens_is_told_apart(make_subject: MakeSubject, class_token: bool, registers: int):
    vit = timm.create_model(
        "vit_tiny_patch16_224", num_classes=0, img_size=32, patch_size=8, depth=1, class_token=class_token,
        reg_tokens=registers, global_pool="avg",
    ).eval()  # fmt: skip
    subject = make_subject()._replace(encoder=vit, model=None)
    [each] = attend(subject, IMAGE, [(0.5, 0.5)], layer=-1)
    assert (each.class_share is None) is not class_token
    total = each.heads.sum((1, 2)).mean() + (each.class_share or 0) + each.register_share
    assert total == pytest.approx(1, abs=1e-5)
    assert (each.register_share > 0) is (registers > 0)


def test_a_layer_that_is_not_there_is_said_with_the_name_of_the_model(make_subject: MakeSubject):
    with pytest.raises(ValueError, match=r"^mine: there is no layer 2; the encoder has 2, from 0 to 1, or -1 = the l"):
        attend(make_subject(), IMAGE, [(0.5, 0.5)], layer=2)
