import math
import re

import numpy as np

from rmae.visual.layer_curves import LayerCurve, Level, head_dots, layer_curves

HEADS = np.array([[0.5, 0.6], [0.7, 0.4], [0.8, 0.9]])
ONE = LayerCurve("one", (0.5, 0.6, 0.9), (0.4, 0.5, 0.8), (0.6, 0.7, 1.0), HEADS)
OTHER = LayerCurve("a <b> $x_1$", (0.5, 0.4), (0.4, 0.3), (0.6, 0.5), HEADS[:2])
LEVELS = (Level("chance", 0.5), Level("nearness", 0.8), Level("ceiling", math.nan))


def test_the_drawing_says_what_it_shows_and_takes_the_pages_colours():
    html = layer_curves([ONE, OTHER], LEVELS, score="AUC")
    assert html.count("<svg") == 1
    assert "AUC by layer. one: 0.500, 0.600, 0.900; a &lt;b&gt; $x_1$: 0.500, 0.400" in html
    for colour in ("var(--pixel)", "var(--region)", "var(--muted)"):
        assert colour in html
    assert "#00f1" not in html


def test_heads_have_a_panel_for_each_encoder_and_ids_of_their_own():
    html = head_dots([ONE, OTHER], LEVELS, score="AUC")
    assert html.count("<svg") == 2
    assert "AUC of heads: the best of one is head 1 of layer 2 with 0.900" in html
    ids = re.findall(r' id="([^"]+)"', html)
    assert len(ids) == len(set(ids))
    assert not set(ids) & set(re.findall(r' id="([^"]+)"', layer_curves([ONE], LEVELS, score="AUC")))


def test_many_encoders_long_names_and_gaps_are_drawn():
    unknown = LayerCurve("_hidden" * 20, (math.nan, 0.5), (math.nan,) * 2, (math.nan,) * 2, np.full((2, 3), math.nan))
    curves = [ONE] * 7 + [unknown]
    assert layer_curves(curves, (), score="AUC").count("<svg") == 1
    assert "has none that is defined" in head_dots(curves, (), score="AUC")


def test_a_single_layer_and_head_are_drawn():
    single = LayerCurve("single", (0.5,), (0.5,), (0.5,), np.array([[0.5]]))
    assert layer_curves([single], LEVELS, score="AUC").count("<svg") == 1
    assert head_dots([single], LEVELS, score="AUC").count("<svg") == 1


def test_the_same_curves_give_the_same_drawing():
    assert layer_curves([ONE, OTHER], LEVELS, score="AUC") == layer_curves([ONE, OTHER], LEVELS, score="AUC")
