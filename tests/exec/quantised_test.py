"""Quantised operators and networks against ONNX Runtime, interpreted and compiled.

Integers are equal to the bit, and so are floats made of them; of ONNX Runtime's own operators, which it computes in
ways of its own, at most one step apart. A small convolutional network, quantised by onnxruntime.quantization in both of
its formats, with scales by tensor and by channel, for uint8 and int8, is at most one step of its output from ONNX
Runtime with its optimisations off and on.

Values are random but those of the network, where a sum that is rounded the other way in one layer could, rarely, move
more than that; the seed is printed, and FOVEA_SEED repeats it. Weights have 7 bits where ONNX Runtime multiplies:
on processors without instructions for such products its sums saturate at 16 bits."""
import itertools
import logging
import os
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

sys.path.insert(0, os.environ["FOVEA_SOURCE_DIR"] + "/tests/support")
from random_seed import random_seed

FOVEA = os.environ["FOVEA"]
SEED = random_seed()
rng = np.random.default_rng(SEED)
onnxruntime.set_default_logger_severity(3)
logging.disable(logging.WARNING)  # of onnxruntime.quantization
OFF, ON = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL, onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
MICROSOFT = "com.microsoft"


def floats(*shape, spread=1.0, source=rng):
    return (source.standard_normal(shape) * spread).astype(np.float32)


def some(dtype, *shape, bits=8):
    """Whole numbers of a type, or of so many bits of it."""
    info = np.iinfo(dtype)
    cut = 8 - bits
    return rng.integers(info.min >> cut, (info.max >> cut) + 1, shape).astype(dtype)


def scale(*shape):
    return rng.uniform(0.01, 0.1, shape).astype(np.float32)


def zero(dtype, *shape):
    return (some(dtype, *shape) // 4).astype(dtype)


def tensor_like(name, array):
    return helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape)


class Cases:
    """Nodes of one model, each with inputs and outputs of its own."""

    def __init__(self):
        self.nodes, self.initializers, self.inputs, self.outputs, self.feeds, self.labels = [], [], [], [], {}, {}

    def add(self, op_type, *arrays, constant=False, outputs=1, then=None, domain="", **attributes):
        """arrays: None where an input is left out; with `constant`, all but the first are initializers. then: the scale
        of a DequantizeLinear behind it."""
        number = len(self.nodes)
        arrays = [None if a is None else np.asarray(a) for a in arrays]
        names = [f"x{number}_{i}" if a is not None else "" for i, a in enumerate(arrays)]
        for i, (name, array) in enumerate(zip(names, arrays)):
            if array is None:
                continue
            if constant and i > 0:
                self.initializers.append(numpy_helper.from_array(array, name))
            else:
                self.inputs.append(tensor_like(name, array))
                self.feeds[name] = array
        made = [f"y{number}_{i}" for i in range(outputs)]
        shown = " ".join(f"{a.dtype}{list(a.shape)}" for a in arrays if a is not None)
        self.labels[f"y{number}"] = f"{op_type} {shown} {attributes}"
        self.nodes.append(helper.make_node(op_type, names, made, domain=domain, **attributes))
        if then is not None:
            self.initializers.append(numpy_helper.from_array(np.asarray(then), f"s{number}"))
            more = [names[2]] if len(names) > 2 else []
            kept = {k: v for k, v in attributes.items() if k in ("axis", "block_size")}
            back = [made[0], f"s{number}", *more]
            self.nodes.append(helper.make_node("DequantizeLinear", back, [f"z{number}_0"], **kept))
            self.labels[f"z{number}"] = self.labels[f"y{number}"] + " and back"
            made = [f"z{number}_0"]
        self.outputs += [helper.make_empty_tensor_value_info(name) for name in made]

    def model(self, opset=21):
        graph = helper.make_graph(self.nodes, "cases", self.inputs, self.outputs, self.initializers)
        opsets = [helper.make_opsetid("", opset), helper.make_opsetid(MICROSOFT, 1)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=10)


def expected(model, feeds, level):
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = level
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return dict(zip((o.name for o in session.get_outputs()), session.run(None, feeds)))


