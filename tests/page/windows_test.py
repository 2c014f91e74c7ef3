"""Swin's windows in a page: what a query attends to is drawn where it was before the map was shifted and cut, checked
against NumPy's roll and reshape of a native run; a click on a place takes its window."""
import json
import os
import pathlib
import subprocess
import sys
import tempfile

sys.path.insert(0, os.environ["FOVEA_SOURCE_DIR"] + "/tests/support")
import numpy as np
from browser import FOVEA, Page, chromium, view
from hostile import Checks, finish

MODEL = pathlib.Path(os.environ["FOVEA_MODELS"]) / "swin_tiny.dynamo.onnx"
checks = Checks()
random = np.random.default_rng(11)


def manifest_and_inputs(folder):
    subprocess.run([FOVEA, "compile", MODEL, "-o", folder / "out", "--name", "swin"], check=True, capture_output=True)
    manifest = json.loads((folder / "out/swin.json").read_text())
    inputs = {one["name"]: random.standard_normal(one["shape"]).astype(np.float32) for one in manifest["inputs"]}
    np.savez(folder / "in.npz", **inputs)
    return manifest


def native(folder):
    subprocess.run([FOVEA, "run", MODEL, "-i", folder / "in.npz", "--probe-output", folder / "probes.npz"], check=True,
                   capture_output=True)
    return dict(np.load(folder / "probes.npz"))


def places_of_tokens(probe):
    """[windows, tokens]: the place in the map, counted row by row, of each token."""
    (rows, columns), (high, wide), shift = probe["grid"], probe["window"], probe["shift"]
    places = np.roll(np.arange(rows * columns).reshape(rows, columns), [-s for s in shift], axis=(0, 1))
    cut = places.reshape(rows // high, high, columns // wide, wide).transpose(0, 2, 1, 3)
    return cut.reshape(-1, high * wide)


def check_layer(page, folder, number, probe, maps):
    """A click somewhere on the mean of the heads, and the numbers that are drawn then."""
    page.page.locator("#attention select[name=layer]").select_option(str(number))
    places = places_of_tokens(probe)
    rows, columns = probe["grid"]
    row, column = int(random.integers(rows)), int(random.integers(columns))
    canvas = page.page.locator("#attention figure canvas").first
    box = canvas.bounding_box()
    canvas.click(position={"x": (column + 0.5) / columns * box["width"], "y": (row + 0.5) / rows * box["height"]})
    page.download("#attention figure:first-of-type .exports button:last-child", folder / "mean.npz")
    got = next(iter(np.load(folder / "mean.npz").values())).ravel()
    window, token = (int(i[0]) for i in np.nonzero(places == row * columns + column))
    expected = np.full(rows * columns, np.nan, np.float32)
    expected[places[window]] = maps[probe["id"]][window, :, token].mean(axis=0)
    same = np.array_equal(np.isnan(got), np.isnan(expected)) and np.nanmax(np.abs(got - expected)) < 1e-5
    checks.check(f"{probe['id']}, shift {probe['shift']}, place {row}, {column}", same, (got, expected))


with tempfile.TemporaryDirectory() as name, chromium() as browser:
    folder = pathlib.Path(name)
    probes = [probe for probe in manifest_and_inputs(folder)["probes"] if probe["name"] == "probs"]
    maps = native(folder)
    view(MODEL, folder / "swin.html", "--samples", folder / "in.npz")
    page = Page(browser, folder / "swin.html")
    shifted = next(i for i, probe in enumerate(probes) if any(probe.get("shift", [0, 0])))
    checks.check("the first layer is not shifted", probes[0]["shift"] == [0, 0], probes[0])
    for number in (0, shifted):
        check_layer(page, folder, number, probes[number], maps)
finish(checks)
