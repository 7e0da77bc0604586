"""Make the pictures of app.md from the app itself, in Debian's chromium.

    rmae scenes shapes --img-size 256
    python docs/make_screenshots.py RUN AGAINST --scenes shapes

RUN has learned to outline what the scenes show, for instance by `rmae pretrain` with coco-instances as regions; AGAINST
is another model.
"""

import argparse
import io
from pathlib import Path

import numpy as np
from pictures import open_browser, save_picture
from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright
from scipy.ndimage import distance_transform_edt

import rmae
from rmae.app.server import RunningApp, start_app
from rmae.evaluation.objects.pictures import read_part

ASSETS = Path(__file__).parent / "assets"
SEEN = 1160, 760
LARGEST = 390_000  # bytes of a picture


def main() -> None:
    """Make all pictures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("run", help="what rmae.load takes")
    parser.add_argument("against", help="another model")
    parser.add_argument("--scenes", type=Path, required=True, help="folder that rmae scenes wrote")
    chosen = parser.parse_args()
    scene = good_scene(chosen.run, chosen.scenes)
    with start_app(chosen.run, against=chosen.against, port=0) as app, sync_playwright() as playwright:
        browser = open_browser(playwright)
        show_masks(browser, app, *scene)
        show_photograph(browser, app)
        show_comparison(browser, app, *scene)
        show_phone(browser, app, *scene)
        browser.close()


def good_scene(run: str, root: Path) -> tuple[Path, list[tuple[float, float]]]:
    """Of the pictures with three objects the one outlined best, and where to click, as shares of width and height."""
    segmenter = rmae.Segmenter(rmae.load(run))
    part, _ = read_part(root, "coco", "val")
    best, scene = 0.0, None
    for row, name in enumerate(part.images.names):
        image = part.images.read(name, channels=3, max_pixels=10**7)
        height, width = image.shape[:2]
        segmenter.set_image(image)
        overlaps, places = [], []
        for _, placed in part.objects.draw(row):
            mask = np.zeros((height, width), bool)
            mask[placed.box] = placed.pixels
            deepest = distance_transform_edt(np.pad(mask, 1))[1:-1, 1:-1].argmax()
            y, x = np.unravel_index(deepest, mask.shape)
            answer = segmenter.predict(points_xy=[(float(x), float(y))], positive=[True]).mask
            overlaps.append((answer & mask).sum() / (answer | mask).sum())
            places.append((float(x) / width, float(y) / height))
        if len(overlaps) == 3 and min(overlaps) > best:
            best, scene = min(overlaps), (part.images.root / name, places)
    if scene is None:
        raise SystemExit(f"no picture in {root} has three objects that are found")
    return scene


def show_masks(browser: Browser, app: RunningApp, path: Path, middles: list[tuple[float, float]]) -> None:
    """Three objects of a scene."""
    page = visit(browser, app)
    page.set_input_files("#rm-file", path)
    settle(page)
    mark_all(page, middles)
    save(page, "app.png")


def show_photograph(browser: Browser, app: RunningApp) -> None:
    """Attention and regions of a photograph."""
    page = visit(browser, app, dark=True)
    page.click("#rm-example-2")
    settle(page)
    click(page, (0.5, 0.55))
    page.click("#rm-view-attention")
    click(page, (0.5, 0.55))
    save(page, "app_attention.png")
    page = visit(browser, app)
    page.click("#rm-example-1")
    page.click("#rm-view-regions")
    settle(page)
    save(page, "app_regions.png")


def show_comparison(browser: Browser, app: RunningApp, path: Path, middles: list[tuple[float, float]]) -> None:
    """Two models side by side, in the dark."""
    page = visit(browser, app, dark=True)
    page.set_input_files("#rm-file", path)
    settle(page)
    page.check("#rm-compare")
    settle(page)
    mark_all(page, middles)
    save(page, "app_compare.png")


def show_phone(browser: Browser, app: RunningApp, path: Path, middles: list[tuple[float, float]]) -> None:
    """A narrow window."""
    page = visit(browser, app, size=(390, 1010), touch=True)
    page.set_input_files("#rm-file", path)
    settle(page)
    mark_all(page, middles)
    save(page, "app_phone.png")


def visit(
    browser: Browser, app: RunningApp, *, dark: bool = False, size: tuple[int, int] = SEEN, touch: bool = False
) -> Page:
    """The page as it is first seen."""
    context = browser.new_context(
        viewport={"width": size[0], "height": size[1]}, color_scheme="dark" if dark else "light", has_touch=touch
    )
    page = context.new_page()
    page.goto(app.url)
    page.wait_for_selector("#rm-open")
    return page


def mark_all(page: Page, middles: list[tuple[float, float]]) -> None:
    """Click on each object once."""
    for number, middle in enumerate(middles):
        if number:
            page.click("#rm-new-object")
        click(page, middle)


def click(page: Page, share: tuple[float, float]) -> None:
    """Click at a share of the picture's width and height."""
    canvas = page.locator("#rm-canvas-0")
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + share[0] * box["width"], box["y"] + share[1] * box["height"])
    settle(page)


def settle(page: Page) -> None:
    """Wait until everything that was done is answered and seen."""
    page.wait_for_function("document.querySelector('#rm-desk[data-shown]') && !document.querySelector('.rm-busy')")
    page.wait_for_timeout(300)


def save(page: Page, name: str) -> None:
    """Write what is seen."""
    page.mouse.move(2, 2)
    page.evaluate("window.scrollTo(0, 0)")
    page.wait_for_timeout(200)
    seen = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    save_picture(seen, ASSETS / name, largest=LARGEST)


if __name__ == "__main__":
    main()
