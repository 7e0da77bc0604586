"""What the scripts that make the pictures of these pages share."""

import shutil
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Playwright


def open_browser(playwright: Playwright) -> Browser:
    """Start Debian's chromium."""
    return playwright.chromium.launch(
        executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-dev-shm-usage"]
    )


def save_picture(picture: Image.Image, path: Path, *, largest: int) -> None:
    """Write a PNG, and with a palette, which takes a third, where it would have more than `largest` bytes."""
    picture.save(path, optimize=True)
    if path.stat().st_size > largest:
        picture.quantize(256, dither=Image.Dither.NONE).save(path, optimize=True)
    print(f"{path.name}: {path.stat().st_size / 1000:.0f} kB")
