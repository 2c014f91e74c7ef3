"""inspect tells what the model is made of, not what fovea makes of it, and the memory that compiling it takes."""
import collections
import json
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.environ["FOVEA_SOURCE_DIR"] + "/tests/support")
import onnx
from generated import FOVEA, SOURCE, compile_model


def main():
    for network in ("senet", "cbam", "vit"):
        model = SOURCE / f"examples/digits/{network}.onnx"
        command = [FOVEA, "inspect", model, "--json"]
        listing = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        nodes = collections.Counter(node.op_type for node in onnx.load(model).graph.node)
        del nodes["Constant"]
        if network == "vit":  # the places of its class token depend on constants alone, and are computed
            nodes -= collections.Counter("Concat Shape Slice ConstantOfShape Equal Where Expand Mul".split())
        assert listing["ops"] == nodes, (network, listing["ops"], nodes)
        with tempfile.TemporaryDirectory() as folder:
            compile_model(model, folder)
            memory = json.load(open(f"{folder}/model.json"))["memory"]
        assert listing["memory"]["workspace_bytes"] == memory["workspace_bytes"], (network, listing["memory"], memory)
    command = [FOVEA, "inspect", model, "--why", "nothing"]
    message = subprocess.run(command, capture_output=True, text=True).stderr
    families = message.strip().split("there are ")[1].split(", ")
    assert len(families) > 10 and len(families) == len(set(families)), families


main()
