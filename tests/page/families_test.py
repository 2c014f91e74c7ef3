"""Pages of further families: coordinate attention's strips, a map with channels (BAM), a Keras network whose channels come last;
a channel before and after its gate; a picture from a camera."""
import os
import pathlib
import subprocess
import sys
import tempfile

sys.path.insert(0, os.environ["FOVEA_SOURCE_DIR"] + "/tests/support")
import numpy as np
import onnx
from browser import FOVEA, Page, chromium, view
from hostile import Checks, finish, model, node, tensor

KERAS = pathlib.Path(os.environ["FOVEA_SOURCE_DIR"]) / "examples/tensorflow"
ROWS, COLUMNS = 24, 40
checks = Checks()
random = np.random.default_rng(5)


def weight(name, *shape):
    return tensor(name, random.standard_normal(shape).astype(np.float32) / 2)


def build(path):
    """Coordinate attention, then BAM, then classes of the channels' means."""
    nodes = [
        node("Conv", "image stem", "map", "/stem", pads=[1, 1, 1, 1]),
        node("ReduceMean", "map", "rows", "/coord/rows", axes=[3], keepdims=1),
        node("ReduceMean", "map", "columns", "/coord/columns", axes=[2], keepdims=1),
        node("Transpose", "columns", "turned", "/coord/turn", perm=[0, 1, 3, 2]),
        node("Concat", "rows turned", "both", "/coord/concat", axis=2),
        node("Conv", "both layer", "mixed", "/coord/conv"),
        node("Relu", "mixed", "act", "/coord/act"),
        node("Split", "act lengths", "high wide", "/coord/split", axis=2),
        node("Transpose", "wide", "back", "/coord/back", perm=[0, 1, 3, 2]),
        node("Conv", "high of_rows", "h_score", "/coord/conv_h"),
        node("Conv", "back of_columns", "w_score", "/coord/conv_w"),
        node("Sigmoid", "h_score", "a_h", "/coord/a_h"),
        node("Sigmoid", "w_score", "a_w", "/coord/a_w"),
        node("Mul", "map a_w", "across", "/coord/across"),
        node("Mul", "across a_h", "refined", "/coord/out"),
        node("GlobalAveragePool", "refined", "mean", "/bam/mean"),
        node("Conv", "mean down", "low", "/bam/down"),
        node("Relu", "low", "low_act", "/bam/low_act"),
        node("Conv", "low_act up", "channels", "/bam/up"),
        node("Conv", "refined narrow", "few", "/bam/narrow"),
        node("Relu", "few", "few_act", "/bam/few_act"),
        node("Conv", "few_act dilated", "wider", "/bam/dilated", pads=[4, 4, 4, 4], dilations=[4, 4]),
        node("Relu", "wider", "wider_act", "/bam/wider_act"),
        node("Conv", "wider_act one", "places", "/bam/one"),
        node("Mul", "channels places", "score", "/bam/score"),
        node("Sigmoid", "score", "gates", "/bam/gates"),
        node("Add", "gates unit", "factor", "/bam/add"),
        node("Mul", "refined factor", "result", "/bam/out"),
        node("GlobalAveragePool", "result", "pooled", "/head/pool"),
        node("Flatten", "pooled", "flat", "/head/flat"),
        node("Gemm", "flat classes", "logits", "/head/fc", transB=1),
    ]
    initializers = [
        weight("stem", 8, 3, 3, 3), weight("layer", 4, 8, 1, 1), weight("of_rows", 8, 4, 1, 1), weight("of_columns", 8, 4, 1, 1),
        weight("down", 2, 8, 1, 1), weight("up", 8, 2, 1, 1), weight("narrow", 2, 8, 1, 1), weight("dilated", 2, 2, 3, 3),
        weight("one", 1, 2, 1, 1), weight("classes", 5, 8), tensor("unit", np.float32(1)),
        tensor("lengths", np.array([ROWS, COLUMNS], np.int64)),
    ]
    onnx.save(model(nodes, [("image", [1, 3, ROWS, COLUMNS])], [("logits", None)], initializers), path)


