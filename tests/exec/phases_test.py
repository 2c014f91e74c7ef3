"""Transposed convolutions with strides, pads, dilations and output_padding of all kinds, as plain ones of all their phases:
generated C agrees with ONNX Runtime. Random sizes; the seed is printed, FOVEA_SEED repeats it."""
import os
import pathlib
import random
import sys
import tempfile

sys.path.insert(0, os.environ["FOVEA_SOURCE_DIR"] + "/tests/support")
import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from generated import build, compile_model, run, worst_difference
from hostile import Checks, finish
from random_seed import random_seed

# Kernel, stride and pads as U-Nets, decoders of GANs and heads of key points have them.
COMMON = [(2, 2, 0), (4, 2, 1), (3, 2, 1), (5, 2, 2), (3, 1, 1), (8, 4, 2)]
DRAWN = 10
# Groups, and outputs of each: one group, one of each channel, and what does not have the fast kernels in each case.
FORMS = [lambda channels: (1, chance.randint(8, 40)), lambda channels: (channels, 1), lambda channels: (2, chance.randint(1, 20)),
         lambda channels: (channels, chance.randint(2, 5))]
seed = random_seed()
chance, numbers = random.Random(seed), np.random.default_rng(seed)
checks = Checks()


def weight(name, *shape):
    return numpy_helper.from_array(numbers.standard_normal(shape, dtype=np.float32) / np.float32(np.sqrt(shape[0])), name)


def drawn():
    """Attributes of which the map of 9 x 9 leaves something."""
    kernel, stride = [chance.randint(1, 5), chance.randint(1, 5)], chance.randint(1, 3)
    return dict(kernel_shape=kernel, strides=[stride, chance.choice([stride, stride, chance.randint(1, 3)])],
                dilations=[chance.randint(1, 2), chance.randint(1, 2)], pads=[chance.randint(0, size) for size in kernel * 2],
                output_padding=[chance.randint(0, stride - 1), 0])


def network(path, transposed, forms):
    """A convolution, as many transposed ones of its map, each with a normalisation that folds into it, and an activation."""
    channels, shape = 2 * chance.randint(4, 20), [chance.randint(1, 2), 3, chance.randint(9, 14), chance.randint(9, 14)]
    nodes = [helper.make_node("Conv", ["x", "w"], ["sums"], pads=[1] * 4), helper.make_node("Relu", ["sums"], ["map"])]
    weights, outputs = [weight("w", channels, 3, 3, 3)], []
    for number, attributes in enumerate(transposed):
        height, width = attributes["kernel_shape"]
        groups, each = chance.choice(forms)(channels)
        made = groups * each
        bias = chance.choice([[], [f"b{number}"]])
        nodes += [helper.make_node("ConvTranspose", ["map", f"w{number}"] + bias, [f"t{number}"], group=groups, **attributes),
                  helper.make_node("Mul", [f"t{number}", f"scale{number}"], [f"s{number}"]),
                  helper.make_node("LeakyRelu", [f"s{number}"], [f"y{number}"], alpha=0.1)]
        weights += [weight(f"w{number}", channels, each, height, width), weight(f"scale{number}", made, 1, 1)]
        weights += [weight(name, made) for name in bias]
        outputs.append(helper.make_tensor_value_info(f"y{number}", TensorProto.FLOAT, None))
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)]
    graph = helper.make_graph(nodes, "phases", inputs, outputs, weights)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return shape


def check(what, folder, transposed, forms, options=(), flags=()):
    """Returns whether the kernel for transposed convolutions is in the code."""
    inputs = {"x": numbers.standard_normal(network(folder / "net.onnx", transposed, forms), dtype=np.float32)}
    np.savez(folder / "in.npz", **inputs)
    session = onnxruntime.InferenceSession(folder / "net.onnx")
    names = [output.name for output in session.get_outputs()]
    expected = dict(zip(names, session.run(names, inputs)))
    compile_model(folder / "net.onnx", folder / what, *options)
    for compiler in "gcc", "clang":
        got, _ = run(build(folder / what, compiler, "-O1", *flags), folder / "in.npz", folder / "out.npz")
        difference = worst_difference(expected, got)
        checks.check(f"{what}: {compiler}", difference < 1e-5, f"differs by {difference}")
    return "/* ConvTranspose in" in (folder / what / "model.c").read_text()


with tempfile.TemporaryDirectory() as root:
    here = pathlib.Path(root)
    common = [dict(kernel_shape=[kernel] * 2, strides=[stride] * 2, pads=[pad] * 4) for kernel, stride, pad in COMMON]
    stays = check("common", here, common, FORMS[:2])
    checks.check("common", not stays, "one of them stays a transposed convolution")
    stays = check("small", here, common, FORMS[:2], ("--target", "cortex-m"), ("-DLANES=1",))
    checks.check("small", stays, "the map is there twice, which takes memory")
    check("drawn", here, [drawn() for _ in range(DRAWN)], FORMS)
    # So many phases, and taps, that it would take hours to take it apart.
    node = helper.make_node("ConvTranspose", ["x", "w"], ["y"], strides=[64, 64, 64])
    graph = helper.make_graph([node], "large", [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 1, 2, 2, 2])],
                              [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)], [weight("w", 1, 8, 64, 64, 64)])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), here / "large.onnx")
    compile_model(here / "large.onnx", here / "large")
    checks.check("large", "/* ConvTranspose in" in (here / "large" / "model.c").read_text(), "it is taken apart")
finish(checks)
