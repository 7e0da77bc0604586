"""A tiny model of random weights for what needs no sense, and one that segments drawn scenes for the browser."""

import base64
import fcntl
import io
import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from PIL import Image
from playwright.sync_api import Browser, Page, expect, sync_playwright
from pycocotools import mask as coco_mask
from scipy.ndimage import distance_transform_edt

import rmae
from rmae.app.answers import NamedRegions
from rmae.app.opened_model import OpenedModel
from rmae.app.server import RunningApp, start_app
from rmae.app.workbench import Limits, Workbench
from rmae.config import DataConfig, ModelConfig, OptimizerConfig, PretrainConfig, RunConfig
from rmae.evaluation.objects.pictures import read_part
from rmae.models.masked_autoencoder import MaskedAutoencoder
from rmae.regions.felzenszwalb import Felzenszwalb
from rmae.regions.grid import Grid

LIMITS = Limits(max_pixels=100_000, max_upload=200_000)


@pytest.fixture(scope="session")
def random_model() -> Callable[..., MaskedAutoencoder]:
    """Makes models that have learned nothing."""

    def make(seed: int = 0, *, channels: int = 3, depth: int = 2, **others: Any) -> MaskedAutoencoder:
        torch.manual_seed(seed)
        shape = ModelConfig(
            img_size=32, patch_size=8, size="micro", depth=depth, decoder_depth=1, channels=channels, **others
        )
        model = rmae.build_model(shape)
        model.pixel_mean, model.pixel_std = (0.5,) * channels, (0.25,) * channels
        return model

    return make


@pytest.fixture(scope="session")
def models(random_model: Callable[..., MaskedAutoencoder]) -> tuple[OpenedModel, OpenedModel]:
    """Two, of which the second has fewer layers."""
    return OpenedModel(random_model(), "first"), OpenedModel(random_model(1, depth=1), "second")


@pytest.fixture
def workbench(models: tuple[OpenedModel, OpenedModel], tmp_path: Path) -> Workbench:
    """With both models, two sources of regions, and a picture to choose."""
    example = tmp_path / "a_picture.png"
    Image.fromarray(np.zeros((40, 60, 3), np.uint8)).save(example)
    sources = [
        NamedRegions("grid", Grid(rows=2, columns=3)),
        NamedRegions("felzenszwalb", Felzenszwalb(scales=(9, 99))),
    ]
    return Workbench(models, sources=sources, examples=[example], limits=LIMITS)


class DrawnObject(NamedTuple):
    """An object of a drawn scene, and where to click on it."""

    mask: np.ndarray
    """Shape (H, W) bool."""
    point_xy: tuple[float, float]
    """The place farthest from its border, in pixels of the picture."""
    answer: np.ndarray
    """What the model makes of a click there, shape (H, W) bool."""


class DrawnScene(NamedTuple):
    """A picture with objects that the model outlines well from one click each."""

    path: Path
    objects: tuple[DrawnObject, ...]


