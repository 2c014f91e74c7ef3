"""Cases of single operators that become one model, so that it is compiled once: each is a node with its inputs, and the
arrays that it is to give. Also models that are to be refused."""
import os
import subprocess

import numpy as np
from onnx import helper, numpy_helper

FOVEA = os.environ["FOVEA"]
TOLERANCE = {np.float32: 2e-6, np.float64: 2e-14, np.float16: 2e-3}  # of the largest result


class Cases:
    """Nodes that become one model of an opset, and of versions of other domains, so that it is compiled once, and what
    each is to give."""

    def __init__(self, opset, domains=()):
        self.opset, self.domains = opset, domains
        self.nodes, self.inputs, self.constants, self.expected, self.types = [], {}, {}, {}, {}

    def add(self, label, op_type, inputs, constants, expected, tolerance, dtype=np.float32, **attributes):
        """inputs and constants: arrays by name, in the order of the operator's inputs; None where one is left out.
        expected may be None, where run() is called in place of check(), or expect_of_runtime() before it. dtype: the
        output's; of several outputs a list, as is expected."""
        output, names = f"output{len(self.nodes)}", []
        for name, value in [*inputs.items(), *constants.items()]:
            names.append("" if value is None else f"{name}{len(self.nodes)}")
            if value is not None:
                (self.inputs if name in inputs else self.constants)[names[-1]] = np.asarray(value)
        dtypes, several = (dtype, expected) if isinstance(dtype, list) else ([dtype], [expected])
        outputs = [output, *(f"{output}_{k}" for k in range(1, len(dtypes)))]
        self.nodes.append(helper.make_node(op_type, names, outputs, output, **attributes))
        for k, name in enumerate(outputs):
            self.types[name] = helper.np_dtype_to_tensor_dtype(np.dtype(dtypes[k]))
            self.expected[name] = label, several and several[k], tolerance

    def model(self, nodes=None):
        nodes = self.nodes if nodes is None else nodes
        made = {name for node in nodes for name in node.output}
        graph = helper.make_graph(
            nodes, "g",
            [helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(a.dtype), a.shape)
             for n, a in self.inputs.items()],
            [helper.make_tensor_value_info(name, dtype, None) for name, dtype in self.types.items() if name in made],
            [numpy_helper.from_array(value, n) for n, value in self.constants.items()])
        opsets = [helper.make_opsetid(*domain) for domain in (("", self.opset), *self.domains)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=10)

    def expect_of_runtime(self):
        """Lets every output without an expected array be what ONNX Runtime computes."""
        import onnxruntime

        nodes = [node for node in self.nodes if self.expected[node.output[0]][1] is None]
        names = [name for node in nodes for name in node.output]
        model = self.model(nodes).SerializeToString()
        session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
        for name, array in zip(names, session.run(names, self.inputs)):
            label, _, tolerance = self.expected[name]
            self.expected[name] = label, array, tolerance

    def run(self, folder, *how):
        (folder / "model.onnx").write_bytes(self.model().SerializeToString())
        np.savez(folder / "in.npz", **self.inputs)
        done = subprocess.run([FOVEA, "run", folder / "model.onnx", "--input", folder / "in.npz", "--output",
                               folder / "out.npz", *how], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return np.load(folder / "out.npz")

    def check(self, folder, ways=([], ["--interpret"])):
        for how in ways:
            outputs = self.run(folder, *how)
            for name, (label, expected, tolerance) in self.expected.items():
                got = outputs[name]
                assert got.shape == expected.shape, f"{label} {how}: shape {got.shape}, expected {expected.shape}"
                largest = np.abs(expected).max(initial=0) or 1
                worst = np.abs(got.astype(np.float64) - expected).max(initial=0) / largest
                assert worst <= tolerance, f"{label} {how}: differs by {worst:.1e} of the largest result"

    def refused(self, folder, status, words):
        """That the model is not compiled, with a status and a message in which these words are."""
        (folder / "model.onnx").write_bytes(self.model().SerializeToString())
        done = subprocess.run([FOVEA, "compile", folder / "model.onnx", "-o", folder / "out"], capture_output=True,
                              text=True)
        assert done.returncode == status and words in done.stderr, (words, done.returncode, done.stderr)