def native(path, folder):
    subprocess.run([FOVEA, "run", path, "-i", folder / "in.npz", "--probe-output", folder / "probes.npz"], check=True,
                   capture_output=True)
    return dict(np.load(folder / "probes.npz"))


def sections(page):
    return page.page.eval_on_selector_all(".view", "all => all.map((one) => one.id)")


def exported(page, folder, section, number):
    """What the npz of a section's figure has."""
    page.download(f"#{section} figure >> nth={number} >> .exports button:last-child", folder / "figure.npz")
    return next(iter(np.load(folder / "figure.npz").values()))


def check_near(what, got, expected):
    near = got.shape == expected.shape and np.abs(got - expected).max() < 1e-5
    checks.check(what, near, (got.shape, expected.shape) if got.shape != expected.shape else np.abs(got - expected).max())


def check_strips(browser, folder):
    build(folder / "strips.onnx")
    np.savez(folder / "in.npz", image=random.random((1, 3, ROWS, COLUMNS), np.float32))
    view(folder / "strips.onnx", folder / "strips.html", "--samples", folder / "in.npz")
    page, maps = Page(browser, folder / "strips.html"), native(folder / "strips.onnx", folder)
    checks.check("strips and places", sections(page) == ["places", "coordinate"], sections(page))
    checks.check("nothing is blank", page.blank_figures() == [], page.blank_figures())
    check_near("the strip of rows", exported(page, folder, "coordinate", 0), maps["coord.a_h"][0].mean(0))
    check_near("the rows of each channel", exported(page, folder, "coordinate", 1), maps["coord.a_h"][0, :, :, 0].T)
    check_near("the strip of columns", exported(page, folder, "coordinate", 2), maps["coord.a_w"][0].mean(0))
    check_near("the columns of each channel", exported(page, folder, "coordinate", 3), maps["coord.a_w"][0, :, 0])
    check_near("a map with channels, as their mean", exported(page, folder, "places", 0), maps["bam.map"][0].mean(0))
    page.page.click("text=camera")
    page.page.wait_for_selector("body[data-input=camera]")
    checks.check("a picture of the camera is drawn", page.blank_figures() == [], page.blank_figures())
    checks.check("strips: nothing was complained of", page.complaints == [], page.complaints)


def check_keras(browser, folder):
    """Keras's own numbers, and a gate's channel of a map whose channels come last."""
    view(KERAS / "cnn.onnx", folder / "keras.html", "--samples", KERAS / "cnn_inputs.npz", "--reference", KERAS / "cnn_probes.npz")
    page, expected = Page(browser, folder / "keras.html"), dict(np.load(KERAS / "cnn_probes.npz"))
    page.download(".save", folder / "saved.npz")
    saved = dict(np.load(folder / "saved.npz"))
    for key, map in expected.items():
        check_near(f"Keras: {key}", saved[key], map)
    checks.check("Keras: nothing is blank", page.blank_figures() == [], page.blank_figures())
    badges = page.page.locator(".badge").all_inner_texts()
    checks.check("Keras: each map agrees", len(badges) > 0 and all(badge.startswith("✓") for badge in badges), badges)
    bars = page.page.locator("#gates figure canvas").first
    box = bars.bounding_box()
    title = page.page.locator("#gates figure").first.get_attribute("data-title")
    gates = saved[title].reshape(-1)
    bars.click(position={"x": box["width"] * 2.5 / gates.size, "y": box["height"] / 2})
    before, after = (exported(page, folder, "gates", number) for number in (-2, -1))
    block = title.rsplit(".", 1)[0]
    x = saved[f"{block}.x"][0]
    check_near("channel 2 before its gate", before, x[:, :, 2] if x.shape[-1] == gates.size else x[2])
    check_near("channel 2 after its gate", after, before * gates[2])
    checks.check("Keras: nothing was complained of", page.complaints == [], page.complaints)


with tempfile.TemporaryDirectory() as name, chromium("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream") as browser:
    check_strips(browser, pathlib.Path(name))
    check_keras(browser, pathlib.Path(name))
finish(checks)
