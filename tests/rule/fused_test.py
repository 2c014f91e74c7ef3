"""Fused attention blocks: each form becomes the operators that it should, or stays as it is; generated C gives what it
gives without fusion, to within 1e-6 of an output's range; outputs are the same to the bit whatever is probed; and what a
gate scales is written in place. The seed is printed; FOVEA_SEED repeats it."""
import os
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, os.environ["FOVEA_SOURCE_DIR"] + "/tests/support")
import numpy as np
from generated import build, compile_model, run
from hostile import FOVEA, Checks, finish, model, node, tensor
from onnx import TensorProto
from random_seed import random_seed

TOLERANCE = 1e-6  # of the range of an output
UNFUSED = ("--fuse", "no-blocks")
TYPES = {np.dtype(np.float32): TensorProto.FLOAT, np.dtype(np.float64): TensorProto.DOUBLE}


class Form:
    """A graph that grows by values; their names begin with the form's."""

    def __init__(self, name, random, element=np.float32):
        self.name, self.random, self.element = name, random, np.dtype(element)
        self.nodes, self.inputs, self.initializers, self.data = [], [], [], {}

    def input(self, *shape):
        name = f"{self.name}.x{len(self.inputs)}"
        self.inputs.append((name, shape, TYPES[self.element]))
        self.data[name] = self.random.standard_normal(shape).astype(self.element)
        return name

    def constant(self, array):
        name = f"{self.name}.c{len(self.initializers)}"
        self.initializers.append(tensor(name, array))
        return name

    def weight(self, *shape):
        return self.constant((self.random.standard_normal(shape) / np.sqrt(shape[-1])).astype(self.element))

    def layer(self, outputs, *inputs, turned=False):
        """Weights of a layer, the outputs first unless turned. Sums of their inputs are small where these are alike, and
        gates made of them lie around a half: of gates near to 0 that hardly differ, the order of sums alone can make more
        than TOLERANCE."""
        weights = self.random.standard_normal((outputs, *inputs)) / np.sqrt(np.prod(inputs))
        weights -= weights.mean(axis=tuple(range(1, weights.ndim)), keepdims=True)
        return self.constant((weights.T if turned else weights).astype(self.element))

    def number(self, value):
        return self.constant(np.array(value, self.element))

    def ints(self, *values):
        return self.constant(np.array(values, np.int64))

    def make(self, op_type, *inputs, outputs=1, **attributes):
        names = [f"{self.name}.v{len(self.nodes)}" + (f".{i}" if outputs > 1 else "") for i in range(outputs)]
        self.nodes.append(node(op_type, " ".join(inputs), " ".join(names), f"{self.name}.n{len(self.nodes)}", **attributes))
        return names[0] if outputs == 1 else names


def channels(f, gate="sigmoid", act="Relu", layers="conv", act_numbers=(), expand=False, pooled=None, n=2, c=18, size=(5, 7)):
    """x times a gate of two layers, or of one."""
    x = f.make("Relu", f.input(n, c, *size))
    h = pooled(x) if pooled else f.make("GlobalAveragePool", x)
    if layers == "one conv":
        h = f.make("Conv", h, f.layer(c, c, 1, 1), f.weight(c))
    elif layers == "eca":
        h = f.make("Reshape", h, f.ints(n, 1, c))
        h = f.make("Conv", h, f.layer(1, 1, 5), pads=[2, 2])
    else:
        for i, (before, after) in enumerate([(c, 6), (6, c)] if layers != "one dense" else [(c, c)]):
            if i > 0:
                h = f.make(act, h, *(f.number(a) for a in act_numbers))
            if layers == "conv":
                h = f.make("Conv", h, f.layer(after, before, 1, 1), f.weight(after))
                continue
            h = f.make("Reshape", h, f.ints(n, before))
            if layers == "matmul":
                h = f.make("MatMul", h, f.layer(after, before, turned=True))
            else:
                h = f.make("Gemm", h, f.layer(after, before), f.weight(after), transB=1)
    if gate == "steps":
        h = f.make("Clip", f.make("Add", h, f.number(3)), f.number(0), f.number(6))
        h = f.make("Div", h, f.number(6))
    else:
        h = f.make("HardSigmoid", h, alpha=0.25) if gate == "hard" else f.make("Sigmoid", h)
    h = f.make("Reshape", h, f.ints(n, c, 1, 1))
    if expand:
        h = f.make("Expand", h, f.ints(n, c, *size))
    return f.make("Mul", x, h)


