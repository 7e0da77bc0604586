"""Take the walk of own_images.md: type its commands, keep what they print, and make its pictures of what they left.

    python docs/make_walk_through.py WORK

WORK is a new folder; one of an earlier walk is looked at again, and nothing is typed. `rmae` must be on the
path, and Debian's chromium installed.
"""

import argparse
import io
import re
import subprocess
import time
from pathlib import Path

from pictures import open_browser, save_picture
from PIL import Image
from playwright.sync_api import Browser, sync_playwright

DOCS = Path(__file__).parent
ASSETS = DOCS / "assets" / "walk_through"
END = "\n## On a larger scale"
"""Heading of the page behind which nothing is typed any more."""
WIDTH = 1000  # pixels of the window, and the most of a picture
LARGEST = 300_000  # bytes of a picture
COUNTS = 0.34  # share of a sheet of three pictures that its counts take, above them


def main() -> None:
    """Type everything, then look at it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("work", type=Path)
    work = parser.parse_args().work.resolve()
    ASSETS.mkdir(exist_ok=True)
    if not work.exists():
        work.mkdir(parents=True)
        printed = "".join(type_in(block, work) for block in commands())
        (ASSETS / "printed.txt").write_text(printed)
    for name in ("coarse", "fine"):
        with Image.open(work / f"{name}.png") as sheet:
            pictures = sheet.convert("RGB").crop((0, round(COUNTS * sheet.height), *sheet.size))
        save(pictures, f"regions_{name}.png")
    with sync_playwright() as playwright:
        browser = open_browser(playwright)
        run = work / "runs" / "pictures"
        photograph(browser, run / "report.html", "main > section >> nth=0", "curves.png")
        photograph(browser, run / "report.html", "article.card >> nth=0", "completed.png")
        for encoder in ("pretrained", "scratch"):
            page = work / "did" / encoder / "report.html"
            photograph(browser, page, ".examples article.card >> nth=0", f"segmented_{encoder}.png")
        browser.close()


def commands() -> list[str]:
    """The page's blocks of commands."""
    page = (DOCS / "own_images.md").read_text().partition(END)[0]
    return re.findall(r"```sh\n(.*?)```", page, re.DOTALL)


def type_in(block: str, work: Path) -> str:
    """Run a block; returns what it printed, under the block itself."""
    start = time.monotonic()
    done = subprocess.run(["bash", "-euc", block], cwd=work, capture_output=True, text=True, check=False)
    print(f"{block}{done.stdout}{done.stderr}{time.monotonic() - start:.0f} s", flush=True)
    done.check_returncode()
    return f"$ {block}{done.stdout}\n".replace(f"{work}/", "")


def photograph(browser: Browser, page_file: Path, what: str, name: str) -> None:
    """Write a part of a page as it is seen."""
    page = browser.new_page(viewport={"width": WIDTH, "height": 900}, color_scheme="light")
    page.goto(page_file.resolve().as_uri())
    seen = page.locator(what).screenshot()
    save(Image.open(io.BytesIO(seen)).convert("RGB"), name)


def save(picture: Image.Image, name: str) -> None:
    """Write a picture, no wider than the window, and with a palette where it would be large."""
    if picture.width > WIDTH:
        picture = picture.resize((WIDTH, round(picture.height * WIDTH / picture.width)), Image.Resampling.LANCZOS)
    save_picture(picture, ASSETS / name, largest=LARGEST)


if __name__ == "__main__":
    main()
