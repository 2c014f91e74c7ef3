"""`fovea compile` on bytes that are no model: empty, foreign, cut off, damaged, nested, amplified, too large.
The seed of what is random is printed; FOVEA_SEED repeats it."""
import os
import random
import sys

sys.path.insert(0, os.environ["FOVEA_SOURCE_DIR"] + "/tests/support")
import numpy as np
from hostile import INVALID, UNSUPPORTED, Checks, encoded, field, finish, fovea, model, node, tensor, varint
from random_seed import random_seed

checks = Checks()
SMALL = encoded(model([node("Add", "x w", "h", "add"), node("Relu", "h", "y", "relu")],
                      initializers=[tensor("w", np.arange(6, dtype=np.float32).reshape(2, 3))]))


def test_no_model():
    checks.refused("empty", b"", INVALID, "byte 0: the file is empty")
    for what, given in {
            "text": b"this is no model\n" * 20,
            "zeros": bytes(1000),
            "ones": b"\xff" * 1000,
            "png": b"\x89PNG\r\n\x1a\n" + bytes(100),
            "zip": b"PK\3\4" + bytes(100),
            "C": b"int main(void) { return 0; }\n",
    }.items():
        checks.refused(what, given, INVALID, r"\bbyte \d+\b")
    checks.refused("a graph alone", field(1, 8), INVALID)


def test_cut_off():
    for length in range(1, len(SMALL)):
        checks.refused(f"cut off at byte {length}", SMALL[:length], INVALID, r"byte \d+")


def test_bit_flips():
    """Any answer but a crash, a bug or a system error; nothing is left of what was refused."""
    seed = random_seed()
    chance = random.Random(seed)
    for turn in range(300):
        damaged = bytearray(SMALL)
        for _ in range(chance.choice([1, 1, 2, 8])):
            damaged[chance.randrange(len(damaged))] ^= 1 << chance.randrange(8)
        path, out = checks.place(bytes(damaged))
        status, said = fovea("compile", path, "-o", out)
        what = f"bit flips, seed {seed}, turn {turn}"
        checks.check(what, status in (0, INVALID, UNSUPPORTED), f"status {status}: {said}")
        checks.check(what, (status == 0) == out.exists(), "an output without success, or the other way round")
        if out.exists():
            for file in out.iterdir():
                file.unlink()
            out.rmdir()


def nested_graphs(depth):
    """A graph within a node's attribute, depth times."""
    graph = b""
    for _ in range(depth):
        attribute = field(1, b"body") + field(6, graph) + field(20, 5)
        graph = field(1, field(4, b"If") + field(5, attribute))
    return field(1, 8) + field(8, field(2, 17)) + field(7, graph)


def test_nesting():
    for depth in (34, 100, 10000):
        checks.refused(f"graphs {depth} deep", nested_graphs(depth), INVALID, r"byte \d+", "nest|deep")
    types = b""
    for _ in range(5000):
        types = field(4, field(1, types))
    given = field(1, 8) + field(8, field(2, 17)) + field(7, field(11, field(1, b"x") + field(2, types)))
    checks.refused("types 5000 deep", given, INVALID, "nest|deep")


def test_amplification():
    head = field(1, 8) + field(8, field(2, 17))
    checks.refused("4 MiB of empty nodes", head + field(7, field(1, b"") * (2 << 20)), INVALID, "budget|memory")
    checks.refused("empty opsets", head + field(8, b"") * (1 << 20), INVALID)
    doubling = []  # functions that call the one before twice: 2^60 nodes
    for i in range(60):
        inner = field(4, b"Neg") if i == 0 else field(4, b"f%d" % (i - 1)) + field(7, b"d")
        call = lambda a, b: field(7, field(1, a) + field(2, b) + inner)
        body = call(b"x", b"h") + call(b"h", b"y")
        doubling.append(field(25, field(1, b"f%d" % i) + field(4, b"x") + field(5, b"y") + body + field(9, field(2, 17)) +
                              field(9, field(1, b"d") + field(2, 1)) + field(10, b"d")))
    given = encoded(model([node("f59", "x", "y", domain="d")])) + field(8, field(1, b"d") + field(2, 1))
    checks.refused("functions that double", given + b"".join(doubling), INVALID, "memory")


def test_sizes():
    path = checks.path / "huge.onnx"
    with open(path, "wb") as file:
        file.truncate(2 << 30)
    checks.refused_path("2 GiB", path, checks.path / "out", INVALID, "2 GiB or more", "external data")
    with open(path, "wb") as file:
        file.truncate(1 << 42)
    checks.refused_path("4 TiB", path, checks.path / "out", INVALID, "2 GiB or more")
    path.unlink()
    for length in ((1 << 31) - 1, 1 << 31, (1 << 32) - 1, 1 << 32, (1 << 63) - 1, (1 << 64) - 1):
        checks.refused(f"a length of {length}", field(1, 8) + varint(7 << 3 | 2) + varint(length) + bytes(50), INVALID,
                       r"byte \d+")
    checks.refused("a varint of 11 bytes", b"\x08" + b"\x80" * 10 + b"\x01", INVALID, r"byte \d+")


test_no_model()
test_cut_off()
test_bit_flips()
test_nesting()
test_amplification()
test_sizes()
finish(checks)