def mean_and_max(f, x, axes):
    return f.make("ReduceMean", x, axes=axes, keepdims=1), f.make("ReduceMax", x, axes=axes, keepdims=1)


def cbam(f, halves="both", mean_first=True, norm=False, bias=True, n=2, c=20, size=(6, 9)):
    y = x = f.make("Relu", f.input(n, c, *size))
    if halves != "spatial":
        w1, w2 = f.layer(4, c, 1, 1), f.layer(c, 4, 1, 1)
        biases = [(f.weight(4),), (f.weight(c),)] if bias else [(), ()]
        pools = [f.make("GlobalAveragePool", x), f.make("GlobalMaxPool", x)]
        a, b = (f.make("Conv", f.make("Relu", f.make("Conv", p, w1, *biases[0])), w2, *biases[1]) for p in pools)
        y = f.make("Mul", x, f.make("Sigmoid", f.make("Add", a, b)))
    if halves != "channel":
        mean, most = mean_and_max(f, y, [1])
        s = f.make("Concat", *((mean, most) if mean_first else (most, mean)), axis=1)
        s = f.make("Conv", s, f.layer(1, 2, 3, 5), *((f.number([0.5]),) if bias else ()), pads=[1, 2, 1, 2])
        if norm:
            s = f.make("BatchNormalization", s, *(f.number([v]) for v in (1.5, 0.25, -0.5, 2)))
        y = f.make("Mul", y, f.make("Sigmoid", s))
    return y


def scaled(f, value, scale):
    return value if scale is None else f.make("Mul", value, f.number(scale))