def run(model, feeds, folder, *how):
    onnx.save(model, folder / "model.onnx")
    np.savez(folder / "in.npz", **feeds)
    done = subprocess.run([FOVEA, "run", folder / "model.onnx", "--input", folder / "in.npz", "--output",
                           folder / "out.npz", *how], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return dict(np.load(folder / "out.npz"))


def declare(model, results):
    """Gives outputs the types and shapes that they turned out to have."""
    for output in model.graph.output:
        output.CopyFrom(tensor_like(output.name, results[output.name]))


def compare(cases, steps, folder):
    """The number of outputs that are more than so many steps away."""
    model = cases.model()
    want = expected(model, cases.feeds, OFF)
    declare(model, want)
    faults = 0
    for how in ([], ["--interpret"]):
        got = run(model, cases.feeds, folder, *how)
        for name, value in want.items():
            both = value.astype(np.float64), got[name].astype(np.float64)
            if value.shape != got[name].shape or not np.abs(both[0] - both[1]).max(initial=0) <= steps:
                faults += 1
                print(f"{how} {cases.labels[name.split('_')[0]]}: differs by {np.abs(both[0] - both[1]).max()}")
    print(f"{len(want)} outputs, {faults} faults")
    return faults


def elementwise():
    cases = Cases()
    x, shape = floats(3, 5, 4, 7, spread=6), (3, 5, 4, 7)
    ties = (np.arange(-300, 300, dtype=np.float32) + 0.5) / 4  # of a scale that is a power of two
    extremes = np.array([np.inf, -np.inf, 1e30, -1e30, 0.0, -0.0], np.float32)
    for dtype in (np.uint8, np.int8, np.uint16, np.int16):
        for constant in (False, True):
            cases.add("QuantizeLinear", x, scale(), zero(dtype), constant=constant)
            cases.add("QuantizeLinear", x, scale(5), zero(dtype, 5), constant=constant)
        cases.add("QuantizeLinear", ties, np.float32(0.25).reshape(()), zero(dtype))
        cases.add("QuantizeLinear", extremes, scale(), zero(dtype))
        cases.add("QuantizeLinear", x, scale(7), zero(dtype, 7), axis=-1, then=scale(7))
        cases.add("QuantizeLinear", x, scale(3, 5, 2, 7), zero(dtype, 3, 5, 2, 7), axis=2, block_size=2)
        blocks = (3, 5, 4, 3)
        cases.add("QuantizeLinear", x, scale(*blocks), zero(dtype, *blocks), axis=3, block_size=3, then=scale(*blocks))
        cases.add("QuantizeLinear", x, scale(), zero(dtype), then=scale())
        cases.add("DequantizeLinear", some(dtype, *shape), scale(), zero(dtype))
        cases.add("DequantizeLinear", some(dtype, *shape), scale(4), zero(dtype, 4), axis=2)
        blocks = (3, 2, 4, 7)
        cases.add("DequantizeLinear", some(dtype, *shape), scale(*blocks), zero(dtype, *blocks), axis=1, block_size=3)
    cases.add("QuantizeLinear", x, scale())
    cases.add("QuantizeLinear", x, scale(), output_dtype=TensorProto.INT16)
    for kind in (TensorProto.INT4, TensorProto.UINT4):
        cases.add("QuantizeLinear", x, scale(), output_dtype=kind, then=scale())
    cases.add("DequantizeLinear", rng.integers(-1 << 30, 1 << 30, (6, 3)).astype(np.int32), scale(3))
    cases.add("DequantizeLinear", some(np.int8, 6), scale(1), zero(np.int8, 1))
    cases.add("DynamicQuantizeLinear", x, outputs=3)
    cases.add("DynamicQuantizeLinear", np.abs(x), outputs=3)
    cases.add("DynamicQuantizeLinear", -np.abs(x) - 1, outputs=3)
    return cases


def products():
    cases = Cases()
    signs = [(np.uint8, np.int8), (np.uint8, np.uint8), (np.int8, np.int8)]
    for a, b in signs:
        bits = 7 if b == np.int8 else 8
        shapes = ((5, 19), (19, 33)), ((1, 300), (300, 70)), ((2, 3, 6, 8), (8, 17)), ((2, 3, 4, 8), (3, 8, 5))
        for left, right in shapes if a != b else shapes[:2]:
            cases.add("MatMulInteger", some(a, *left), some(b, *right, bits=bits), zero(a), zero(b))
            cases.add("QLinearMatMul", some(a, *left), scale(), zero(a), some(b, *right, bits=bits), scale(), zero(b),
                      scale() * 40, zero(a))
        cases.add("MatMulInteger", some(a, 4, 9), some(b, 9, 18, bits=bits), zero(a), zero(b, 18))
        cases.add("QLinearMatMul", some(a, 4, 9), scale(), zero(a), some(b, 9, 18, bits=bits), scale(18), zero(b, 18),
                  scale() * 20, zero(a))
        cases.add("MatMulInteger", some(a, 4, 9), some(b, 9, 2, bits=bits))
    return cases


def convolutions():
    cases = Cases()
    for a, b in ((np.uint8, np.int8), (np.uint8, np.uint8), (np.int8, np.int8)):
        bits = 7 if b == np.int8 else 8

        def add(x, w, channels=False, bias=True, **attributes):
            count = (w[0],) if channels else ()
            weights_zero = np.zeros(count, b) if b == np.int8 or channels else zero(b)
            shift = rng.integers(-9999, 9999, w[0]).astype(np.int32) if bias else None
            cases.add("QLinearConv", some(a, *x), scale(), zero(a), some(b, *w, bits=bits), scale(*count), weights_zero,
                      scale() * 30, zero(a), shift, **attributes)

        add((2, 3, 9, 8), (5, 3, 3, 3), pads=[1, 1, 1, 1])
        add((1, 3, 9, 8), (6, 3, 3, 2), channels=True, strides=[2, 1], dilations=[1, 2])
        add((1, 6, 9, 8), (6, 1, 3, 3), channels=True, group=6, pads=[0, 1, 2, 0])
        if a == b:
            continue
        add((1, 6, 5, 5), (9, 2, 1, 1), group=3, bias=False)
        add((1, 40, 3, 3), (7, 40, 3, 3), auto_pad="SAME_UPPER")
        add((2, 3, 21), (4, 3, 5), pads=[2, 1])
        add((1, 2, 4, 5, 6), (3, 2, 2, 3, 2), pads=[1, 0, 1, 0, 1, 0])
    cases.add("ConvInteger", some(np.uint8, 1, 3, 7, 6), some(np.uint8, 4, 3, 3, 3), zero(np.uint8), zero(np.uint8),
              pads=[1, 1, 0, 0])
    return cases


def microsoft():
    cases = Cases()

    def add(op_type, *arrays, **attributes):
        cases.add(op_type, *arrays, domain=MICROSOFT, **attributes)

    for t in (np.uint8, np.int8):
        x, one = some(t, 2, 4, 6, 5), (scale(), zero(t))
        result = (scale() * 2, zero(t))
        add("QLinearAdd", x, *one, some(t, 2, 4, 6, 5), *one, *result)
        add("QLinearAdd", x, *one, some(t, 5), *one, *result)
        add("QLinearMul", x, *one, some(t, 4, 1, 1), *one, *result)
        add("QLinearSigmoid", x, *one, np.float32(1 / 256).reshape(()), zero(t))
        add("QLinearLeakyRelu", x, *one, *result, alpha=0.1)
        add("QLinearAveragePool", x, *one, *result, kernel_shape=[3, 2], strides=[2, 1], pads=[1, 0, 1, 1])
        add("QLinearGlobalAveragePool", x, *one, *result)
        add("QLinearConcat", *result, x, *one, some(t, 2, 3, 6, 5), *one, axis=1)
        add("QLinearSoftmax", x, *one, np.float32(1 / 256).reshape(()), np.zeros((), t), axis=-1, opset=13)
        add("QLinearSoftmax", some(t, 3, 4), *one, np.float32(1 / 256).reshape(()), np.zeros((), t), axis=1, opset=11)
        add("QuantizeLinear", floats(3, 4, 5, spread=5), scale(4), zero(t, 4), axis=1)
        add("DequantizeLinear", some(t, 3, 4, 5), scale(), zero(t))
        for c, y in ((None, result), (rng.integers(-999, 999, 6).astype(np.int32), (scale() * 20, zero(t)))):
            add("QGemm", some(t, 3, 7), *one, some(t, 6, 7, bits=7), scale(6), np.full(6, t == np.uint8, t), c, *y,
                transB=1, alpha=0.5)
        row = rng.integers(-999, 999, (1, 6)).astype(np.int32)
        add("QGemm", some(t, 7, 3), *one, some(t, 7, 6, bits=7), *one, row, transA=1)
    for t in (np.uint8, np.int8):
        add("DynamicQuantizeMatMul", floats(3, 5), some(t, 5, 6, bits=7), scale(), zero(t), floats(6))
        add("MatMulIntegerToFloat", some(np.uint8, 3, 5), some(t, 5, 6, bits=7), scale(), scale(6), zero(np.uint8),
            zero(t, 6), floats(6))
    return cases


def extremes(folder):
    """Sums that need more than 24 bits, and one that needs all 32, as they are."""
    faults = 0
    for rows in (1, 5):
        a, b = np.full((rows, 33000), 255, np.uint8), np.full((33000, 3), 255, np.uint8)
        b[:, 1] = 0
        b[::2, 2] = 3
        cases = Cases()
        cases.add("MatMulInteger", a, b)
        model, want = cases.model(), {"y0_0": a.astype(np.int32) @ b.astype(np.int32)}
        declare(model, want)
        faults += not np.array_equal(run(model, cases.feeds, folder)["y0_0"], want["y0_0"])
    print(f"extremes: {faults} faults")
    return faults


def network(source):
    """A convolution, an inverted residual with a gate, and a classifier."""
    nodes, weights = [], {}

    def weight(name, *shape):
        weights[name] = floats(*shape, spread=1 / np.sqrt(np.prod(shape[1:])) if len(shape) > 1 else 0.1, source=source)
        return name

    def add(op_type, inputs, output, **attributes):
        nodes.append(helper.make_node(op_type, inputs, [output], output, **attributes))
        return output

    def conv(x, name, shape, **attributes):
        return add("Conv", [x, weight(f"{name}.w", *shape), weight(f"{name}.b", shape[0])], name, **attributes)

    first = add("HardSwish", [conv("image", "first", (8, 3, 3, 3), strides=[2, 2], pads=[1] * 4)], "act0")
    wide = add("Relu", [conv(first, "expand", (24, 8, 1, 1))], "act1")
    deep = add("Relu", [conv(wide, "depthwise", (24, 1, 3, 3), group=24, pads=[1] * 4)], "act2")
    pooled = add("GlobalAveragePool", [deep], "pooled")
    squeezed = add("Relu", [conv(pooled, "squeeze", (6, 24, 1, 1))], "act3")
    gate = add("HardSigmoid", [conv(squeezed, "excite", (24, 6, 1, 1))], "gate")
    gated = add("Mul", [deep, gate], "gated")
    whole = add("Add", [conv(gated, "project", (8, 24, 1, 1)), first], "sum")
    smooth = add("AveragePool", [whole], "smooth", kernel_shape=[3, 3], pads=[1] * 4)
    both = add("Concat", [whole, smooth], "both", axis=1)
    small = add("MaxPool", [both], "small", kernel_shape=[2, 2], strides=[2, 2])
    flat = add("Flatten", [add("Sigmoid", [small], "act4")], "flat")
    add("Gemm", [flat, weight("classes.w", 10, 16 * 36), weight("classes.b", 10)], "classes", transB=1)
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, 24, 24])
    graph = helper.make_graph(nodes, "network", [image],
                              [helper.make_tensor_value_info("classes", TensorProto.FLOAT, [1, 10])],
                              [numpy_helper.from_array(a, n) for n, a in weights.items()])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


