"""inspect tells what the model is made of, not what fovea makes of it, and the memory that compiling it takes."""
import collections
import json
import os
import pathlib
import subprocess
import sys
import tempfile

sys.path.insert(0, os.environ["FOVEA_SOURCE_DIR"] + "/tests/support")
import numpy as np
import onnx
from generated import FOVEA, SOURCE, compile_model
from hostile import model, node, tensor


def check_open_sizes(folder):
    """A size of -1, as Paddle2ONNX writes it, is open until --shape says it; rewrite rules wait for none to be known."""
    nodes = [node("Conv", "x w", "c", strides=[2, 2]), node("Add", "c three", "moved"), node("Clip", "moved zero six", "bent"),
             node("Mul", "c bent", "product"), node("Div", "product six", "y")]
    numbers = [tensor("w", np.ones((2, 3, 3, 3), np.float32))]
    numbers += [tensor(name, np.float32(value)) for name, value in (("zero", 0), ("three", 3), ("six", 6))]
    onnx.save(model(nodes, [("x", [-1, 3, -1, -1])], [("y", [-1, 2, -1, -1])], numbers), folder / "open.onnx")
    for options, shape in (([], "float[?,2,?,?]"), (["--shape", "x=1x3x9x7"], "float[1,2,4,3]")):
        told = subprocess.run([FOVEA, "inspect", folder / "open.onnx", *options], check=True, capture_output=True, text=True).stdout
        assert shape in told, told


def main():
    with tempfile.TemporaryDirectory() as folder:
        check_open_sizes(pathlib.Path(folder))
    for network in ("senet", "cbam", "vit"):
        path = SOURCE / f"examples/digits/{network}.onnx"
        command = [FOVEA, "inspect", path, "--json"]
        listing = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        nodes = collections.Counter(node.op_type for node in onnx.load(path).graph.node)
        del nodes["Constant"]
        if network == "vit":  # the places of its class token depend on constants alone, and are computed
            nodes -= collections.Counter("Concat Shape Slice ConstantOfShape Equal Where Expand Mul".split())
        assert listing["ops"] == nodes, (network, listing["ops"], nodes)
        with tempfile.TemporaryDirectory() as folder:
            compile_model(path, folder)
            memory = json.load(open(f"{folder}/model.json"))["memory"]
        assert listing["memory"]["workspace_bytes"] == memory["workspace_bytes"], (network, listing["memory"], memory)
    command = [FOVEA, "inspect", path, "--why", "nothing"]
    message = subprocess.run(command, capture_output=True, text=True).stderr
    families = message.strip().split("there are ")[1].split(", ")
    assert len(families) > 10 and len(families) == len(set(families)), families


main()