def attention(f, n=2, h=3, lq=11, lk=11, d=8, dv=8, packed=None, scale="scores", mask=None, guard=False, groups=1,
              merged=False, swapped=False, back=True):
    """softmax(s q k^T + mask) v of heads that are made in one of the ways of exporters."""
    if packed == "split":
        all_heads = f.make("Reshape", f.input(n, lq, 3 * h * d), f.ints(n, lq, 3, h, d))
        parts = f.make("Split", f.make("Transpose", all_heads, perm=[2, 0, 3, 1, 4]), f.ints(1, 1, 1), outputs=3, axis=0)
        q, k, v = (f.make("Squeeze", part, f.ints(0)) for part in parts)
    elif packed == "gather":
        all_heads = f.make("Reshape", f.input(n, lq, 3 * h * d), f.ints(n, lq, 3, h, d))
        turned = f.make("Transpose", all_heads, perm=[2, 0, 3, 1, 4])
        q, k, v = (f.make("Gather", turned, f.constant(np.array(i)), axis=0) for i in range(3))
    elif packed == "slice":
        x = f.make("Relu", f.input(n, lq, 3 * h * d))
        q, k, v = (f.make("Slice", x, f.ints(i * h * d), f.ints((i + 1) * h * d), f.ints(2)) for i in range(3))
        q, k, v = (f.make("Transpose", f.make("Reshape", p, f.ints(n, lq, h, d)), perm=[0, 2, 1, 3]) for p in (q, k, v))
    elif merged:
        q, k, v = (f.make("Transpose", f.make("Reshape", f.input(l, n, h * w), f.ints(l, n * h, w)), perm=[1, 0, 2])
                   for l, w in ((lq, d), (lk, d), (lk, dv)))
    else:
        q, k, v = (f.make("Transpose", f.make("Reshape", f.input(n, l, heads * w), f.ints(n, l, heads, w)), perm=[0, 2, 1, 3])
                   for l, heads, w in ((lq, h, d), (lk, h // groups, d), (lk, h // groups, dv)))
    if groups > 1:
        k, v = (f.make("Reshape", f.make("Expand", f.make("Unsqueeze", p, f.ints(2)), f.ints(n, h // groups, groups, lk, w)),
                       f.ints(n, h, lk, w)) for p, w in ((k, d), (v, dv)))
    turn = [0, 2, 1] if merged else [0, 1, 3, 2]
    if scale == "both":
        q, k = scaled(f, q, 0.6), scaled(f, f.make("Transpose", k, perm=turn), 0.6)
    else:
        q, k = scaled(f, q, 0.35 if scale == "q" else None), f.make("Transpose", k, perm=turn)
    s = f.make("MatMul", q, k)
    if scale == "scores":
        s = f.make("Div", s, f.number(2.5))
    if mask in ("add", "two"):
        s = f.make("Add", s, f.input(n, 1, 1, lk))
    if mask in ("bias", "two"):
        s = f.make("Add", f.weight(h, lq, lk), s)
    if mask == "zeros":
        s = f.make("Add", s, f.constant(np.zeros((h, lq, lk), np.float32)))
    if mask in ("keep", "drop"):
        allowed = f.random.random((n, 1, lq, lk)) > 0.5
        allowed[0, 0, 2] = mask == "drop"
        fill = f.number(-np.inf)
        s = f.make("Where", f.constant(allowed), *((s, fill) if mask == "keep" else (fill, s)))
    if mask == "windows":  # of one image, four windows of which each has a mask, after a bias for each head
        s = f.make("Add", s, f.weight(1, h, lq, lk))
        s = f.make("Add", f.make("Reshape", s, f.ints(n // 4, 4, h, lq, lk)), f.weight(1, 4, 1, lq, lk))
        s = f.make("Reshape", s, f.ints(n, h, lq, lk))
    p = f.make("Softmax", s, axis=-1)
    if guard:
        p = f.make("Where", f.make("IsNaN", p), f.number(0), p)
    if swapped:
        v = f.make("Transpose", v, perm=turn)
        return f.make("MatMul", v, f.make("Transpose", p, perm=turn))
    y = f.make("MatMul", p, v)
    if not back:
        return y
    if merged:
        return f.make("Reshape", f.make("Transpose", y, perm=[1, 0, 2]), f.ints(lq, n, h * dv))
    return f.make("Reshape", f.make("Transpose", y, perm=[0, 2, 1, 3]), f.ints(n, lq, h * dv))


def attention_map(f):
    """Heads over the places of a map, channels first, with the values on the left."""
    x = f.input(2, 30, 4, 5)
    heads = f.make("Reshape", x, f.ints(2, 2, 15, 20))
    q, k, v = f.make("Split", heads, f.ints(4, 4, 7), outputs=3, axis=2)
    s = f.make("Mul", f.make("MatMul", f.make("Transpose", q, perm=[0, 1, 3, 2]), k), f.number(0.5))
    p = f.make("Transpose", f.make("Softmax", s, axis=-1), perm=[0, 1, 3, 2])
    return f.make("Reshape", f.make("MatMul", v, p), f.ints(2, 14, 4, 5))


def attention_to_itself(f, values="logits"):
    """Values that are the block's own logits, on the left, or its own probabilities."""
    q, k = f.input(2, 2, 9, 8), f.input(2, 2, 8, 9)
    s = f.make("Mul", f.make("MatMul", q, k), f.number(0.5))
    p = f.make("Softmax", s, axis=-1)
    return f.make("MatMul", p, p) if values == "probs" else f.make("MatMul", s, f.make("Transpose", p, perm=[0, 1, 3, 2]))


SE, ESE, ECA = "SqueezeExcitation", "ChannelGate", "ChannelGateConv"
HALVES = "CbamChannel CbamSpatial"

# A name, what makes it, its arguments, the fused operators that come of it.
FORMS = [
    ("se_conv", channels, {}, SE),
    ("se_dense", channels, {"layers": "dense", "gate": "hard"}, SE),
    ("se_matmul", channels, {"layers": "matmul", "expand": True}, SE),
    ("se_steps", channels, {"gate": "steps", "act": "HardSwish"}, SE),
    ("se_clip", channels, {"act": "Clip", "act_numbers": (0, 6)}, SE),
    ("se_one", channels, {"layers": "one dense"}, ESE),
    ("ese", channels, {"layers": "one conv", "gate": "hard"}, ESE),
    ("eca", channels, {"layers": "eca"}, ECA),
    ("cbam", cbam, {}, HALVES),
    ("cbam_max_first", cbam, {"mean_first": False, "norm": True}, HALVES),
    ("cbam_norm", cbam, {"norm": True, "bias": False}, HALVES),
    ("cbam_channel", cbam, {"halves": "channel"}, "CbamChannel"),
    ("cbam_spatial", cbam, {"halves": "spatial"}, "CbamSpatial"),
    ("plain", attention, {}, "Attention"),
    ("plain_back", attention, {"back": False, "scale": None}, "Attention"),
    ("cross", attention, {"lq": 5, "lk": 19, "dv": 17, "scale": "q"}, "Attention"),
    ("split", attention, {"packed": "split", "scale": "both"}, "Attention"),
    ("gather", attention, {"packed": "gather", "n": 1, "lq": 33, "lk": 33}, "Attention"),
    ("slice", attention, {"packed": "slice", "mask": "add"}, "Attention"),
    ("groups", attention, {"h": 6, "groups": 3, "mask": "two"}, "Attention"),
    ("merged", attention, {"merged": True, "scale": "q"}, "Attention"),
    ("bias", attention, {"mask": "bias", "scale": None}, "Attention"),
    ("keep", attention, {"mask": "keep", "guard": True}, "Attention"),
    ("drop", attention, {"mask": "drop"}, "Attention"),
    ("zeros", attention, {"mask": "zeros", "guard": True}, "Attention"),
    ("windows", attention, {"n": 8, "mask": "windows", "packed": "gather"}, "Attention"),
    ("swapped", attention, {"swapped": True}, "Attention"),
    ("map", attention_map, {}, "Attention"),
    ("double", attention, {"element": np.float64}, "Attention"),
    # Declined: few queries, values that the block makes itself, and an activation that has weights of its own.
    ("few", attention, {"lq": 3}, ""),
    ("own_logits", attention_to_itself, {}, ""),
    ("own_probs", attention_to_itself, {"values": "probs"}, ""),
    ("se_prelu", channels, {"act": "PRelu", "act_numbers": ([[[0.1]], [[0.2]], [[0.3]], [[0.4]], [[0.5]], [[0.6]]],)}, ""),
]


def dumped(form, output, folder, after, *options):
    """A form as a model of its own, as it is after a pass."""
    path = folder / "form.onnx"
    path.write_bytes(model(form.nodes, form.inputs, [(output, None, TYPES[form.element])], form.initializers).SerializeToString())
    command = [FOVEA, "compile", path, "-o", folder / "none", "--dump-after", after, *options]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def fused_operators(form, output, folder, *options):
    """The operators of fovea's own that a form becomes."""
    said = dumped(form, output, folder, "fuse_blocks", *options)
    return " ".join(re.findall(r"^ +\d+  fovea::(\w+)", said, flags=re.M))


def make_forms(checks, random):
    """All forms in one model. What each becomes is looked at alone."""
    forms, outputs = [], []
    for name, maker, given, expected in FORMS:
        given = dict(given)
        form = Form(name, random, given.pop("element", np.float32))
        output = maker(form, **given)
        got = fused_operators(form, output, checks.path)
        checks.check(name, got == expected, f"became {got!r}, expected {expected!r}")
        got = fused_operators(form, output, checks.path, *UNFUSED)
        checks.check(name, got == "", f"became {got!r} with blocks left alone")
        forms.append(form)
        outputs.append((output, None, TYPES[form.element]))
    joined = lambda field: [item for form in forms for item in getattr(form, field)]
    made = model(joined("nodes"), joined("inputs"), outputs, joined("initializers"))
    return made, {name: array for form in forms for name, array in form.data.items()}


def test_looked_into(checks, random):
    """Asking for a value inside a block by its name changes nothing about what the block becomes."""
    form = Form("inner", random)
    output = channels(form)
    for value in ("inner.v3", "inner.v5", "inner.v6"):  # hidden, gate, a view of it
        got = fused_operators(form, output, checks.path, "--probes", value)
        checks.check(f"probing {value}", got == SE, f"became {got!r}, expected {SE!r}")


def test_nothing_added(checks, random):
    """A bias of zeros is no operand, and can be probed all the same."""
    form = Form("zeros", random)
    said = dumped(form, attention(form, mask="zeros"), checks.path, "fuse_blocks")
    given = re.findall(r"fovea::Attention\((.*)\) ->", said)
    checks.check("zeros added", len(given) == 1 and given[0].count("float[") == 3, said)
    inputs, maps = checks.path / "zeros.npz", checks.path / "maps.npz"
    np.savez(inputs, **form.data)
    command = [FOVEA, "run", checks.path / "form.onnx", "--interpret", "--input", inputs, "--probe-output", maps]
    done = subprocess.run(command, capture_output=True, text=True)
    if checks.check("zeros added: run", done.returncode == 0, done.stderr):
        biases = [array for name, array in np.load(maps).items() if name.endswith(".bias")]
        checks.check("zeros added: bias", len(biases) == 1 and not biases[0].any(), list(np.load(maps)))


def test_in_place(checks, random):
    """Each product of a gate and the map is written over the map; the last one with the sum and activation behind it."""
    for name, maker, given, operators in FORMS:
        if operators not in (SE, ESE, ECA, HALVES, "CbamChannel", "CbamSpatial"):
            continue
        form = Form(name, random)
        gated = maker(form, **given)
        output = form.make("GlobalMaxPool", form.make("Relu", form.make("Add", gated, form.input(1))))
        said = dumped(form, output, checks.path, "plan")
        loops = re.findall(r"loop [\dx]+: (multiply.*?)\('.*?'\[\d+\]@(\d+), .* -> '.*?'\[\d+\]@(\d+)$", said, flags=re.M)
        wanted = ["multiply"] * (len(operators.split()) - 1) + ["multiply add relu"]
        in_place = all(read == written for _, read, written in loops)
        checks.check(f"{name}: products in place", [formulas for formulas, *_ in loops] == wanted and in_place, said)


def worst_difference(a, b):
    """As a share of the range of b, where it has one; what is not finite has to be so in both. Gates that hardly differ from
    each other have a range of few units in the last place: of the largest, four of these count as TOLERANCE of a range."""
    finite = np.isfinite(b)
    if not np.array_equal(finite, np.isfinite(a)) or not np.array_equal(a[~finite], b[~finite], equal_nan=True):
        return np.inf
    units = 4 * np.spacing(np.abs(b[finite]).max())
    return float(np.abs(a - b)[finite].max() / max(np.ptp(b[finite]) or 1, units / TOLERANCE))


def test_numbers(checks, given, data):
    path, inputs = checks.path / "forms.onnx", checks.path / "in.npz"
    path.write_bytes(given.SerializeToString())
    np.savez(inputs, **data)
    ways = {"unfused": UNFUSED, "fused": (), "all probes": ("--probes", "all"), "no probes": ("--probes", "none")}
    results = {}
    for way, options in ways.items():
        with tempfile.TemporaryDirectory() as folder:
            compile_model(path, folder, *options)
            results[way] = run(build(folder, "gcc", "-O2"), inputs, f"{folder}/out.npz", f"{folder}/probes.npz")
    fused, probes = results["fused"]
    for name, array in fused.items():
        worst = worst_difference(array, results["unfused"][0][name])
        checks.check(name, worst <= TOLERANCE, f"differs by {worst:.1e} from what it is unfused")
        for way in ("all probes", "no probes"):
            checks.check(name, array.tobytes() == results[way][0][name].tobytes(), f"other bits with {way}")
    checks.check("probes", list(probes) == list(results["unfused"][1]) and len(probes) >= len(FORMS), list(probes))
    for name, array in probes.items():
        worst = worst_difference(array, results["unfused"][1][name])
        checks.check(name, worst <= TOLERANCE, f"differs by {worst:.1e} from what it is unfused")
        checks.check(name, array.tobytes() == results["all probes"][1][name].tobytes(), "other bits with all probes")


seed = random_seed()
checks = Checks()
random = np.random.default_rng(seed)
test_numbers(checks, *make_forms(checks, random))
test_looked_into(checks, random)
test_nothing_added(checks, random)
test_in_place(checks, random)
finish(checks)