class Calibration(CalibrationDataReader):
    def __init__(self, source):
        self.left, self.source = 8, source

    def get_next(self):
        self.left -= 1
        return None if self.left < 0 else {"image": floats(1, 3, 24, 24, source=self.source)}


def holds_bytes(model, folder):
    """Whether generated code has integers of 8 bits."""
    done = subprocess.run([FOVEA, "compile", model, "-o", folder / "c", "--name", "quantised"], capture_output=True)
    return done.returncode != 0 or "int8_t" in (folder / "c" / "quantised.c").read_text()


def networks(folder):
    faults, source = 0, np.random.default_rng(1)
    onnx.save(network(source), folder / "float.onnx")
    kinds = ((QuantType.QUInt8, True), (QuantType.QInt8, False))
    for layout, (activation, by_channel) in itertools.product(QuantFormat, kinds):
        quantize_static(folder / "float.onnx", folder / "quantised.onnx", Calibration(source), quant_format=layout,
                        activation_type=activation, weight_type=QuantType.QInt8, per_channel=by_channel,
                        reduce_range=True)
        model = onnx.load(folder / "quantised.onnx")
        numbers = {i.name: numpy_helper.to_array(i) for i in model.graph.initializer}
        last = next(n for n in model.graph.node if "classes" in n.output)
        step = float(numbers[last.input[1]])
        feeds = {"image": floats(1, 3, 24, 24, source=source)}
        got = run(model, feeds, folder)["classes"]
        if holds_bytes(folder / "quantised.onnx", folder) != (layout == QuantFormat.QOperator):
            faults += 1
            print(f"{layout.name}: floats are computed as bytes, or bytes as floats")
        for level in (OFF, ON):
            want = expected(model, feeds, level)["classes"]
            steps = np.abs(want - got).max() / step
            print(f"{layout.name} {activation.name} {'by channel' if by_channel else 'by tensor'}, optimisations "
                  f"{'off' if level == OFF else 'on'}: {steps:.2f} of {np.ptp(want) / step:.0f} steps")
            faults += not (steps <= 1.01 and np.ptp(want) / step > 20)
    return faults


