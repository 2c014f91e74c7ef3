"""A block that fovea does not know, described in the user's own file: found, probed and run without rebuilding."""
import json
import os
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

sys.path.insert(0, os.environ["FOVEA_SOURCE_DIR"] + "/tests/support")
from generated import FOVEA

PATTERN = """# Squeeze by the largest of each third of the columns, then one gate a channel.
block thirds
  squeeze[N C 1 3] = MaxPool(x[N C H W]){kernel_shape=[H _]}
  gate             = Gate(Conv(squeeze, weight[_ C 1 3]{constant}, bias?))
  out              = Mul(x, gate[N C 1 1])
probe gate channel [N C]
probe squeeze channel [N C 1 3] on request
probe strongest channel [N] on request = ReduceMax(gate, [1 2 3]){keepdims=0}
"""


def write_model(path, weight):
    nodes = [helper.make_node("MaxPool", ["x"], ["/neck/pooled"], name="/neck/MaxPool", kernel_shape=[4, 2],
                              strides=[4, 2]),
             helper.make_node("Conv", ["/neck/pooled", "w"], ["/neck/layer"], name="/neck/Conv"),
             helper.make_node("Sigmoid", ["/neck/layer"], ["/neck/gate"], name="/neck/Sigmoid"),
             helper.make_node("Mul", ["/neck/gate", "x"], ["y"], name="/neck/Mul")]
    graph = helper.make_graph(nodes, "thirds", [helper.make_tensor_value_info("x", TensorProto.FLOAT, [2, 3, 4, 6])],
                              [helper.make_tensor_value_info("y", TensorProto.FLOAT, [2, 3, 4, 6])],
                              [numpy_helper.from_array(weight, "w")])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)


def main():
    random = np.random.default_rng(7)
    x = random.standard_normal((2, 3, 4, 6), dtype=np.float32)
    weight = random.standard_normal((3, 3, 1, 3), dtype=np.float32)
    squeeze = x.reshape(2, 3, 4, 3, 2).max(axis=(2, 4))
    gate = 1 / (1 + np.exp(-np.einsum("nct,kct->nk", squeeze, weight[:, :, 0])))
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        write_model(folder / "model.onnx", weight)
        (folder / "mine.pattern").write_text(PATTERN)
        np.savez(folder / "in.npz", x=x)
        own = ["--patterns", folder / "mine.pattern"]
        blocks = {}
        for what, options in (("with", own), ("without", [])):
            listing = subprocess.run([FOVEA, "inspect", folder / "model.onnx", "--json", *options], check=True,
                                     capture_output=True, text=True).stdout
            blocks[what] = [(block["family"], block["name"]) for block in json.loads(listing)["blocks"]]
        assert blocks == {"with": [("thirds", "neck")], "without": []}, blocks
        command = [FOVEA, "run", folder / "model.onnx", "--input", folder / "in.npz", "--output", folder / "out.npz"]
        subprocess.run([*command, "--probe-output", folder / "probes.npz", "--probes", "all", *own], check=True)
        probes = dict(np.load(folder / "probes.npz"))
        wanted = {"neck.squeeze": squeeze[:, :, None, :], "neck.gate": gate, "neck.strongest": gate.max(axis=1)}
        assert set(probes) == set(wanted), list(probes)
        for key, want in wanted.items():
            np.testing.assert_allclose(probes[key], want, rtol=1e-5, atol=1e-6, err_msg=key)
        np.testing.assert_allclose(np.load(folder / "out.npz")["y"], x * gate[:, :, None, None], rtol=1e-5, atol=1e-6)


if __name__ == "__main__":
    main()
