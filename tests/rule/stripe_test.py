"""--stripe changes no bit of a result where convolutions are direct: random chains of layers over odd sizes, with
strides, pads, dilations, groups, pools, branches and outputs on the way. Attention and probed maps are left whole."""
import os
import re
import subprocess
import sys
import tempfile

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

sys.path.insert(0, os.environ["FOVEA_SOURCE_DIR"] + "/tests/support")
from hostile import Checks, finish
from random_seed import random_seed

FOVEA = os.environ["FOVEA"]
CHAINS = 40
EXACT = ("--winograd", "off", "--strassen", "off", "--fuse", "no-gates")  # with these stripes change no bit: docs/cli.md
seed = random_seed()
random = np.random.default_rng(seed)
checks = Checks()


class Chain:
    """A model that grows by one layer after the other; the maps that were made so far, with their shapes."""

    def __init__(self, type=np.float32):
        self.type = type
        self.nodes, self.constants = [], []
        batch, channels = random.choice([1, 1, 1, 2]), random.integers(1, 20)
        self.maps = [("x", (int(batch), int(channels), int(random.integers(19, 48)), int(random.integers(9, 20))))]

    def constant(self, array):
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(array, name))
        return name

    def weights(self, *shape):
        return self.constant((random.standard_normal(shape) / np.sqrt(np.prod(shape[1:]))).astype(self.type))

    def add(self, op_type, inputs, shape, **attributes):
        name = f"m{len(self.maps)}"
        self.nodes.append(helper.make_node(op_type, inputs, [name], **attributes))
        self.maps.append((name, tuple(int(size) for size in shape)))

    def windows(self, shape, most_kernel=5):
        """Attributes of a window that fits, and the sizes of what it makes."""
        while True:
            kernel, strides = random.integers(1, most_kernel + 1, 2), random.choice([1, 1, 2, 3], 2)
            dilations = random.choice([1, 1, 1, 2], 2)
            pads = np.concatenate([random.integers(0, kernel), random.integers(0, kernel)])
            slack = np.array(shape[2:]) + pads[:2] + pads[2:] - (kernel - 1) * dilations - 1
            sizes = slack // strides + 1
            if (slack >= 0).all() and sizes[0] >= 4:
                return dict(kernel_shape=kernel.tolist(), strides=strides.tolist(), dilations=dilations.tolist(),
                            pads=pads.tolist()), sizes

    def conv(self, name, shape):
        channels = shape[1]
        depthwise = random.random() < 0.4
        outputs = channels if depthwise else int(random.integers(1, 40))
        attributes, sizes = self.windows(shape)
        if random.random() < 0.2:
            del attributes["pads"]
            attributes.update(auto_pad=str(random.choice(["SAME_UPPER", "SAME_LOWER"])), dilations=[1, 1])
            sizes = -(-np.array(shape[2:]) // attributes["strides"])
        weights = self.weights(outputs, 1 if depthwise else channels, *attributes["kernel_shape"])
        self.add("Conv", [name, weights, self.weights(outputs)], (shape[0], outputs, *sizes),
                 group=channels if depthwise else 1, **attributes)

    def pool(self, name, shape):
        kind = str(random.choice(["MaxPool", "AveragePool", "LpPool"]))
        attributes, sizes = self.windows(shape, 3)
        if kind == "AveragePool":
            attributes["count_include_pad"] = int(random.integers(2))
        if random.random() < 0.5 and max(attributes["strides"]) > 1:
            attributes["ceil_mode"] = 1
            sizes = [None, None]  # left to inference
        if attributes["dilations"] != [1, 1] and kind != "MaxPool":
            return
        if None in sizes:
            slack = [shape[d + 2] + attributes["pads"][d] + attributes["pads"][d + 2]
                     - (attributes["kernel_shape"][d] - 1) * attributes["dilations"][d] - 1 for d in (0, 1)]
            sizes = [-(-slack[d] // attributes["strides"][d]) + 1 for d in (0, 1)]
            sizes = [n - ((n - 1) * s >= high + before) for n, s, high, before in
                     zip(sizes, attributes["strides"], shape[2:], attributes["pads"])]
        self.add(kind, [name], (*shape[:2], *sizes), **attributes)

    def pad(self, name, shape):
        pads = [0, 0, *random.integers(0, 3, 2).tolist(), 0, 0, *random.integers(0, 3, 2).tolist()]
        self.add("Pad", [name, self.constant(np.array(pads, np.int64)), self.constant(np.array(0.5, self.type))],
                 [size + pads[d] + pads[d + 4] for d, size in enumerate(shape)])

    def elementwise(self, name, shape):
        self.add(str(random.choice(["Relu", "Tanh", "HardSigmoid", "Neg"])), [name], shape)

    def scale(self, name, shape):
        factors = self.weights(*random.choice([1, shape[1]], 1), 1, 1)
        self.add(str(random.choice(["Mul", "Add", "Max"])), [name, factors], shape)

    def join(self, name, shape):
        alike = [other for other, size in self.maps[-6:] if size == shape]
        self.add("Add", [name, str(random.choice(alike))], shape)

    def concat(self, name, shape):
        other, size = self.maps[int(random.integers(max(0, len(self.maps) - 4), len(self.maps)))]
        if size[2:] == shape[2:] and size[1] + shape[1] < 60:
            self.add("Concat", [name, other], (shape[0], shape[1] + size[1], *shape[2:]), axis=1)

    def grow(self):
        layers = [self.conv, self.conv, self.conv, self.pool, self.pad, self.elementwise, self.scale, self.join,
                  self.concat]
        self.conv(*self.maps[-1])
        while len(self.maps) < 10:
            layers[random.integers(len(layers))](*self.maps[-1])
        return self

    def save(self, path):
        type = helper.np_dtype_to_tensor_dtype(np.dtype(self.type))
        outputs = [self.maps[-1][0]] + ([self.maps[5][0]] if len(self.maps) > 6 and random.random() < 0.3 else [])
        graph = helper.make_graph(self.nodes, "chain", [helper.make_tensor_value_info("x", type, self.maps[0][1])],
                                  [helper.make_tensor_value_info(name, type, None) for name in outputs], self.constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
        onnx.save(model, path)
        return self.maps[0][1]


def fovea(*arguments):
    done = subprocess.run([FOVEA, *arguments], capture_output=True, text=True)
    assert done.returncode == 0, (arguments, done.stderr)
    return done.stdout


def outputs(model, folder, *options):
    fovea("run", model, "-i", f"{folder}/in.npz", "-o", f"{folder}/out.npz", "--interpret", *EXACT, *options)
    return dict(np.load(f"{folder}/out.npz"))


def joined(model, *options):
    """How many maps are made in stripes."""
    return fovea("compile", model, "-o", "unused", "--dump-after=stripe", *options).count("JoinRows")


def workspace(model, *options):
    listing = fovea("compile", model, "-o", "unused", "--dump-after=plan", *options)
    return int(re.match(r"program, (\d+) bytes", listing)[1])


def check_chain(what, chain, folder):
    """Returns how many maps are made in three stripes."""
    model = f"{folder}/chain.onnx"
    shape = chain.save(model)
    np.savez(f"{folder}/in.npz", x=random.standard_normal(shape).astype(chain.type))
    whole = outputs(model, folder)
    for stripes in ("auto", "2", "3", "7"):
        got = outputs(model, folder, "--stripe", stripes)
        same = all(np.array_equal(whole[key], got[key], equal_nan=True) for key in whole)
        checks.check(f"{what} in {stripes} stripes", same)
    return joined(model, "--stripe", "3")


def skipped_pixels():
    """A convolution of one pixel that skips some, and with which auto_pad has nothing to do."""
    chain = Chain()
    chain.maps = [("x", (1, 12, 40, 12))]
    chain.add("Conv", ["x", chain.weights(18, 12, 1, 1), chain.weights(18)], (1, 18, 20, 6), strides=[2, 2],
              auto_pad="SAME_UPPER")
    chain.add("Conv", ["m1", chain.weights(4, 18, 3, 3)], (1, 4, 20, 6), pads=[1, 1, 1, 1])
    return chain


def padded_line():
    """A map of one column, of which stripes see no pads, but the whole does."""
    chain = Chain()
    chain.maps = [("x", (1, 8, 40, 1))]
    chain.add("Conv", ["x", chain.weights(12, 8, 2, 1), chain.weights(12)], (1, 12, 40, 1), pads=[1, 0, 0, 0])
    chain.add("Relu", ["m1"], (1, 12, 40, 1))
    return chain


def layers(folder, name, gate=False):
    """Four layers, of which the second makes the largest map, and before the last perhaps the mean of all rows."""
    chain = Chain()
    chain.maps = [("x", (1, 3, 64, 64))]
    chain.add("Conv", ["x", chain.weights(8, 3, 3, 3)], (1, 8, 32, 32), strides=[2, 2], pads=[1, 1, 1, 1])
    chain.add("Conv", ["m1", chain.weights(48, 8, 1, 1)], (1, 48, 32, 32))
    chain.add("Relu", ["m2"], (1, 48, 32, 32))
    if gate:
        chain.add("GlobalAveragePool", ["m3"], (1, 48, 1, 1))
        chain.add("Mul", ["m3", "m4"], (1, 48, 32, 32))
    last = len(chain.maps) - 1
    chain.add("Conv", [f"m{last}", chain.weights(48, 1, 3, 3)], (1, 48, 16, 16), group=48, strides=[2, 2],
              pads=[1, 1, 1, 1])
    chain.add("Conv", [f"m{last + 1}", chain.weights(8, 48, 1, 1)], (1, 8, 16, 16))
    graph = helper.make_graph(chain.nodes, "layers",
                              [helper.make_tensor_value_info("x", TensorProto.FLOAT, (1, 3, 64, 64))],
                              [helper.make_tensor_value_info(f"m{last + 2}", TensorProto.FLOAT, None)], chain.constants)
    path = f"{folder}/{name}.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


with tempfile.TemporaryDirectory() as folder:
    chains = [Chain(np.float64 if number % 8 == 7 else np.float32).grow() for number in range(CHAINS)]
    cut = sum(check_chain(f"chain {number}", chain, folder) > 0 for number, chain in enumerate(chains))
    check_chain("skipped pixels", skipped_pixels(), folder)
    check_chain("a padded line", padded_line(), folder)
    checks.check("many chains are cut", cut > CHAINS // 3, cut)  # 72 % of them, counted over 400

    plain, gated = layers(folder, "plain"), layers(folder, "gated", gate=True)
    before, after = workspace(plain), workspace(plain, "--stripe", "auto")
    checks.check("a quarter of the workspace is enough", after * 4 < before, (before, after))
    checks.check("off is the default", joined(plain) == 0 and joined(plain, "--stripe", "off") == 0)
    probed = workspace(plain, "--stripe", "4", "--probes", "m3")
    checks.check("a probed map is whole", probed >= 48 * 32 * 32 * 4, probed)
    checks.check("so is a map whose mean is needed", workspace(gated, "--stripe", "auto") >= 48 * 32 * 32 * 4)
    said = fovea("compile", plain, "-o", f"{folder}/out", "--stripe", "auto")
    checks.check("compile says what is gained", f"{after} bytes of workspace in place of {before}" in said, said)
    for word in ("of", "1", "-2", "4x", ""):
        done = subprocess.run([FOVEA, "inspect", plain, "--stripe", word], capture_output=True, text=True)
        checks.check(f"--stripe {word!r} is refused", done.returncode == 2, done.stderr)
finish(checks)
