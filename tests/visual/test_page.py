import numpy as np

from rmae.visual.page import large_figure, page


def test_a_large_figure_is_enlarged_by_a_box_to_tick() -> None:
    html = large_figure(np.zeros((30, 40, 3), np.uint8), alt='a "b"', title="<Map>", caption="1 & 2")
    assert html.startswith(
        '<figure><label class="zoom" style="aspect-ratio: 40 / 30">'
        '<input type="checkbox" aria-label="Enlarge: &lt;Map&gt;"><img src="data:image/jpeg;base64,'
    )
    assert html.endswith(
        '" width="40" height="30" alt="a &quot;b&quot;"></label>'
        "<figcaption><strong>&lt;Map&gt;</strong> <span>1 &amp; 2</span></figcaption></figure>\n"
    )


def test_a_page_with_names_that_are_no_text_can_be_written() -> None:
    assert "<p>caf?.jpg é</p>" in page("x", "<p>caf\udce9.jpg é</p>").encode().decode()
