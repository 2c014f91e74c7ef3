"""Random graphs over a batch of any size: each is either refused, by the node that mixes samples, or gives for several
samples what ONNX Runtime gives. Sizes are chosen so that others are as large as the batch. The seed is printed;
FOVEA_SEED repeats it, and FOVEA_TEST_GRAPHS says how many graphs there are."""
import os
import random
import sys

sys.path.insert(0, os.environ["FOVEA_SOURCE_DIR"] + "/tests/support")
import numpy as np
import onnxruntime
from hostile import INVALID, UNSUPPORTED, Checks, encoded, finish, fovea, model, node, tensor
from random_seed import random_seed

onnxruntime.set_default_logger_severity(3)
SEED = random_seed()
GRAPHS = int(os.environ.get("FOVEA_TEST_GRAPHS", 150))
COUNT = 3  # samples


class Maker:
    """A chain of nodes, some of which join values from further up. Shapes are those of COUNT samples."""

    def __init__(self, chance):
        self.chance, self.nodes, self.constants = chance, [], []
        self.shape = [COUNT, *(chance.choice([2, COUNT, 4]) for _ in range(chance.choice([1, 2, 3])))]
        self.values = [("x", tuple(self.shape))]
        for _ in range(chance.randrange(2, 7)):
            x, shape = self.values[-1]
            getattr(self, chance.choice(["unary", "transpose", "reshape", "softmax", "reduce", "join", "product", "cut", "pick",
                                         "repeat", "mixed"]))(x, shape)

    def constant(self, array):
        self.constants.append(tensor(f"c{len(self.constants)}", array))
        return self.constants[-1].name

    def add(self, op_type, inputs, shape, **attributes):
        self.nodes.append(node(op_type, inputs, f"v{len(self.nodes)}", f"n{len(self.nodes)}", **attributes))
        self.values.append((f"v{len(self.nodes) - 1}", tuple(shape)))

    def unary(self, x, shape):
        self.add(self.chance.choice(["Tanh", "Sigmoid", "Neg"]), x, shape)

    def transpose(self, x, shape):
        perm = self.chance.sample(range(len(shape)), len(shape))
        self.add("Transpose", x, [shape[p] for p in perm], perm=perm)

    def reshape(self, x, shape):
        """Two neighbours become one, or one becomes two; which is told by -1 elsewhere."""
        at = self.chance.randrange(len(shape))
        if at + 1 < len(shape) and self.chance.random() < 0.6:
            made = [*shape[:at], shape[at] * shape[at + 1], *shape[at + 2:]]
        elif shape[at] % 2 == 0 and len(shape) < 5:
            made = [*shape[:at], 2, shape[at] // 2, *shape[at + 1:]]
        else:
            return
        told = list(made)
        told[self.chance.randrange(len(told))] = -1
        self.add("Reshape", f"{x} {self.constant(np.array(told, np.int64))}", made)

    def softmax(self, x, shape):
        self.add("Softmax", x, shape, axis=self.chance.randrange(len(shape)))

    def reduce(self, x, shape):
        axis, kept = self.chance.randrange(len(shape)), self.chance.randrange(2)
        made = [1 if d == axis else s for d, s in enumerate(shape) if kept or d != axis]
        if made:
            self.add("ReduceMean", x, made, axes=[axis], keepdims=kept)

    def join(self, x, shape):
        """With another value that broadcasts, or one of the same shape behind it."""
        others = [(v, s) for v, s in self.values if len(s) <= len(shape) and
                  all(a == b or 1 in (a, b) for a, b in zip(s[::-1], shape[::-1]))]
        other, its = self.chance.choice(others)
        if its == shape and self.chance.random() < 0.5:
            axis = self.chance.randrange(len(shape))
            self.add("Concat", f"{x} {other}", [2 * s if d == axis else s for d, s in enumerate(shape)], axis=axis)
        else:
            self.add(self.chance.choice(["Add", "Mul"]), f"{x} {other}", np.broadcast_shapes(shape, its))

    def product(self, x, shape):
        if len(shape) < 2:
            return
        others = [(v, s) for v, s in self.values if len(s) == len(shape) and s[:-2] == shape[:-2] and s[-2] == shape[-1]]
        if others and self.chance.random() < 0.5:
            other, its = self.chance.choice(others)
        else:
            its = (shape[-1], 2)
            other = self.constant(np.linspace(-1, 1, 2 * shape[-1], dtype=np.float32).reshape(its))
        self.add("MatMul", f"{x} {other}", [*shape[:-1], its[-1]])

    def cut(self, x, shape):
        axis = self.chance.randrange(len(shape))
        if shape[axis] > 1:
            numbers = [self.constant(np.array([n], np.int64)) for n in (self.chance.randrange(2), shape[axis], axis)]
            start = int(np.frombuffer(self.constants[-3].raw_data, np.int64)[0])
            self.add("Slice", " ".join([x, *numbers]), [s - start if d == axis else s for d, s in enumerate(shape)])

    def pick(self, x, shape):
        axis = self.chance.randrange(len(shape))
        self.add("Gather", f"{x} {self.constant(np.array([0, 0], np.int64))}", [2 if d == axis else s for d, s in enumerate(shape)],
                 axis=axis)

    def repeat(self, x, shape):
        if np.prod(shape) < 500:
            axis = self.chance.randrange(len(shape))
            counts = [2 if d == axis else 1 for d in range(len(shape))]
            self.add("Tile", f"{x} {self.constant(np.array(counts, np.int64))}", [s * c for s, c in zip(shape, counts)])

    def mixed(self, x, shape):
        axis = self.chance.randrange(len(shape))
        self.add("CumSum", f"{x} {self.constant(np.array(axis, np.int64))}", shape)


def check(checks, seed):
    """Whether a graph was accepted; None for one that has no other size than this."""
    maker = Maker(random.Random(seed))
    if not maker.nodes:
        return None
    onnx = model(maker.nodes, [("x", ["N", *maker.shape[1:]])], [(maker.values[-1][0], None)], maker.constants)
    x = np.random.default_rng(seed).standard_normal(maker.shape).astype(np.float32)
    path, given, made = (checks.path / name for name in ("m.onnx", "in.npz", "out.npz"))
    path.write_bytes(encoded(onnx))
    np.savez(given, x=x)
    status, said = fovea("run", path, "-i", given, "-o", made, "--interpret", "--dim", "N=1..5")
    if status != 0:
        checks.check(f"graph {seed}", status in (UNSUPPORTED, INVALID), f"status {status}: {said}")  # invalid: for 1 or 2 samples
        return False
    expected = onnxruntime.InferenceSession(encoded(onnx), providers=["CPUExecutionProvider"]).run(None, {"x": x})[0]
    got = list(np.load(made).values())[0]
    checks.check(f"graph {seed}", got.shape == expected.shape and np.allclose(got, expected, rtol=1e-4, atol=1e-5),
                 [n.op_type for n in maker.nodes])
    return True


def main():
    checks = Checks()
    accepted = [check(checks, SEED + i) for i in range(GRAPHS)]
    taken, refused = accepted.count(True), accepted.count(False)
    print(f"{taken} accepted, {refused} refused")
    checks.check("both happen", taken > GRAPHS // 10 and refused > GRAPHS // 10, (taken, refused))
    finish(checks)


if __name__ == "__main__":
    main()
