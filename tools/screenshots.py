# Takes the screenshots of the page that are in docs/images, of the three digit networks and of one with coordinate attention,
# which it trains; run by hand after the page's looks have changed:  .venv/bin/python tools/screenshots.py
# It takes what examples/digits/train.py does.

import os
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
os.environ.setdefault("FOVEA", str(ROOT / "build/release/fovea"))
os.environ.setdefault("FOVEA_SOURCE_DIR", str(ROOT))
sys.path[:0] = [str(ROOT / "tests/support"), str(ROOT / "examples/digits")]
import torch
import train
from browser import EXAMPLES, Page, chromium, view
from torch import Tensor, nn

IMAGES = ROOT / "docs/images"


class Coordinate(nn.Module):
    """A gate for each row and one for each column (Hou et al. 2021), behind two convolutions; classes of what is left."""

    def __init__(self, channels: int = 32) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, channels, 3, padding=1), nn.ReLU())
        self.mix = nn.Sequential(nn.Conv2d(channels, 8, 1), nn.ReLU())
        self.rows, self.columns = nn.Conv2d(8, channels, 1), nn.Conv2d(8, channels, 1)
        self.head = nn.Linear(channels, 10)

    def forward(self, image: Tensor) -> Tensor:
        x = self.stem(image)
        means = torch.cat([x.mean(3, keepdim=True), x.mean(2, keepdim=True).transpose(-1, -2)], dim=2)
        of_rows, of_columns = torch.split(self.mix(means), list(x.shape[2:]), dim=2)
        refined = x * self.columns(of_columns.transpose(-1, -2)).sigmoid() * self.rows(of_rows).sigmoid()
        return self.head(refined.mean((2, 3)))


def coordinate_page(folder: Path) -> None:
    """Trains the network for some seconds."""
    torch.manual_seed(train.SEED)
    network = Coordinate()
    images, labels = train.load_images()[:2]
    train.train(network, images, labels, epochs=40, peak_rate=1e-2)
    train.export(network, images[:1], folder / "coordinate.onnx", dynamo=True)
    view(folder / "coordinate.onnx", folder / "coordinate.html", "--samples", EXAMPLES / "samples.npz")


def opened(browser, folder: Path, network: str, **options) -> Page:
    """The page of a digit network, or one that is there already."""
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
        view(EXAMPLES / "vit.onnx", folder / "all.html", "--samples", EXAMPLES / "samples.npz", "--probes", "all")
        shoot(opened(browser, folder, "all"), "further", "#others")
        coordinate_page(folder)
        shoot(opened(browser, folder, "coordinate"), "strips", "#coordinate")
        phone = opened(browser, folder, "cbam", viewport={"width": 390, "height": 844}, is_mobile=True, color_scheme="dark")
        phone.page.screenshot(path=IMAGES / "page_phone.png")


main()
