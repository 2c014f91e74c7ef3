"""Random graphs with attention in them, and with what only looks like attention: generated C, with and without fusion and
probes, and the interpreter agree with ONNX Runtime. The seed is printed; FOVEA_TEST_SEED and _GRAPHS repeat or extend it."""
import json
import os
import random
import subprocess
import sys

sys.path.insert(0, os.environ["FOVEA_SOURCE_DIR"] + "/tests/support")
import numpy as np
import onnxruntime
from generated import build
from generated import run as run_testbench
from hostile import FOVEA, Checks, finish, model, node, tensor

KNOWN = [687881469]  # a map that is read before the loop that its block's result goes into
GRAPHS = int(os.environ.get("FOVEA_TEST_GRAPHS", 50))
TOLERANCE = 2e-4  # of the range of an output: float32, sums in different orders


NEAR_MISSES = ("axis", "after", "scaled", "sigmoid", "unturned", "other values")


class Maker:
    """Grows a graph: known values with their shapes, from which each step takes and to which it adds."""

    def __init__(self, seed):
        self.chance = random.Random(seed)
        self.rng = np.random.default_rng(seed)
        self.nodes, self.initializers, self.values, self.used = [], [], {}, set()
        self.inputs = []
        for i in range(self.chance.choice([1, 2])):
            shape = self.chance.choice([(1, 4, 6, 6), (2, 4, 5, 7), (2, 6, 8), (1, 9, 8), (4, 8), (3, 5)])
            self.inputs.append((f"x{i}", list(shape)))
            self.values[f"x{i}"] = shape

    def constant(self, array):
        name = f"c{len(self.initializers)}"
        self.initializers.append(tensor(name, array))
        return name

    def weight(self, *shape, spread=None):
        size = spread if spread is not None else 1 / np.sqrt(max(1, np.prod(shape[1:])))
        return self.constant((self.rng.standard_normal(shape) * size).astype(np.float32))

    def ints(self, *values):
        return self.constant(np.array(values, np.int64))

    def add(self, op_type, inputs, shape, **attributes):
        name = f"v{len(self.nodes)}"
        self.nodes.append(node(op_type, " ".join(inputs), name, f"/{op_type.lower()}_{len(self.nodes)}/{op_type}", **attributes))
        self.used.update(inputs)
        self.values[name] = tuple(int(s) for s in shape)
        return name

    def pick(self, fits=lambda shape: True):
        """A value whose shape fits, rather a late one; None where there is none."""
        names = [n for n, shape in self.values.items() if fits(shape) and np.prod(shape) <= 1 << 13]
        return self.chance.choice(names[-6:]) if names else None

    # Each step adds a few nodes, or nothing where no value fits.

    def elementwise(self):
        x = self.pick()
        op_type = self.chance.choice(["Relu", "Tanh", "Sigmoid", "HardSigmoid", "HardSwish", "LeakyRelu", "Abs", "Neg", "Softplus", "Erf", "Elu"])
        self.add(op_type, [x], self.values[x])

    def clip(self):
        x = self.pick()
        self.add("Clip", [x, self.constant(np.float32(-0.5)), self.constant(np.float32(0.75))], self.values[x])

    def binary(self):
        x = self.pick()
        shape = self.values[x]
        same = self.pick(lambda s: s == shape)
        narrow = tuple(self.chance.choice([1, d]) for d in shape[self.chance.randrange(len(shape)):])
        other = self.chance.choice([same, self.weight(*narrow, spread=1.0)])
        pair = [x, other]
        self.chance.shuffle(pair)
        self.add(self.chance.choice(["Add", "Mul", "Sub", "Max", "Min"]), pair, shape)

    def choose(self):
        x = self.pick()
        shape = self.values[x]
        mask = self.constant(self.rng.integers(0, 2, shape).astype(bool))
        self.add("Where", [mask, x, self.pick(lambda s: s == shape)], shape)

    def dense(self):
        x = self.pick(lambda s: len(s) >= 2)
        shape, width = self.values[x], self.chance.choice([1, 3, 8, 16, 17])
        y = self.add("MatMul", [x, self.weight(shape[-1], width)], shape[:-1] + (width,))
        if self.chance.random() < 0.6:
            self.add("Add", [y, self.weight(width, spread=1.0)], shape[:-1] + (width,))

    def gemm(self):
        x = self.pick(lambda s: len(s) == 2)
        if x is None:
            return
        rows, depth = self.values[x]
        width, transposed = self.chance.choice([1, 5, 16]), self.chance.choice([0, 1])
        w = self.weight(*((width, depth) if transposed else (depth, width)))
        self.add("Gemm", [x, w, self.weight(width)], (rows, width), transB=transposed, alpha=self.chance.choice([1.0, 0.5]))

    def convolution(self):
        x = self.pick(lambda s: len(s) == 4 and min(s[2:]) >= 3)
        if x is None:
            return
        n, c, h, w = self.values[x]
        groups, kernel, stride, pad = self.chance.choice([1, 1, c]), self.chance.choice([1, 3]), self.chance.choice([1, 1, 2]), self.chance.choice([0, 1])
        k = c * self.chance.choice([1, 2]) if groups > 1 else self.chance.choice([1, 4, 6, 16])
        size = lambda d: (d + 2 * pad - kernel) // stride + 1
        y = self.add("Conv", [x, self.weight(k, c // groups, kernel, kernel), self.weight(k)], (n, k, size(h), size(w)), group=groups,
                     kernel_shape=[kernel] * 2, strides=[stride] * 2, pads=[pad] * 4)
        if self.chance.random() < 0.5:
            shift = lambda: self.constant(self.rng.standard_normal(k).astype(np.float32))
            variance = self.constant((self.rng.random(k) + 0.5).astype(np.float32))
            self.add("BatchNormalization", [y, shift(), shift(), shift(), variance], self.values[y])

    def pool(self):
        x = self.pick(lambda s: len(s) == 4 and min(s[2:]) >= 2)
        if x is None:
            return
        n, c, h, w = self.values[x]
        kind = self.chance.choice(["MaxPool", "AveragePool", "GlobalAveragePool", "GlobalMaxPool"])
        if kind.startswith("Global"):
            self.add(kind, [x], (n, c, 1, 1))
        else:
            self.add(kind, [x], (n, c, h - 1, w - 1), kernel_shape=[2, 2])

    def softmax(self):
        x = self.pick()
        self.add("Softmax", [x], self.values[x], axis=self.chance.randrange(-len(self.values[x]), len(self.values[x])))

    def norm(self):
        x = self.pick(lambda s: s[-1] > 1)
        if x is None:
            return
        width = self.values[x][-1]
        self.add("LayerNormalization", [x, self.weight(width, spread=1.0), self.weight(width, spread=1.0)], self.values[x], axis=-1, epsilon=1e-3)

    def reduce(self):
        x = self.pick()
        shape = self.values[x]
        axis, keep = self.chance.randrange(len(shape)), self.chance.choice([0, 1])
        left = tuple(1 if i == axis else d for i, d in enumerate(shape) if keep or i != axis)
        if left:
            self.add(self.chance.choice(["ReduceMean", "ReduceMax", "ReduceMin", "ReduceL2"]), [x], left, axes=[axis], keepdims=keep)

    def move(self):
        x = self.pick()
        shape = self.values[x]
        how, axis = self.chance.randrange(8), self.chance.randrange(len(shape))
        if how == 0:
            perm = self.chance.sample(range(len(shape)), len(shape))
            self.add("Transpose", [x], [shape[p] for p in perm], perm=perm)
        elif how == 1:
            self.add("Reshape", [x, self.ints(shape[0], -1)], (shape[0], int(np.prod(shape[1:]))))
        elif how == 2:
            other = self.pick(lambda s: s == shape)
            self.add("Concat", [x, other], [2 * d if i == axis else d for i, d in enumerate(shape)], axis=axis)
        elif how == 3 and shape[axis] > 1:
            self.add("Slice", [x, self.ints(1), self.ints(1 << 40), self.ints(axis)], [d - 1 if i == axis else d for i, d in enumerate(shape)])
        elif how == 4:
            rows = self.constant(self.rng.integers(-shape[axis], shape[axis], 3))
            self.add("Gather", [x, rows], [3 if i == axis else d for i, d in enumerate(shape)], axis=axis)
        elif how == 5 and len(shape) < 5:
            self.add("Unsqueeze", [x, self.ints(axis)], shape[:axis] + (1,) + shape[axis:])
        elif how == 6:
            pads = [self.chance.choice([0, 1]) for _ in range(2 * len(shape))]
            self.add("Pad", [x, self.ints(*pads)], [d + a + b for d, a, b in zip(shape, pads, pads[len(shape):])])
        elif how == 7 and len(shape) < 5:
            self.add("Expand", [x, self.ints(2, *shape)], (2,) + shape)

    def gate(self):
        """Squeeze and excitation, or the same on another map of that shape."""
        x = self.pick(lambda s: len(s) == 4 and s[1] > 1)
        if x is None:
            return
        n, c, h, w = shape = self.values[x]
        y = self.add("GlobalAveragePool", [x], (n, c, 1, 1))
        y = self.add("Conv", [y, self.weight(2, c, 1, 1), self.weight(2)], (n, 2, 1, 1))
        y = self.add("Relu", [y], (n, 2, 1, 1))
        y = self.add("Conv", [y, self.weight(c, 2, 1, 1), self.weight(c)], (n, c, 1, 1))
        y = self.add("Sigmoid", [y], (n, c, 1, 1))
        self.add("Mul", [self.chance.choice([x, self.pick(lambda s: s == shape)]), y], shape)

    def attention(self, misses=(None,) * 6 + NEAR_MISSES):
        """Attention of one or more heads, or something that is nearly that."""
        x = self.pick(lambda s: len(s) == 3 and s[2] % 4 == 0)
        if x is None:
            return
        n, length, width = self.values[x]
        miss = self.chance.choice(misses)
        heads = 1 if miss == "unturned" else self.chance.choice([1, 2])
        if miss == "unturned" and length != width:
            return
        split = {}
        for part in "qkv":
            y = self.add("MatMul", [x, self.weight(width, width)], (n, length, width))
            y = self.add("Reshape", [y, self.ints(n, length, heads, width // heads)], (n, length, heads, width // heads))
            perm = [0, 2, 3, 1] if part == "k" and miss != "unturned" else [0, 2, 1, 3]
            split[part] = self.add("Transpose", [y], [self.values[y][p] for p in perm], perm=perm)
        square = (n, heads, length, length)
        scores = self.add("MatMul", [split["q"], split["k"]], square)
        if self.chance.random() < 0.8:
            scores = self.add(self.chance.choice(["Mul", "Div"]), [scores, self.constant(np.float32(1.5))], square)
        if self.chance.random() < 0.4:
            scores = self.add("Add", [scores, self.constant(np.triu(np.full((length, length), -1e4, np.float32), 1))], square)
        probs = self.add("Sigmoid", [scores], square) if miss == "sigmoid" else self.add("Softmax", [scores], square, axis=2 if miss == "axis" else -1)
        if miss == "after":
            probs = self.add("Add", [probs, self.weight(length, length)], square)
        if miss == "scaled":
            probs = self.add("Mul", [probs, self.constant(np.float32(0.3))], square)
        if miss == "other values":
            probs = self.add("Transpose", [probs], square, perm=[0, 1, 3, 2])
        y = self.add("MatMul", [probs, split["v"]], (n, heads, length, width // heads))
        if miss is None and self.chance.random() < 0.2:
            self.add("ReduceMax", [probs], square[:3], axes=[3], keepdims=0)
        y = self.add("Transpose", [y], (n, length, heads, width // heads), perm=[0, 2, 1, 3])
        self.add("Reshape", [y, self.ints(n, length, width)], (n, length, width))

    def finish(self):
        steps = [self.elementwise, self.elementwise, self.clip, self.binary, self.binary, self.choose, self.dense, self.gemm, self.convolution, self.pool,
                 self.softmax, self.norm, self.reduce, self.move, self.move, self.gate, self.attention, self.attention]
        for _ in range(self.chance.randrange(3, 16)):
            self.chance.choice(steps)()
        ends = [n for n in self.values if n.startswith("v") and n not in self.used]
        inner = [n for n in self.values if n.startswith("v") and n in self.used]
        ends += self.chance.sample(inner, min(len(inner), self.chance.choice([0, 0, 1])))
        given = model(self.nodes, inputs=self.inputs, outputs=[(n, None) for n in ends], initializers=self.initializers)
        feeds = {n: self.rng.standard_normal(s).astype(np.float32) for n, s in self.inputs}
        return given, feeds


def agrees(expected, got):
    """The largest difference as a share of the range; infinite where shapes differ."""
    if expected.shape != got.shape:
        return np.inf
    if expected.size == 0:
        return 0.0
    spread = max(float(np.ptp(expected)), float(np.abs(expected).max()), 1e-3)
    return float(np.abs(expected - got).max()) / spread


def check_graph(checks, seed):
    given, feeds = Maker(seed).finish()
    if not given.graph.output:
        return
    what = f"graph {seed} ({len(given.graph.node)} nodes)"
    session_options = onnxruntime.SessionOptions()
    session_options.log_severity_level = 3
    session_options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(given.SerializeToString(), session_options, providers=["CPUExecutionProvider"])
    keys = [o.name for o in given.graph.output]
    expected = dict(zip(keys, session.run(None, feeds)))
    folder = checks.accepted(what, given)
    if folder is None:
        return
    np.savez(folder / "in.npz", **feeds)
    found = {}
    binary = build(folder, "cc", "-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
    found["C"], _ = run_testbench(binary, folder / "in.npz", folder / "out.npz")
    found["C with probes"], _ = run_testbench(binary, folder / "in.npz", folder / "out.npz", folder / "maps.npz")
    for way, options in {"interpreted": [], "interpreted, nothing fused": ["--fuse", "none"], "interpreted, all probes": ["--probes", "all"]}.items():
        done = subprocess.run([FOVEA, "run", checks.path / "bad.onnx", "--interpret", "--input", folder / "in.npz", "--output", folder / "out.npz",
                               "--probe-output", folder / "maps.npz", *options], capture_output=True, text=True)
        if checks.check(f"{what}, {way}", done.returncode == 0, done.stderr):
            found[way] = dict(np.load(folder / "out.npz"))
    for way, arrays in found.items():
        for key in keys:
            worst = agrees(expected[key], arrays[key])
            checks.check(f"{what}, {way}: {key}", worst <= TOLERANCE, f"{worst:.1e} of the range")
    checks.check(f"{what}: probes change nothing", all(np.array_equal(found["C"][k], found["C with probes"][k], equal_nan=True) for k in keys), "they do")


def attention_blocks(path):
    described = json.loads(subprocess.run([FOVEA, "inspect", "--json", path], check=True, capture_output=True).stdout)
    return [block["name"] for block in described["blocks"] if block["family"] == "attention"]


def test_near_misses(checks, seed):
    """They are no attention, and a reason is given where one is near; attention is found, whatever its keys are."""
    for miss in (None,) + NEAR_MISSES:
        maker = Maker(seed)
        maker.inputs, maker.values = [("x0", [2, 8, 8])], {"x0": (2, 8, 8)}
        while "MatMul" not in {n.op_type for n in maker.nodes}:
            maker.attention((miss,))
        path, _ = checks.place(model(maker.nodes, inputs=maker.inputs, outputs=[(maker.nodes[-1].output[0], None)], initializers=maker.initializers))
        checks.check(f"near miss {miss}", len(attention_blocks(path)) == (miss in (None, "unturned")), attention_blocks(path))
        why = subprocess.run([FOVEA, "inspect", "--why", "attention", path], check=True, capture_output=True, text=True)
        checks.check(f"near miss {miss}", miss != "axis" or "expected Softmax{axis=-1}" in why.stdout, why.stdout)


def main():
    seed = int(os.environ.get("FOVEA_TEST_SEED", random.randrange(1 << 30)))
    print(f"FOVEA_TEST_SEED={seed}, {GRAPHS} graphs from there on")
    checks = Checks()
    test_near_misses(checks, seed)
    for known in KNOWN:
        check_graph(checks, known)
    for i in range(GRAPHS):
        check_graph(checks, seed + i)
    finish(checks)


main()
