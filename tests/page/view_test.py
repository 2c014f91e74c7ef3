"""`fovea view`: hostile names stay text, recordings and weights beside the page work, agreement with a reference is told, and
what cannot be done is refused with what to do."""
import functools
import http.server
import os
import pathlib
import subprocess
import sys
import tempfile
import threading

sys.path.insert(0, os.environ["FOVEA_SOURCE_DIR"] + "/tests/support")
import numpy as np
import onnx
from onnx import TensorProto
from browser import EXAMPLES, FOVEA, Page, chromium, view
from hostile import INVALID, SYSTEM, USAGE, Checks, finish, model, node, tensor

HOSTILE = '</script><script>window.hacked=1</script><img src=x onerror="window.hacked=1">"\'&lt;<!--'
checks = Checks()


def hostile_model(path):
    """A gate whose parts have names that are markup."""
    nodes = [node("GlobalAveragePool", "x", "mean"), node("Conv", "mean w", "low"), node("Relu", "low", "act"),
             node("Conv", "act u", "high"), node("Sigmoid", "high", "gate"), node("Mul", "x gate", "y")]
    made = model(nodes, inputs=[("x", [1, 8, 5, 5])], outputs=[("y", None)], initializers=[
        tensor("w", np.ones((2, 8, 1, 1), np.float32)), tensor("u", np.ones((8, 2, 1, 1), np.float32))])
    for n in made.graph.node:
        n.name = f"/{HOSTILE}/{n.op_type}"
        for names in (n.input, n.output):
            for i, name in enumerate(names):
                names[i] = name + HOSTILE
    for value in [*made.graph.input, *made.graph.output, *made.graph.initializer]:
        value.name += HOSTILE
    onnx.save(made, path)


def check_hostile(browser, folder):
    path = folder / f"{HOSTILE.replace('/', '_')}.onnx"
    hostile_model(path)
    view(path, folder / "hostile.html")
    page = Page(browser, folder / "hostile.html")
    checks.check("no name is run", page.page.evaluate("window.hacked") is None)
    shown = page.page.inner_text("#gates figcaption")
    checks.check("names are shown as text", "<.script><script>window" in shown, shown)  # ids have dots for slashes
    checks.check("no name is an element", page.page.locator("img").count() == 0)
    checks.check("the title is text, too", page.page.title() == path.stem, page.page.title())
    checks.check("nothing was complained of", page.complaints == [], page.complaints)


def check_recording(browser, folder):
    view(EXAMPLES / "cbam.onnx", folder / "record.html", "--record", EXAMPLES / "cbam_inputs.npz")
    page = Page(browser, folder / "record.html")
    page.download(".save", folder / "saved.npz")
    saved, expected = np.load(folder / "saved.npz"), np.load(EXAMPLES / "cbam_probes.npz")
    worst = max(np.abs(saved[key] - expected[key]).max() for key in expected)
    checks.check("a recording has the maps", worst < 1e-5, worst)
    checks.check("it says what it is", "recording" in page.page.inner_text(".status"), page.page.inner_text(".status"))
    checks.check("it takes no pictures", page.page.locator(".drop").count() == 0)


def check_reference(browser, folder):
    """Beside each map: how far it is from PyTorch's; not beside those of another input."""
    probes = dict(np.load(EXAMPLES / "senet_probes.npz"))
    np.savez(folder / "other.npz", **probes | {"se.gate": probes["se.gate"] + np.float32(0.01)})
    for reference, sign in ((EXAMPLES / "senet_probes.npz", "✓"), (folder / "other.npz", "✗")):
        view(EXAMPLES / "senet.onnx", folder / "reference.html", "--samples", EXAMPLES / "senet_inputs.npz", "--reference", reference)
        page = Page(browser, folder / "reference.html")
        badge = page.page.locator("#gates .badge").inner_text()
        checks.check(f"agreement: {sign}", badge.startswith(f"{sign} PyTorch"), badge)


def check_beside(browser, folder):
    """Weights in a file of their own are fetched from a web server."""
    view(EXAMPLES / "senet.onnx", folder / "beside.html", "--samples", EXAMPLES / "senet_inputs.npz", "--weights", "file")
    quiet = type("Quiet", (http.server.SimpleHTTPRequestHandler,), {"log_message": lambda *_: None})
    server = http.server.ThreadingHTTPServer(("localhost", 0), functools.partial(quiet, directory=folder))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    page = browser.new_page()
    page.goto(f"http://localhost:{server.server_port}/beside.html")
    page.wait_for_selector("body[data-input]")
    checks.check("weights beside the page", page.locator(".classes li").first.get_attribute("data-label") == "7")
    server.shutdown()


def check_tokens(browser, folder):
    """Token ids are typed in."""
    table = np.arange(30, dtype=np.float32).reshape(10, 3)
    made = model([node("Gather", "table ids", "y")], inputs=[("ids", [1, 4], TensorProto.INT64)], outputs=[("y", None)],
                 initializers=[tensor("table", table)])
    onnx.save(made, folder / "tokens.onnx")
    view(folder / "tokens.onnx", folder / "tokens.html")
    page = Page(browser, folder / "tokens.html")
    page.page.fill("textarea[name=ids]", "7 2 9")
    page.page.click(".typed button")
    page.page.wait_for_selector("body[data-input=typed]")
    page.download(".save", folder / "tokens.npz")
    got = np.load(folder / "tokens.npz")["y"]
    checks.check("typed token ids", np.array_equal(got, table[[[7, 2, 9, 0]]]), got)
    page.page.fill("textarea[name=ids]", "7 two")
    page.page.click(".typed button")
    checks.check("what is no number is said", "ids" in page.page.inner_text(".status.error"))


def refused(what, status, words, *options, **environment):
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run([FOVEA, "view", EXAMPLES / "senet.onnx", "-o", f"{folder}/page.html", *options],
                              capture_output=True, text=True, env=os.environ | environment)
        said = done.stderr
        checks.check(f"{what} is refused", done.returncode == status and words in said, (done.returncode, said))
        checks.check(f"{what}: nothing is written", os.listdir(folder) == [], os.listdir(folder))


def check_refusals(folder):
    (folder / "text.png").write_text("no picture")
    np.savez(folder / "wrong.npz", image=np.zeros((1, 1, 9, 9), np.float32))
    refused("a page without clang", SYSTEM, "--record", FOVEA_CLANG="no-such-clang")
    refused("an image that is none", INVALID, "PNG", "--image", folder / "text.png")
    refused("samples of another shape", INVALID, "[1,1,9,9]", "--samples", folder / "wrong.npz")
    refused("a reference of nothing", USAGE, "--samples", "--reference", EXAMPLES / "senet_probes.npz")
    refused("a colour that is none", USAGE, "gray", "--colour", "rbg")
    refused("three means for one channel", USAGE, "mean", "--mean", "1,2,3")


with tempfile.TemporaryDirectory() as name, chromium() as browser:
    folder = pathlib.Path(name)
    check_hostile(browser, folder)
    check_recording(browser, folder)
    check_reference(browser, folder)
    check_beside(browser, folder)
    check_tokens(browser, folder)
    check_refusals(folder)
finish(checks)