@pytest.fixture(scope="session")
def shared_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One for all processes that share the tests of this session."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "app"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def clicks_model(shared_folder: Path) -> Path:
    """A run of one or two minutes, of a model that has learned to outline drawn objects; made by the first who asks."""
    run = shared_folder / "clicks_model"
    with (shared_folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (run / "report.html").exists():
            train_on_scenes(shared_folder / "scenes", run)
    return run


def train_on_scenes(scenes: Path, run: Path) -> None:
    rmae.make_scenes(scenes, num_train=400, num_val=60, size_hw=(64, 64), seed=5)
    model = ModelConfig(
        task="rae",
        img_size=64,
        patch_size=8,
        size="micro",
        depth=3,
        num_regions=4,
        region_embed_dim=96,
        region_encoder_num_heads=4,
        region_decoder_num_heads=4,
    )
    data = DataConfig(
        regions=rmae.CocoInstances(annotations=(str(scenes / "annotations" / "instances_train2017.json"),)),
        subsets=("train2017",),
        held_out=0,
        crops_per_image=16,
        crop_scale=(0.5, 1),
        region_area=(0.02, 0.75),
        num_workers=0,
    )
    config = PretrainConfig(
        name="clicks",
        model=model,
        data=data,
        optimizer=OptimizerConfig(epochs=None, updates=900, batch_size=32, base_lr=0.03, warmup=0.1),
        run=RunConfig(accelerator="cpu", num_threads=1, log_every=450, checkpoint_every=900),
    )
    rmae.pretrain(config, data=scenes, out=run)


@pytest.fixture(scope="session")
def drawn_scenes(clicks_model: Path, shared_folder: Path) -> list[DrawnScene]:
    """Pictures that the model was not trained on, those with two objects or more that it outlines well first."""
    segmenter = rmae.Segmenter(rmae.load(clicks_model))
    part, _ = read_part(shared_folder / "scenes", "coco", "val")
    found = []
    for row, name in enumerate(part.images.names):
        image = part.images.read(name, channels=3, max_pixels=10_000)
        segmenter.set_image(image)
        objects = []
        for _, placed in part.objects.draw(row):
            mask = np.zeros(image.shape[:2], bool)
            mask[placed.box] = placed.pixels
            depth = distance_transform_edt(np.pad(mask, 1))[1:-1, 1:-1]
            y, x = np.unravel_index(depth.argmax(), mask.shape)
            point_xy = (float(x) + 0.5, float(y) + 0.5)
            answer = segmenter.predict(points_xy=[point_xy], positive=[True]).mask
            if (answer & mask).sum() > 0.6 * (answer | mask).sum():
                objects.append(DrawnObject(mask, point_xy, answer))
        if objects:
            found.append(DrawnScene(part.images.root / name, tuple(objects)))
    return sorted(found, key=lambda scene: -len(scene.objects))


@pytest.fixture(scope="session")
def clicks_app(clicks_model: Path, random_model: Callable[..., MaskedAutoencoder]) -> Iterator[RunningApp]:
    """The app with that model, and one that has learned nothing to compare it with."""
    with start_app(clicks_model, against=random_model(), port=0, max_megapixels=20, max_upload_mb=5) as running:
        yield running


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """Debian's browser, without a window."""
    path = shutil.which("chromium")
    if path is None:
        pytest.fail("there is no chromium; install it with: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=path, args=["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"]
        )
        yield browser
        browser.close()


class Visitor:
    """A person at a page of the app, in a browser that shares nothing with those of others."""

    def __init__(self, page: Page) -> None:
        self.page = page

    def drop(self, name: str, content: bytes) -> None:
        """Drop a file on the page."""
        transfer = self.page.evaluate_handle(
            """([name, encoded]) => {
                const bytes = Uint8Array.from(atob(encoded), (letter) => letter.charCodeAt(0));
                const transfer = new DataTransfer();
                transfer.items.add(new File([bytes], name));
                return transfer;
            }""",
            [name, base64.b64encode(content).decode()],
        )
        self.page.dispatch_event("#rm-desk", "drop", {"dataTransfer": transfer})

    def open(self, path: Path) -> None:
        """Drop a picture and wait until it is seen."""
        self.drop(path.name, path.read_bytes())
        expect(self.page.locator("#rm-status")).to_contain_text(f"{path.name}, ")  # with its size, once it is open
        self.settle()

    def settle(self) -> None:
        """Wait until everything that was done is answered and seen."""
        self.page.wait_for_function(
            "document.querySelector('#rm-desk[data-shown]') && !document.querySelector('.rm-busy')"
        )
        self.page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")  # painted

    def at(self, point_xy: tuple[float, float], *, pane: int = 0, size: int = 64) -> tuple[float, float]:
        """Where a place of a picture of so many pixels is in the window."""
        self.page.locator(f"#rm-canvas-{pane}").scroll_into_view_if_needed()
        box = self.page.locator(f"#rm-canvas-{pane}").bounding_box()
        assert box is not None
        return box["x"] + point_xy[0] / size * box["width"], box["y"] + point_xy[1] / size * box["width"]

    def click(self, point_xy: tuple[float, float], *, pane: int = 0, button: Any = "left") -> None:
        """Click at a place of the picture."""
        self.page.mouse.click(*self.at(point_xy, pane=pane), button=button)

    def drag(self, *points_xy: tuple[float, float]) -> None:
        """Drag from place to place."""
        self.page.mouse.move(*self.at(points_xy[0]))
        self.page.mouse.down()
        for point_xy in points_xy[1:]:
            self.page.mouse.move(*self.at(point_xy), steps=6)
        self.page.mouse.up()

    def download(self, wanted: str) -> tuple[str, bytes]:
        """Name and content of a file that the page saves."""
        with self.page.expect_download() as found:
            self.page.click(f"#rm-download-{wanted}")
        return found.value.suggested_filename, Path(found.value.path()).read_bytes()

    def masks(self) -> list[np.ndarray]:
        """Those of the COCO file."""
        annotations = json.loads(self.download("coco")[1])["annotations"]
        return [coco_mask.decode(annotation["segmentation"]).astype(bool) for annotation in annotations]

    def colours(self, *, pane: int = 0) -> np.ndarray:
        """What a canvas shows, as a picture of shape (64, 64, 3)."""
        encoded = self.page.evaluate(f"document.querySelector('#rm-canvas-{pane}').toDataURL()").partition(",")[2]
        shown = Image.open(io.BytesIO(base64.b64decode(encoded))).convert("RGB")
        return np.asarray(shown.resize((64, 64), Image.Resampling.BOX), np.float32)


@pytest.fixture
def visit(chromium: Browser) -> Iterator[Callable[..., Visitor]]:
    """Opens the app as another visitor; at the end, nobody's page may have complained or looked elsewhere."""
    complaints: list[str] = []
    contexts = []

    def open_page(app: RunningApp, *, may_complain: bool = False, **options: Any) -> Visitor:
        context = chromium.new_context(**{"viewport": {"width": 1280, "height": 900}, **options})
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(20_000)
        if not may_complain:
            page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
            page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("dialog", lambda dialog: complaints.append(dialog.message))
        page.on("request", lambda request: complaints.append(request.url) if is_elsewhere(request.url, app) else None)
        page.goto(app.url)
        page.wait_for_selector("#rm-open")
        return Visitor(page)

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []


def is_elsewhere(url: str, app: RunningApp) -> bool:
    return not url.startswith((app.url, "data:", "blob:"))
