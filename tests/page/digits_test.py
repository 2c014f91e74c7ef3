"""The pages of the three digit networks in a browser: opened from disk, without a complaint or a request, they run the model,
show every view, and have the numbers of a native run; clicks, keys, drops, phones and the dark."""
import os
import pathlib
import subprocess
import sys
import tempfile

sys.path.insert(0, os.environ["FOVEA_SOURCE_DIR"] + "/tests/support")
import numpy as np
from browser import EXAMPLES, FOVEA, Page, chromium, view
from hostile import Checks, finish

NETWORKS = {"senet": ["places", "gates"], "cbam": ["places", "gates"], "vit": ["positions", "attention"]}
checks = Checks()
held_out = np.load(EXAMPLES / "test_images.npz")
CHOSEN = [int(np.argmax(held_out["labels"] == digit)) for digit in range(10)]


def classes(network):
    """What PyTorch's network takes each of the chosen digits for."""
    return np.load(EXAMPLES / f"{network}_test_logits.npz")["logits"][CHOSEN].argmax(axis=1)


def native(network, image, folder):
    """All outputs and probes of a run of the C."""
    np.savez(folder / "in.npz", image=image)
    subprocess.run([FOVEA, "run", EXAMPLES / f"{network}.onnx", "-i", folder / "in.npz", "-o", folder / "out.npz",
                    "--probe-output", folder / "probes.npz", "--probes", "auto,inputs"], check=True, capture_output=True)
    return dict(np.load(folder / "out.npz")) | dict(np.load(folder / "probes.npz"))


def check_numbers(name, got, expected):
    checks.check(f"{name}: all maps are there", set(got) == set(expected), set(got) ^ set(expected))
    for key in expected:
        difference = np.abs(got[key] - expected[key]).max()
        bound = 1e-5 * max(1, np.abs(expected[key]).max())
        checks.check(f"{name}: {key}", got[key].shape == expected[key].shape and difference <= bound, difference)


def check_views(network, page, folder):
    """Every digit is run, with the class that PyTorch predicts; of one, the numbers."""
    sections = page.page.eval_on_selector_all(".view", "all => all.map((one) => one.id)")
    checks.check(f"{network}: views", sections == NETWORKS[network], sections)
    for number, expected in enumerate(classes(network)):
        page.choose(str(number + 1))
        checks.check(f"{network}: the class of digit {number}", page.label() == str(expected), page.label())
        checks.check(f"{network}: digit {number} is drawn", page.blank_figures() == [], page.blank_figures())
    page.choose("5")
    page.download(".save", folder / "saved.npz")
    check_numbers(network, dict(np.load(folder / "saved.npz")), native(network, held_out["images"][CHOSEN[4]][None], folder))
    checks.check(f"{network}: nothing was complained of", page.complaints == [], page.complaints)
    strange = [url for url in page.requests if not url.startswith(("file:", "blob:", "data:"))]
    checks.check(f"{network}: nothing was asked of a network", strange == [], strange)


def check_attention(page, folder):
    """A click on a patch makes it the query; keys go through layers, heads and queries."""
    query = page.page.locator("#attention .query")
    canvas = page.page.locator("#attention figure canvas").first
    box = canvas.bounding_box()
    canvas.click(position={"x": box["width"] * 0.6, "y": box["height"] * 0.35})
    checks.check("a click on a patch", query.inner_text() == "query (1, 2)", query.inner_text())
    page.page.locator("#attention").focus()
    page.page.keyboard.press("ArrowRight")
    checks.check("the patch to the right", query.inner_text() == "query (1, 3)", query.inner_text())
    page.page.keyboard.press("]")
    titles = page.page.locator("#attention figcaption").all_inner_texts()
    checks.check("the next layer", all(title.startswith("blocks.1.attn.probs") for title in titles), titles)
    page.page.keyboard.press("h")
    titles = page.page.locator("#attention figcaption").all_inner_texts()
    checks.check("the next head", len(titles) == 2 and "head 0" in titles[0], titles)
    page.download("#attention figure:first-of-type .exports button:last-child", folder / "head.npz")
    got = next(iter(np.load(folder / "head.npz").values()))
    expected = native("vit", held_out["images"][CHOSEN[4]][None], folder)["blocks.1.attn.probs"][0, 0, 8, 1:].reshape(4, 4)
    checks.check("the exported row of a head", np.abs(got - expected).max() < 1e-5, got)


def check_drop(network, page):
    """A PNG of a digit is dropped on the page."""
    page.choose("8")
    page.page.evaluate("""async () => {
        const picture = document.querySelector('button[data-input="4"] canvas');
        const blob = await new Promise((resolve) => picture.toBlob(resolve, "image/png"));
        const data = new DataTransfer();
        data.items.add(new File([blob], "three.png", {type: "image/png"}));
        document.dispatchEvent(new DragEvent("drop", {dataTransfer: data, cancelable: true}));
    }""")
    page.page.wait_for_selector('body[data-input="three.png"]')
    checks.check("a dropped PNG", page.label() == str(classes(network)[3]), page.label())


def check_small_and_dark(browser, path):
    phone = Page(browser, path, viewport={"width": 375, "height": 700}, is_mobile=True, color_scheme="dark")
    width = phone.page.evaluate("document.documentElement.scrollWidth")
    checks.check("a phone is wide enough", width <= 375, width)
    paper = phone.page.evaluate("getComputedStyle(document.body).backgroundColor")
    checks.check("the dark is dark", sum(map(int, paper[4:-1].split(","))) < 200, paper)


with tempfile.TemporaryDirectory() as name, chromium() as browser:
    folder = pathlib.Path(name)
    np.savez(folder / "ten.npz", image=held_out["images"][CHOSEN])
    for network in NETWORKS:
        path = folder / f"{network}.html"
        view(EXAMPLES / f"{network}.onnx", path, "--samples", folder / "ten.npz")
        page = Page(browser, path)
        check_views(network, page, folder)
        if network == "vit":
            check_attention(page, folder)
        check_drop(network, page)
        check_small_and_dark(browser, path)
finish(checks)