REFUSED = [  # words, status, and a node
    ("expected [4]", 1, ("QuantizeLinear", floats(3, 4), scale(5))),
    ("expected [3,2]", 1, ("DequantizeLinear", some(np.int8, 3, 4), scale(3, 4), None, dict(block_size=2))),
    ("axis", 1, ("QuantizeLinear", floats(3, 4), scale(4), None, dict(axis=2))),
    ("block_size is -1", 1, ("QuantizeLinear", floats(3, 4), scale(3, 4), None, dict(block_size=-1))),
    ("output_dtype=1", 1, ("QuantizeLinear", floats(3, 4), scale(), None, dict(output_dtype=1))),
    ("one for each column", 3, ("MatMulInteger", some(np.int8, 3, 4), some(np.int8, 4, 5), None, some(np.int8, 3))),
    ("inner dimension", 1, ("MatMulInteger", some(np.int8, 3, 4), some(np.int8, 5, 4))),
    ("channels", 1, ("ConvInteger", some(np.int8, 1, 3, 4, 4), some(np.int8, 1, 2, 1, 1))),
]


def refused(folder):
    faults = 0
    for words, status, (op_type, *arrays) in REFUSED:
        attributes = arrays.pop() if isinstance(arrays[-1], dict) else {}
        cases = Cases()
        cases.add(op_type, *arrays, **attributes)
        model = cases.model()
        model.graph.output[0].CopyFrom(helper.make_tensor_value_info("y0_0", TensorProto.UINT8, None))
        onnx.save(model, folder / "model.onnx")
        done = subprocess.run([FOVEA, "compile", folder / "model.onnx", "-o", folder / "out"],
                              capture_output=True, text=True)
        if done.returncode != status or words not in done.stderr:
            faults += 1
            print(f"{op_type}: status {done.returncode} and {done.stderr!r}, expected {status} and {words!r}")
    return faults


def main():
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        faults = sum(compare(cases(), 0, folder) for cases in (elementwise, products, convolutions))
        faults += compare(microsoft(), 1, folder)
        faults += extremes(folder) + networks(folder) + refused(folder)
    return faults != 0


sys.exit(main())
