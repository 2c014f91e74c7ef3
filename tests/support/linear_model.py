"""A linear layer with an activation and a residual, as tests of its kernels need it."""
import pathlib

import numpy as np
import onnx
from onnx import helper, numpy_helper


def linear_model(random, folder, rows, depth, columns):
    """y = SiLU(x weights + bias) + x2: the model's path, its inputs, and y in double."""
    inputs = {"x": random.standard_normal((rows, depth)), "x2": random.standard_normal((rows, columns))}
    inputs = {name: value.astype(np.float32) for name, value in inputs.items()}
    weights = (random.standard_normal((depth, columns)) * np.sqrt(2 / depth)).astype(np.float32)
    bias = random.standard_normal(columns).astype(np.float32)
    nodes = [helper.make_node("Gemm", ["x", "weights", "bias"], ["sum"]), helper.make_node("Sigmoid", ["sum"], ["gate"]),
             helper.make_node("Mul", ["sum", "gate"], ["z"]), helper.make_node("Add", ["z", "x2"], ["y"])]
    infos = [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, value.shape) for name, value in inputs.items()]
    output = helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, (rows, columns))
    graph = helper.make_graph(nodes, "linear", infos, [output],
                              [numpy_helper.from_array(weights, "weights"), numpy_helper.from_array(bias, "bias")])
    path = pathlib.Path(folder) / "linear.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    total = inputs["x"].astype(np.float64) @ weights.astype(np.float64) + bias
    return path, inputs, total / (1 + np.exp(-total)) + inputs["x2"]
