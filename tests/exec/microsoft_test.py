"""ONNX Runtime's own operators (com.microsoft): interpreted and compiled, fovea gives what ONNX Runtime gives, for each
option that it takes; attention among them is one block with its map; options that it does not take are refused with status 3
and named. Shapes are random; the seed is printed, and FOVEA_SEED repeats it."""
import json
import os
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

sys.path.insert(0, os.environ["FOVEA_SOURCE_DIR"] + "/tests/support")
from random_seed import random_seed

FOVEA = os.environ["FOVEA"]
TOLERANCE = 1e-5  # of the range of an output: float32, sums in different orders
SEED = random_seed()
rng = np.random.default_rng(SEED)
onnxruntime.set_default_logger_severity(3)


def floats(*shape, spread=1.0):
    return (rng.standard_normal(shape) * spread).astype(np.float32)


def ints(*values, dtype=np.int32):
    return np.array(values, dtype)


def size(least, most):
    return int(rng.integers(least, most + 1))


def some(*shape):
    """A mask that leaves something in each row: of what is left of scores beside -10000, float32 has two digits."""
    mask = rng.integers(0, 2, shape).astype(np.int32)
    mask[..., 0] = 1
    return mask


def build(op_type, inputs, outputs, constants=(), domain="com.microsoft", opset=17, **attributes):
    """A model of one node. inputs: arrays by name, None where one is left out; those in constants are initializers."""
    names = [f"y{i}" if keep else "" for i, keep in enumerate(outputs)]
    node = helper.make_node(op_type, [n if a is not None else "" for n, a in inputs.items()], names, "layer/op",
                            domain=domain, **attributes)
    given = {n: a for n, a in inputs.items() if a is not None}
    graph = helper.make_graph(
        [node], "g",
        [helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(a.dtype), a.shape)
         for n, a in given.items() if n not in constants],
        [helper.make_tensor_value_info(n, keep if keep is not True else TensorProto.FLOAT, None)
         for n, keep in zip(names, outputs) if keep],
        [numpy_helper.from_array(given[n], n) for n in constants])
    opsets = [helper.make_opsetid("", opset), helper.make_opsetid("com.microsoft", 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=10), {n: a for n, a in given.items() if n not in constants}


def fovea(*arguments):
    return subprocess.run([FOVEA, *arguments], capture_output=True, text=True)


def difference(expected, got):
    assert set(expected) == set(got), f"outputs {sorted(got)}, expected {sorted(expected)}"
    for name, want in expected.items():
        assert want.shape == got[name].shape, f"{name} has shape {got[name].shape}, expected {want.shape}"
    return max(float(np.abs(want - got[name]).max(initial=0)) / (float(np.ptp(want)) or 1) for name, want in expected.items())


class Case:
    """op_type with inputs, as build() takes them. blocks: how many attention blocks are found in it,
    None where that does not matter. like: another case whose
    results are expected, where ONNX Runtime's CPU kernels do not have the option."""

    def __init__(self, label, op_type, inputs, outputs=(True,), blocks=0, like=None, **options):
        self.label, self.blocks, self.like = f"{op_type} {label}".strip(), blocks, like
        self.model, self.feeds = build(op_type, inputs, outputs, **options)

    def expected(self):
        if self.like is not None:
            return self.like.expected()
        session = onnxruntime.InferenceSession(self.model.SerializeToString(), providers=["CPUExecutionProvider"])
        return dict(zip((o.name for o in session.get_outputs()), session.run(None, self.feeds)))

    def files(self, folder):
        model, feeds = folder / "model.onnx", folder / "in.npz"
        model.write_bytes(self.model.SerializeToString())
        np.savez(feeds, **self.feeds)
        return model, feeds

    def faults(self, folder):
        """What is wrong, as texts."""
        expected = self.expected()
        model, feeds = self.files(folder)
        for how in ([], ["--interpret"]):
            done = fovea("run", model, "--input", feeds, "--output", folder / "out.npz", *how)
            if done.returncode != 0:
                yield f"{how}: {done.stderr.strip()}"
                return
            worst = difference(expected, dict(np.load(folder / "out.npz")))
            if not worst <= TOLERANCE:
                yield f"{how}: an output differs by {worst:.1e} of its range"
        families = [block["family"] for block in json.loads(fovea("inspect", "--json", model).stdout)["blocks"]]
        if self.blocks is not None and families.count("attention") != self.blocks:
            yield f"blocks {families}, expected {self.blocks} of attention"


def products():
    a, b = floats(2, 3, 4, 5), floats(2, 3, 5, 6)
    yield Case("", "FusedMatMul", dict(a=a, b=b))
    yield Case("alpha", "FusedMatMul", dict(a=a, b=b), alpha=0.25)
    yield Case("transposed", "FusedMatMul", dict(a=a.swapaxes(2, 3).copy(), b=b.swapaxes(2, 3).copy()), transA=1, transB=1)
    yield Case("batch of a", "FusedMatMul", dict(a=floats(4, 2, 3, 5), b=b), transBatchA=1)
    yield Case("batch and transposed", "FusedMatMul", dict(a=floats(5, 2, 3, 4), b=floats(6, 2, 3, 5)), transBatchA=1, transA=1,
               transBatchB=1, transB=1)
    x, w, bias = floats(2, 3, 7, 6), floats(4, 3, 3, 3), floats(4)
    yield Case("", "FusedConv", dict(x=x, w=w, b=bias), constants=("w", "b"), pads=[1, 1, 1, 1])
    for name, parameters in (("Relu", None), ("Tanh", None), ("Sigmoid", None), ("LeakyRelu", [0.2]), ("Clip", [-0.3, 0.4]),
                             ("HardSigmoid", [0.3, 0.4])):
        more = {"activation_params": parameters} if parameters else {}
        yield Case(name, "FusedConv", dict(x=x, w=w, b=bias), constants=("w", "b"), activation=name, strides=[2, 2], **more)
    yield Case("sum and Relu", "FusedConv", dict(x=x, w=w, b=bias, z=floats(2, 4, 7, 6)), constants=("w", "b"), pads=[1, 1, 1, 1],
               activation="Relu")
    a, b, c = floats(3, 5), floats(4, 5), floats(4)
    yield Case("Relu", "FusedGemm", dict(a=a, b=b, c=c), constants=("b", "c"), transB=1, alpha=0.5, activation="Relu")
    yield Case("LeakyRelu", "FusedGemm", dict(a=a, b=b), constants=("b",), transB=1, activation="LeakyRelu", activation_alpha=0.3)


def layers():
    n, length, channels = size(1, 3), size(2, 6), size(3, 9)
    x, skip, gamma, beta, bias = floats(n, length, channels), floats(n, length, channels), *floats(3, channels)
    for op_type in ("Gelu", "QuickGelu", "FastGelu"):
        yield Case("", op_type, dict(x=x * 3))
    yield Case("alpha", "QuickGelu", dict(x=x), alpha=1.3)
    for op_type in ("BiasGelu", "FastGelu"):
        yield Case("bias", op_type, dict(x=x, b=bias), constants=("b",))
    yield Case("", "SkipLayerNormalization", dict(x=x, s=skip, g=gamma, b=beta), epsilon=1e-5)
    yield Case("without beta", "SkipLayerNormalization", dict(x=x, s=skip, g=gamma))
    yield Case("bias, sum", "SkipLayerNormalization", dict(x=x, s=skip, g=gamma, b=beta, bias=bias), (True, False, False, True))
    yield Case("one skip for all", "SkipLayerNormalization", dict(x=x, s=skip[0], g=gamma, b=beta))
    yield Case("", "SkipSimplifiedLayerNormalization", dict(x=x, s=skip, g=gamma))
    yield Case("bias, sum", "SkipSimplifiedLayerNormalization", dict(x=x, s=skip, g=gamma, bias=bias), (True, False, False, True))
    yield Case("", "SimplifiedLayerNormalization", dict(x=x, g=gamma), domain="", epsilon=1e-6)
    yield Case("axis", "SimplifiedLayerNormalization", dict(x=x, g=floats(length, channels)), domain="", axis=1)
    yield Case("before opset 17", "LayerNormalization", dict(x=x, g=gamma, b=beta), domain="", opset=12)
    words, places, kinds = floats(11, channels), floats(9, channels), floats(2, channels)
    ids, segments = rng.integers(0, 11, (n, length)).astype(np.int32), rng.integers(0, 2, (n, length)).astype(np.int32)
    mask = rng.integers(0, 2, (n, length)).astype(np.int32)
    tables = dict(words=words, places=places, kinds=kinds, g=gamma, b=beta)
    outputs = (True, TensorProto.INT32)
    yield Case("", "EmbedLayerNormalization", dict(ids=ids, segments=segments, **tables), outputs, constants=tuple(tables))
    yield Case("mask, sum", "EmbedLayerNormalization", dict(ids=ids, segments=segments, **tables, mask=mask), (*outputs, True),
               constants=tuple(tables), epsilon=1e-6)
    tables["kinds"] = None
    yield Case("positions", "EmbedLayerNormalization",
               dict(ids=ids, segments=None, **tables, mask=None, positions=rng.integers(0, 9, (n, length)).astype(np.int32)),
               outputs, constants=("words", "places", "g", "b"))


def packed_attention():
    n, length, heads, head, past = size(2, 3), size(3, 6), size(2, 4), size(2, 5), size(1, 4)
    hidden, total = heads * head, length + past
    x, w, b = floats(n, length, 7), floats(7, 3 * hidden, spread=0.5), floats(3 * hidden)
    ends = rng.integers(1, length + 1, n).astype(np.int32)
    mask = np.arange(length) < ends[:, None]
    mask2 = mask.astype(np.int32)
    state = floats(2, n, heads, past, head)

    def case(label, *, m=None, p=None, bias=None, outputs=(True,), **attributes):
        return Case(label, "Attention", dict(x=x, w=w, b=b, m=m, p=p, bias=bias), outputs, constants=("w", "b"), blocks=1,
                    num_heads=heads, **attributes)

    yield case("")
    yield Case("without bias", "Attention", dict(x=x, w=w), constants=("w",), blocks=1, num_heads=heads)
    yield case("unidirectional", unidirectional=1)
    yield case("scale", scale=0.3)
    yield case("mask [batch, length]", m=mask2)
    yield case("mask and unidirectional", m=mask2, unidirectional=1)
    yield case("a mask of nothing", m=np.zeros_like(mask2), mask_filter_value=-3.0)
    yield case("mask_filter_value", m=mask2, mask_filter_value=-3.0)
    yield case("mask [batch, queries, keys]", m=some(n, length, length))
    yield case("mask of ends", m=ends)
    yield case("mask of ends and starts", m=np.concatenate([ends, ends // 2]).astype(np.int32))
    yield case("attention_bias", bias=floats(1, heads, length, length))
    yield case("attention_bias of a batch, and mask", m=mask2, bias=floats(n, 1, length, length))
    yield case("present", outputs=(True, True))
    yield case("past", p=state, outputs=(True, True), unidirectional=1)
    yield case("past and mask", p=state, outputs=(True, True), m=some(n, total))
    wide = floats(7, 2 * hidden + heads * 3, spread=0.5)
    yield Case("sizes", "Attention", dict(x=x, w=wide, b=floats(wide.shape[1])), constants=("w", "b"), blocks=1, num_heads=heads,
               qkv_hidden_sizes=[hidden, hidden, heads * 3])


def multi_head_attention():
    n, queries, keys, heads, head, past = size(2, 3), size(3, 6), size(3, 7), size(2, 4), size(2, 5), size(1, 4)
    hidden, wide = heads * head, heads * 3
    q, k, v = floats(n, queries, hidden), floats(n, keys, hidden), floats(n, keys, wide)
    mask = some(n, keys)

    def case(label, outputs=(True,), q=q, k=k, v=v, b=None, m=None, bias=None, pk=None, pv=None, like=None, blocks=1, **attributes):
        return Case(label, "MultiHeadAttention", dict(q=q, k=k, v=v, b=b, m=m, bias=bias, pk=pk, pv=pv), outputs, blocks, like,
                    num_heads=heads, **attributes)

    yield case("")
    yield case("bias", b=floats(2 * hidden + wide))
    yield case("scale", scale=0.7)
    yield case("mask", m=mask)
    yield case("mask of ends", m=rng.integers(1, keys + 1, n).astype(np.int32), mask_filter_value=-7.0)
    yield case("attention_bias", bias=floats(1, heads, queries, keys))
    yield case("attention_bias and mask", bias=floats(n, 1, queries, keys), m=mask)
    yield case("scores", (True, False, False, True), m=mask)
    own = floats(n, queries, wide)
    yield case("unidirectional", k=floats(n, queries, hidden), v=own, unidirectional=1)
    yield case("keys and values in heads", k=floats(n, heads, keys, head), v=floats(n, heads, keys, head))
    yield case("past", (True, True, True), v=floats(n, keys, hidden), pk=floats(n, heads, past, head), pv=floats(n, heads, past, head))
    packed = floats(n, queries, heads, 3, head)
    parts = [packed[:, :, :, i].reshape(n, queries, hidden).copy() for i in range(3)]
    yield case("packed", q=packed, k=None, v=None, like=case("", q=parts[0], k=parts[1], v=parts[2]))
    packed = floats(n, keys, heads, 2, head)
    parts = [packed[:, :, :, i].reshape(n, keys, hidden).copy() for i in range(2)]
    yield case("packed keys and values", k=packed, v=None, like=case("", k=parts[0], v=parts[1]))


def grouped_attention():
    n, length, groups, head = size(1, 3), size(3, 7), size(1, 2), 16
    heads = groups * size(1, 3)
    q, k, v = floats(n, length, heads * head), floats(n, length, groups * head), floats(n, length, groups * head)
    angles = np.outer(np.arange(12), 0.5 ** np.arange(head // 2)).astype(np.float32)
    cache = dict(cos=np.cos(angles), sin=np.sin(angles))
    outputs = (True, True, True)

    def case(label, n=n, q=q, k=k, v=v, pk=None, pv=None, total=length, outputs=outputs, positions=None, bias=None, norm=(None, None), like=None,
             **attributes):
        rotary = cache if attributes.get("do_rotary") else dict(cos=None, sin=None)
        inputs = dict(q=q, k=k, v=v, pk=pk, pv=pv, lengths=np.full(n, total - 1, np.int32), total=ints(total), **rotary,
                      positions=positions, bias=bias, sink=None, ks=None, vs=None, qn=norm[0], kn=norm[1])
        constants = tuple(name for name in ("lengths", "total", "cos", "sin") if inputs[name] is not None)
        return Case(label, "GroupQueryAttention", inputs, outputs, 1, like, constants=constants, num_heads=heads,
                    kv_num_heads=groups, **attributes)

    yield case("")
    yield case("packed", q=np.concatenate([q, k, v], axis=2), k=None, v=None)
    yield case("scale", scale=0.2)
    yield case("rotary", do_rotary=1)
    yield case("rotary, interleaved", do_rotary=1, rotary_interleaved=1)

    def normalised(x, weight, epsilon):  # ONNX Runtime has it for GPUs alone
        each = x.reshape(n, length, -1, head)
        return (each / np.sqrt(np.square(each).mean(-1, keepdims=True) + epsilon) * weight).astype(np.float32).reshape(x.shape)

    norm = (floats(head), floats(head))
    for attributes, of_q, of_k in (({}, 1e-6, 1e-6), (dict(q_norm_epsilon=0.1, qk_norm_epsilon=0.01), 0.1, 0.01)):
        like = case("", q=normalised(q, norm[0], of_q), k=normalised(k, norm[1], of_k), do_rotary=1)
        yield case(f"normalised {attributes}", norm=norm, do_rotary=1, like=like, **attributes)
    for window in (1, 2, 100):
        yield case(f"window {window}", local_window_size=window)
    yield case("attention_bias", bias=floats(1, heads, length, length))
    yield case("an empty past", pk=floats(n, groups, 0, head), pv=floats(n, groups, 0, head))
    past = size(1, 4)
    state = dict(pk=floats(n, groups, past, head), pv=floats(n, groups, past, head), total=past + 1, q=q[:, :1].copy(),
                 k=k[:, :1].copy(), v=v[:, :1].copy())
    yield case("past, one token", **state)
    yield case("past, rotary", do_rotary=1, **state)
    yield case("past, window", local_window_size=2, **state)
    yield case("past, many tokens", n=1, q=q[:1], k=k[:1], v=v[:1], pk=floats(1, groups, past, head),
               pv=floats(1, groups, past, head), total=past + length, do_rotary=1)


def capped_attention():
    for case in grouped_attention():
        if case.label.endswith("scale"):
            case.model.graph.node[0].attribute.append(helper.make_attribute("softcap", 1.5))
            case.label, case.blocks = case.label + " and softcap", None
            yield case


def rotary():
    n, length, heads, head = size(1, 3), size(2, 6), size(1, 3), 8
    angles = np.outer(np.arange(9), 0.5 ** np.arange(head // 2)).astype(np.float32)
    x, cos, sin = floats(n, length, heads * head), np.cos(angles), np.sin(angles)
    each = rng.integers(0, 9, (n, length))
    for label, positions in (("positions", each), ("offset", ints(size(0, 3), dtype=np.int64))):
        inputs = dict(x=x, positions=positions, cos=cos, sin=sin)
        yield Case(label, "RotaryEmbedding", inputs, constants=("cos", "sin"))
        yield Case(f"{label}, interleaved", "RotaryEmbedding", inputs, interleaved=1)
        yield Case(f"{label}, in heads", "RotaryEmbedding", inputs | dict(x=floats(n, heads, length, head)))
    half = dict(x=x, positions=each, cos=cos[:, :2].copy(), sin=sin[:, :2].copy())
    yield Case("a part of each head", "RotaryEmbedding", half, num_heads=heads, rotary_embedding_dim=4)


def refused():
    """Cases, and the words with which they are refused."""
    n, length, heads, head = 2, 3, 2, 16
    x, w = floats(n, length, 7), floats(7, 3 * heads * head)
    hidden = floats(n, length, heads * head)
    lengths = dict(lengths=np.full(n, length, np.int32), total=ints(length + 1))
    state = dict(pk=floats(n, heads, 1, head), pv=floats(n, heads, 1, head))
    grouped = dict(q=hidden, k=hidden, v=hidden)
    counts = dict(num_heads=heads, kv_num_heads=heads)
    yield "do_rotary=1", Case("", "Attention", dict(x=x, w=w), num_heads=heads, do_rotary=1)
    yield "mask of 4 dimensions", Case("", "Attention", dict(x=x, w=w, b=None, m=np.ones((n, 1, length, length), np.int32)),
                                       num_heads=heads)
    yield "mask of the shape [8]", Case("", "Attention", dict(x=x, w=w, b=None, m=ints(*range(8))), num_heads=heads)
    yield "cache_indirection", Case("", "MultiHeadAttention", dict(**grouped, b=None, m=None, bias=None, pk=None, pv=None, past=None,
                                                                   beams=np.zeros((n, 1, 9), np.int32)), num_heads=heads)
    yield "seqlens_k", Case("", "GroupQueryAttention", dict(**grouped, **state, **lengths), **counts)
    yield "smooth_softmax", Case("", "GroupQueryAttention", dict(**grouped, pk=None, pv=None, **lengths), smooth_softmax=1, **counts)
    yield "training", Case("", "SkipLayerNormalization", dict(x=x, s=x, g=floats(7)), (True, True))
    yield "'Cosine'", Case("", "FusedGemm", dict(a=x[0], b=w), activation="Cosine")


def main():
    failed = count = 0
    with tempfile.TemporaryDirectory() as folder:
        for group in (products, layers, packed_attention, multi_head_attention, grouped_attention, capped_attention, rotary):
            for case in group():
                count += 1
                for fault in case.faults(pathlib.Path(folder)):
                    failed += 1
                    print(f"{case.label}: {fault}")
        for words, case in refused():
            count += 1
            model, _ = case.files(pathlib.Path(folder))
            done = fovea("compile", model, "-o", pathlib.Path(folder) / "out")
            if done.returncode != 3 or words not in done.stderr:
                failed += 1
                print(f"{case.label}: status {done.returncode} and {done.stderr!r}, expected 3 and {words!r}")
    print(f"{count} cases, {failed} faults")
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
