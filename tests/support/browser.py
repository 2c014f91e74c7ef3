"""A page of `fovea view` in Chromium: what tests of pages share."""
import contextlib
import os
import pathlib
import subprocess

from playwright.sync_api import sync_playwright

FOVEA = os.environ["FOVEA"]
EXAMPLES = pathlib.Path(os.environ["FOVEA_SOURCE_DIR"]) / "examples/digits"
# No sandbox, as tests run as root in CI; nothing that would reach for the network.
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync"]


def view(model, page, *options):
    subprocess.run([FOVEA, "view", model, "-o", page, *options], check=True, capture_output=True, text=True)


@contextlib.contextmanager
def chromium(*flags):
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=os.environ.get("CHROMIUM", "/usr/bin/chromium"), args=[*FLAGS, *flags])
        yield browser
        browser.close()


class Page:
    """An opened page, which remembers what went wrong in it and what it asked for."""

    def __init__(self, browser, path, **options):
        self.page = browser.new_page(**options)
        self.complaints, self.requests = [], []
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.goto(f"file://{path}")
        self.page.wait_for_selector("body[data-input]")

    def choose(self, name):
        """One of the inputs in the page."""
        self.page.click(f'button[data-input="{name}"]')
        self.page.wait_for_selector(f'body[data-input="{name}"]')

    def label(self):
        """The predicted class."""
        return self.page.locator(".classes li").first.get_attribute("data-label")

    def download(self, selector, path):
        with self.page.expect_download() as started:
            self.page.locator(selector).first.click()
        started.value.save_as(path)

    def blank_figures(self):
        """The titles of figures that are of one colour, or of none."""
        return self.page.evaluate("""() => [...document.querySelectorAll("figure")].filter((figure) => {
            const canvas = figure.querySelector("canvas");
            const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext("2d", {willReadFrequently: true});
            copy.drawImage(canvas, 0, 0);
            const pixels = copy.getImageData(0, 0, canvas.width, canvas.height).data;
            return new Set(new Uint32Array(pixels.buffer)).size < 2;
        }).map((figure) => figure.dataset.title)""")
