# Takes the screenshots of the page that are in docs/images, of the three digit networks; run by hand after the page's looks
# have changed:  .venv/bin/python tools/screenshots.py

import os
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
os.environ.setdefault("FOVEA", str(ROOT / "build/release/fovea"))
os.environ.setdefault("FOVEA_SOURCE_DIR", str(ROOT))
sys.path.insert(0, str(ROOT / "tests/support"))
from browser import EXAMPLES, Page, chromium, view

IMAGES = ROOT / "docs/images"


def opened(browser, folder: Path, network: str, **options) -> Page:
    path = folder / f"{network}.html"
    if not path.exists():
        files = ["--samples", EXAMPLES / "samples.npz", "--reference", EXAMPLES / f"{network}_probes.npz"]
        view(EXAMPLES / f"{network}.onnx", path, *files)
    return Page(browser, path, **{"viewport": {"width": 1100, "height": 900}, "device_scale_factor": 1, **options})


def shoot(page: Page, name: str, selector: str = "body") -> None:
    page.page.locator(selector).first.screenshot(path=IMAGES / f"page_{name}.png")


def click_share(page: Page, selector: str, across: float, down: float) -> None:
    """Clicks on a canvas, at shares of its width and height."""
    canvas = page.page.locator(selector).first
    box = canvas.bounding_box()
    canvas.click(position={"x": across * box["width"], "y": down * box["height"]})
    page.page.mouse.move(0, 0)


def main() -> None:
    with tempfile.TemporaryDirectory() as name, chromium() as browser:
        folder = Path(name)
        senet = opened(browser, folder, "senet")
        senet.choose("5")
        senet.page.get_by_text("by change").click()
        click_share(senet, "#gates figure canvas", 0.02, 0.5)
        shoot(senet, "channels", "#gates")
        cbam = opened(browser, folder, "cbam")
        shoot(cbam, "places", "#places")
        shoot(cbam, "layers", "#gates")
        vit = opened(browser, folder, "vit")
        shoot(vit, "positions", "#positions")
        vit.page.locator("#attention select[name=layer]").select_option("2")
        click_share(vit, "#attention figure canvas", 0.6, 0.4)
        shoot(vit, "tokens", "#attention")
        vit.page.evaluate("window.scrollTo(0, 0)")
        box = vit.page.locator("#attention").bounding_box()
        vit.page.screenshot(path=IMAGES / "page.png", full_page=True, clip={**box, "height": 500})
        vit.page.get_by_text("guided walk").click()
        shoot(vit, "walk")
        phone = opened(browser, folder, "cbam", viewport={"width": 390, "height": 844}, is_mobile=True, color_scheme="dark")
        phone.page.screenshot(path=IMAGES / "page_phone.png")


main()
