"""Gradient against torch.autograd, first and second derivatives: each rule of an operator, and random graphs in which
tensors are used several times and broadcast. At the values that the graph computes with and at others; in functions,
branches and loops. What cannot be differentiated is refused. The seed is printed, and FOVEA_SEED repeats it."""
import os
import pathlib
import random
import subprocess
import sys
import tempfile

import numpy as np
import torch
from onnx import TensorProto, helper, numpy_helper

sys.path.insert(0, os.environ["FOVEA_SOURCE_DIR"] + "/tests/support")
from hostile import INVALID, UNSUPPORTED, Checks  # noqa: E402
from random_seed import random_seed  # noqa: E402

FOVEA = os.environ["FOVEA"]
TRAINING = "ai.onnx.preview.training"
SEED = random_seed()
rng = np.random.default_rng(SEED)


class Tensor:
    """A name in the model, and what torch says that it holds."""

    def __init__(self, name, value):
        self.name, self.value = name, value


class Net:
    """A model in the making. Each operator is given with what torch makes of the same; where emits is false, with that
    alone."""

    def __init__(self, opset=17):
        self.opset, self.nodes, self.inputs, self.constants, self.expected = opset, [], {}, {}, {}
        self.emits, self.count = True, 0

    def name(self):
        self.count += 1
        return f"t{self.count}"

    def input(self, array, kind=np.float64):
        name = self.name()
        self.inputs[name] = np.asarray(array, kind)
        return Tensor(name, torch.tensor(self.inputs[name], requires_grad=True))

    def constant(self, array, kind=np.float64):
        name, array = self.name(), np.asarray(array, kind)
        if self.emits:
            self.constants[name] = array
        return Tensor(name, torch.tensor(array))

    def op(self, op_type, inputs, value, **attributes):
        result = Tensor(self.name(), value)
        if self.emits:
            names = ["" if i is None else i.name for i in inputs]
            self.nodes.append(helper.make_node(op_type, names, [result.name], **attributes))
        return result

    def weighed(self, tensor):
        """A number that depends on every element in its own way."""
        weights = self.constant(rng.uniform(0.5, 1.5, tensor.value.shape))
        axes = [] if self.opset < 13 else [None]
        product = self.op("Mul", [tensor, weights], tensor.value * weights.value)
        return self.op("ReduceSum", [product, *axes], product.value.sum(), keepdims=0)

    def gradient(self, y, xs, given=None, label=""):
        """The gradients, as tensors of the net; y by its name, its value computed at what is given."""
        found = torch.autograd.grad(y.value, [t.value for t in given or xs], create_graph=True, materialize_grads=True,
                                    allow_unused=True)
        results = [Tensor(self.name(), value) for value in found]
        self.nodes.append(helper.make_node("Gradient", [t.name for t in given or xs], [t.name for t in results], label,
                                           domain=TRAINING, xs=[t.name for t in xs], y=y.name))
        return results

    def expect(self, label, tensors):
        for tensor in tensors:
            self.expected[tensor.name] = label, tensor.value.detach().numpy()

    def model(self, expected):
        kinds = {np.dtype(k): helper.np_dtype_to_tensor_dtype(np.dtype(k)) for k in (np.float32, np.float64)}
        values = lambda arrays: [helper.make_tensor_value_info(n, kinds[a.dtype], a.shape) for n, a in arrays.items()]
        graph = helper.make_graph(self.nodes, "g", values(self.inputs),
                                  values({name: array for name, (_, array) in expected.items()}),
                                  [numpy_helper.from_array(a, n) for n, a in self.constants.items()])
        opsets = [helper.make_opsetid("", self.opset), helper.make_opsetid(TRAINING, 1)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=8)


def add_case(net, label, function, arrays, twice=True):
    """function: of a net and tensors, one tensor. Its first derivatives, the second ones of the same, and the first at
    other values of the tensors."""
    state = rng.bit_generator.state
    xs = [net.input(array) for array in arrays]
    y = net.weighed(function(net, xs))
    first = net.gradient(y, xs, label=label)
    net.expect(label, first)
    if twice:
        total = None
        for tensor in first:  # all of the first derivatives, in their own ways
            part = net.weighed(tensor)
            total = part if total is None else net.op("Add", [total, part], total.value + part.value)
        some = net.op("Add", [total, y], total.value + y.value)  # so that torch has something to differentiate
        net.expect(f"{label}, second", net.gradient(some, xs))
    others = [net.input(array * 0.75) for array in arrays]
    after, rng.bit_generator.state, net.emits = rng.bit_generator.state, state, False
    elsewhere = net.weighed(function(net, others))
    net.emits, rng.bit_generator.state = True, after
    net.expect(f"{label}, elsewhere", net.gradient(Tensor(y.name, elsewhere.value), xs, others))


def normal(*shape):
    """Numbers of both signs, none near to 0."""
    return rng.choice([-1, 1], shape) * rng.uniform(0.25, 1.5, shape)


def positive(*shape):
    return rng.uniform(0.5, 1.75, shape)


def simple(op_type, of_torch, **attributes):
    """An operator of which torch has the same."""
    return lambda net, xs: net.op(op_type, xs, of_torch(*(x.value for x in xs)), **attributes)


UNARY = {"Neg": torch.neg, "Abs": torch.abs, "Sign": torch.sign, "Ceil": torch.ceil, "Floor": torch.floor,
         "Round": torch.round, "Exp": torch.exp, "Sin": torch.sin, "Cos": torch.cos, "Tanh": torch.tanh,
         "Sigmoid": torch.sigmoid, "Erf": torch.erf, "Relu": torch.relu, "Identity": lambda x: x * 1}
POSITIVE = {"Reciprocal": torch.reciprocal, "Sqrt": torch.sqrt, "Log": torch.log}
BINARY = {"Add": torch.add, "Sub": torch.sub, "Mul": torch.mul, "Div": torch.div}
SHAPES = (((2, 3), (2, 3)), ((2, 3), (3,)), ((2, 1), (4, 1, 3)), ((), (2, 2)), ((1, 1, 2), (2, 1)))


def add_elementwise(net):
    for name, of_torch in UNARY.items():
        add_case(net, name, simple(name, of_torch), [normal(2, 3)])
    for name, of_torch in POSITIVE.items():
        add_case(net, name, simple(name, of_torch), [positive(5)])
    for name, of_torch in BINARY.items():
        for a, b in SHAPES:
            add_case(net, f"{name} {a} {b}", simple(name, of_torch), [normal(*a), normal(*b)])
        add_case(net, f"{name} of one tensor", lambda n, xs: simple(name, of_torch)(n, [xs[0], xs[0]]), [normal(3)])
    add_case(net, "LeakyRelu", simple("LeakyRelu", lambda x: torch.nn.functional.leaky_relu(x, 0.25), alpha=0.25),
             [normal(7)])
    add_case(net, "Sum", simple("Sum", lambda a, b, c: a + b + c), [normal(2, 3), normal(3), normal(2, 1)])
    add_case(net, "Mean", simple("Mean", lambda a, b, c: (a + b + c) / 3), [normal(2, 3), normal(3), normal()])
    add_case(net, "Pow", simple("Pow", torch.pow), [positive(2, 3), normal(3)])
    for exponent, kind in ((0, np.float64), (1, np.float64), (3, np.int64), (-2, np.float64), (2, np.float32)):
        values = np.append(normal(4), [] if exponent < 0 else [0.0])
        add_case(net, f"Pow {exponent}",
                 lambda n, xs: n.op("Pow", [xs[0], n.constant(exponent, kind)], xs[0].value ** exponent), [values])
    add_case(net, "Clip", lambda n, xs: n.op("Clip", [xs[0], n.constant(-0.5), n.constant(0.7)],
                                             xs[0].value.clamp(-0.5, 0.7)), [normal(9)])

    def where(n, xs):
        flags = n.constant([[True], [False]], bool)
        return n.op("Where", [flags, *xs], torch.where(flags.value, *(x.value for x in xs)))
    add_case(net, "Where", where, [normal(3), normal(2, 1)])

    def cast(n, xs):
        there = n.op("Cast", xs, xs[0].value.float(), to=TensorProto.FLOAT)
        return n.op("Cast", [there], there.value.double(), to=TensorProto.DOUBLE)
    add_case(net, "Cast", cast, [rng.integers(-8, 8, 5) / 4.0])

    def whole(n, xs):
        there = n.op("Cast", xs, xs[0].value.long(), to=TensorProto.INT64)
        back = n.op("Cast", [there], there.value.double(), to=TensorProto.DOUBLE)
        return n.op("Mul", [xs[0], back], xs[0].value * back.value)
    add_case(net, "Cast to integers", whole, [4 * normal(5)])


def add_shapes(net):
    def axes(op_type, of_torch, *numbers):
        return lambda n, xs: n.op(op_type, [xs[0], n.constant(numbers, np.int64)], of_torch(xs[0].value))
    add_case(net, "Reshape", axes("Reshape", lambda x: x.reshape(3, 2, 2), 3, -1, 2), [normal(2, 6)])
    add_case(net, "Squeeze", axes("Squeeze", lambda x: x.squeeze(1), 1), [normal(2, 1, 3, 1)])
    add_case(net, "Unsqueeze", axes("Unsqueeze", lambda x: x[None, :, None], 0, 2), [normal(3)])
    add_case(net, "Flatten", simple("Flatten", lambda x: x.flatten(1), axis=1), [normal(2, 3, 2)])
    add_case(net, "Expand", axes("Expand", lambda x: x.expand(4, 2, 3), 4, 2, 1), [normal(2, 3)])
    add_case(net, "Transpose", simple("Transpose", lambda x: x.permute(2, 0, 1), perm=[2, 0, 1]), [normal(2, 3, 4)])
    add_case(net, "Transpose, in reverse", simple("Transpose", lambda x: x.permute(2, 1, 0)), [normal(2, 3, 4)])
    add_case(net, "Concat", simple("Concat", lambda *x: torch.cat(x, -1), axis=-1),
             [normal(2, 1), normal(2, 3), normal(2, 2)], twice=False)
    add_case(net, "Softmax", simple("Softmax", lambda x: x.softmax(1), axis=1), [normal(2, 3, 2)])
    add_case(net, "LogSoftmax", simple("LogSoftmax", lambda x: x.log_softmax(-1)), [normal(2, 3)])


REDUCED = {"ReduceSum": torch.sum, "ReduceMean": torch.mean, "ReduceL1": lambda x, *a, **k: x.abs().sum(*a, **k),
           "ReduceL2": lambda x, *a, **k: (x * x).sum(*a, **k).sqrt(),
           "ReduceSumSquare": lambda x, *a, **k: (x * x).sum(*a, **k),
           "ReduceLogSum": lambda x, *a, **k: x.sum(*a, **k).log(), "ReduceLogSumExp": torch.logsumexp}


def add_reductions(net):
    for name, of_torch in REDUCED.items():
        array = positive(2, 3, 2)
        for axes, keep in (((1,), True), ((0, 2), False), ((0, 1, 2), True)):
            def reduce(n, xs):
                value = of_torch(xs[0].value, axes, keepdim=keep)
                if name == "ReduceSum":
                    return n.op(name, [xs[0], n.constant(axes, np.int64)], value, keepdims=int(keep))
                return n.op(name, xs, value, axes=axes, keepdims=int(keep))
            add_case(net, f"{name} {axes} {keep}", reduce, [array])


def add_products(net):
    for a, b in (((2, 3), (3, 4)), ((2, 2, 3), (2, 3, 2)), ((2, 3), (4, 3, 2)), ((2, 1, 2, 3), (3, 3, 2)),
                 ((3,), (3, 2)), ((2, 3), (3,)), ((3,), (3,)), ((3,), (2, 3, 2)), ((2, 2, 3), (3,))):
        add_case(net, f"MatMul {a} {b}", simple("MatMul", torch.matmul), [normal(*a), normal(*b)])
    for across_a in (0, 1):
        for across_b in (0, 1):
            def gemm(n, xs):
                a, b = xs[0].value, xs[1].value
                value = 0.5 * (a.T if across_a else a) @ (b.T if across_b else b)
                if len(xs) > 2:
                    value = value + 2 * xs[2].value
                return n.op("Gemm", xs, value, transA=across_a, transB=across_b, alpha=0.5, beta=2.0)
            matrices = [normal(*(3, 2)[::1 - 2 * (1 - across_a)]), normal(*(3, 4)[::1 - 2 * across_b])]
            for last in ([], [normal(4)], [normal(2, 1)]):
                add_case(net, f"Gemm {across_a} {across_b} {len(last)}", gemm, matrices + last)


def add_random(net, number):
    """A graph of operators that lead from matrices of one size to others, of whatever was made before."""
    seed = int(rng.integers(1 << 31))

    def graph(n, xs):
        choice, pool = random.Random(seed), list(xs)
        for _ in range(12):
            kind, operands = choice.randrange(4), [choice.choice(pool) for _ in range(2)]
            if kind == 0:
                name = choice.choice(["Tanh", "Sigmoid", "Sin", "Cos", "Erf"])
                pool.append(simple(name, UNARY[name])(n, operands[:1]))
            elif kind == 1:
                name = choice.choice(["Add", "Sub", "Mul"])
                pool.append(simple(name, BINARY[name])(n, operands))
            elif kind == 2:
                squares = [t for t in pool if t.value.shape == (3, 3)]
                pool.append(simple("MatMul", torch.matmul)(n, [operands[0], choice.choice(squares)]))
            else:
                mean = n.op("ReduceMean", operands[:1], operands[0].value.mean(1, keepdim=True), axes=[1])
                pool.append(n.op("Div", [operands[1], n.op("Exp", [mean], mean.value.exp())],
                                 operands[1].value / mean.value.exp()))
        return n.op("Sum", pool, sum(t.value for t in pool))
    add_case(net, f"random graph {number}", graph, [0.5 * normal(3, 3), 0.5 * normal(3, 3), 0.5 * normal(1, 3)])


def old_net():
    """Operators as they were in opset 11: matrices in Softmax, axes and limits as attributes."""
    net = Net(11)
    add_case(net, "Softmax of opset 11", simple("Softmax", lambda x: x.flatten(1).softmax(1).reshape(x.shape), axis=1),
             [normal(2, 3, 2)], twice=False)
    add_case(net, "ReduceMean of opset 11", simple("ReduceMean", lambda x: x.mean(0), axes=[0], keepdims=0),
             [normal(2, 3)], twice=False)
    add_case(net, "Squeeze of opset 11", simple("Squeeze", lambda x: x.squeeze(1), axes=[1]), [normal(2, 1)],
             twice=False)
    return net


def compute(model, inputs, *how):
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        (folder / "model.onnx").write_bytes(model.SerializeToString())
        np.savez(folder / "in.npz", **inputs)
        done = subprocess.run([FOVEA, "run", folder / "model.onnx", "--input", folder / "in.npz", "--output",
                               folder / "out.npz", *how], capture_output=True, text=True)
        assert done.returncode == 0, f"status {done.returncode}: {done.stderr[-3000:]}"
        with np.load(folder / "out.npz") as outputs:
            return dict(outputs)


def check_net(net, some, *how):
    """That these outputs of the net are what torch says."""
    outputs = compute(net.model(some), net.inputs, *how)
    for name, (label, expected) in some.items():
        got = outputs[name]
        assert got.shape == expected.shape, f"{label}: shape {got.shape}, expected {expected.shape}"
        tolerance = 1e-6 if "Cast" in label or "Pow 2" in label else 1e-10  # which round to float32 on their way
        worst = np.abs(got - expected).max(initial=0) / np.abs(expected).max(initial=1e-3)
        assert worst <= tolerance, f"{label}: differs by {worst:.1e} of the largest\n{got}\n{expected}"
    print(f"{len(some)} gradients are right")


def gradient(inputs, outputs, xs, y, zs=(), name=""):
    """A node; names with spaces between."""
    held = {"zs": zs.split()} if zs else {}
    return helper.make_node("Gradient", inputs.split(), outputs.split(), name, domain=TRAINING, xs=xs.split(), y=y,
                            **held)


def node(op_type, inputs, outputs, **attributes):
    return helper.make_node(op_type, inputs.split(), outputs.split(), **attributes)


def value(name, shape, element=TensorProto.FLOAT):
    return helper.make_tensor_value_info(name, element, shape)


def make(nodes, inputs, outputs, constants=(), functions=(), element=TensorProto.FLOAT):
    """A model; inputs and outputs are shapes by name."""
    graph = helper.make_graph(nodes, "g", [value(*i, element) for i in inputs.items()],
                              [value(*o, element) for o in outputs.items()],
                              [numpy_helper.from_array(a, n) for n, a in dict(constants).items()])
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid(TRAINING, 1), helper.make_opsetid("f", 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8, functions=list(functions))


def close(label, model, inputs, **expected):
    inputs = {name: np.asarray(array, np.float32) for name, array in inputs.items()}
    for name, got in compute(model, inputs).items():
        assert np.allclose(got, expected[name], 1e-5, 1e-6), f"{label}: {name} is {got}, expected {expected[name]}"


SQUARES = [node("Sub", "w t", "d"), node("Mul", "d d", "s"), node("ReduceSum", "s", "loss", keepdims=0)]
W, T = np.float32([1, 2, 3]), np.float32([0.5, 2.5, -1])


def check_names():
    """What names may stand for, beside inputs of the graph."""
    three = {"w": [3], "t": [3]}
    close("a constant", make([*SQUARES, gradient("w", "dw", "w", "loss")], {"t": [3]}, {"dw": [3]}, {"w": W}),
          {"t": T}, dw=2 * (W - T))
    close("a constant, at another value",
          make([*SQUARES, gradient("t t", "dw", "w", "loss", "t")], {"t": [3]}, {"dw": [3]}, {"w": W}),
          {"t": T}, dw=0 * T)
    close("what a node makes", make([*SQUARES, gradient("d", "dd", "d", "loss")], three, {"dd": [3]}), {"w": W, "t": T},
          dd=2 * (W - T))
    close("of another shape", make([*SQUARES, gradient("p q", "dw", "w t", "loss")], three | {"p": [2, 2], "q": [2, 1]},
                                   {"dw": [2, 2]}),
          {"w": W, "t": T, "p": [[1, 2], [3, 4]], "q": [[1], [2]]}, dw=[[0, 2], [2, 4]])
    close("nodes out of order", make([gradient("w", "dw", "w", "loss"), *SQUARES[::-1]], three, {"dw": [3]}),
          {"w": W, "t": T}, dw=2 * (W - T))
    close("outputs left out, y itself, and what y does not depend on",
          make([*SQUARES, gradient("w u", "dw du", "w u", "loss"),
                helper.make_node("Gradient", ["w", "loss"], ["", "dl"], domain=TRAINING, xs=["w", "loss"], y="loss"),
                gradient("w t", "df", "w", "t0", "t"), node("Slice", "t zero one", "t0")],
               three | {"u": [2, 2]}, {"dw": [3], "du": [2, 2], "dl": [], "df": [3]},
               {"zero": np.int64([0]), "one": np.int64([1])}),
          {"w": W, "t": T, "u": np.ones((2, 2))}, dw=2 * (W - T), du=np.zeros((2, 2)), dl=1, df=0 * W)
    close("no elements", make([*SQUARES, gradient("w", "dw", "w", "loss")], {"w": [0], "t": [1]}, {"dw": [0]}),
          {"w": [], "t": [1]}, dw=[])


def check_dropout():
    """What is dropped has no gradient, in the same run; what is kept has that of its factor."""
    for training in (True, False):
        model = make([node("Dropout", "w half training", "d"), node("ReduceSum", "d", "loss", keepdims=0),
                      gradient("w", "dw", "w", "loss")], {"w": [64]}, {"d": [64], "dw": [64]},
                     {"half": np.float32(0.5), "training": np.bool_(training)})
        found = compute(model, {"w": np.ones(64, np.float32)})
        assert np.array_equal(found["dw"], found["d"]) and set(found["dw"]) == ({0, 2} if training else {1}), found


def check_inner():
    """In functions, branches and loops."""
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid(TRAINING, 1)]
    function = helper.make_function("f", "slope", ["w", "t"], ["dw"], [*SQUARES, gradient("w", "dw", "w", "loss")],
                                    opsets)
    close("a function", make([node("slope", "w t", "y", domain="f")], {"w": [3], "t": [3]}, {"y": [3]},
                             functions=[function]), {"w": W, "t": T}, y=2 * (W - T))
    bodies = {f"{kind}_branch": helper.make_graph([gradient(given, "dw", "w", "loss")], kind, [], [value("dw", [3])])
              for kind, given in (("then", "w"), ("else", "t"))}
    model = make([*SQUARES, node("Greater", "w0 zero", "flag"), node("ReduceSum", "w", "w0", keepdims=0),
                  node("If", "flag", "y", **bodies)], {"w": [3], "t": [3]}, {"y": [3]}, {"zero": np.float32(0)})
    close("one branch", model, {"w": W, "t": T}, y=2 * (W - T))
    close("the other branch", model, {"w": -W, "t": T}, y=0 * T)
    # Descent, from the same tensor in the place of both that are trained
    body = helper.make_graph(
        [node("Mul", "w v", "p"), node("Sub", "p t", "d"), *SQUARES[1:], gradient("w v", "dw dv", "w v", "loss"),
         node("Mul", "dw rate", "ew"), node("Sub", "w ew", "w_"), node("Mul", "dv rate", "ev"),
         node("Sub", "v ev", "v_"), node("Identity", "go", "go_")], "body",
        [value("i", [], TensorProto.INT64), value("go", [], TensorProto.BOOL), value("w", [3]), value("v", [3])],
        [value("go_", [], TensorProto.BOOL), value("w_", [3]), value("v_", [3])])
    w = v = np.abs(W)
    for _ in range(3):
        slope = 2 * (w * v - T)
        w, v = w - 0.01 * slope * v, v - 0.01 * slope * w
    close("descent in a loop",
          make([helper.make_node("Loop", ["three", "", "a", "a"], ["y", "z"], body=body)], {"a": [3], "t": [3]},
               {"y": [3], "z": [3]}, {"three": np.int64(3), "rate": np.float32(0.01)}), {"a": W, "t": T}, y=w, z=v)


def check_refusals():
    checks = Checks()
    three = {"w": [3], "t": [3]}

    def refused(what, status, *patterns, given="w", outputs="dw", xs="w", y="loss", zs="", nodes=SQUARES, inputs=None,
                shape=(3,), element=TensorProto.FLOAT):
        nodes = [*nodes, gradient(given, outputs, xs, y, zs, "grad")]
        checks.refused(what, make(nodes, inputs or three, {"dw": shape}, element=element), status, "'grad'", *patterns)
    refused("a tensor that is not there", INVALID, "xs 0 is 'q', which nothing makes", xs="q")
    refused("zs that are not there", INVALID, "zs 0 is 'q', which nothing makes", given="w t", zs="q")
    refused("y that is not there", INVALID, "y 0 is 'q', which nothing makes", y="q")
    refused("a name that steers the terminal", INVALID, "nothing makes", y="\x1b[2Jq")
    refused("one twice", INVALID, "the tensor 'w' twice", given="w t", xs="w w")
    refused("one in both lists", INVALID, "the tensor 'w' twice", given="w t", zs="w")
    refused("fewer inputs than names", INVALID, "1 inputs, expected 2", zs="t")
    refused("more inputs than names", INVALID, "2 inputs, expected 1", given="w t")
    refused("more outputs than names", INVALID, "2 outputs, expected at most 1", outputs="dw dt", given="w t", zs="t")
    refused("y of several elements", UNSUPPORTED, r"y has the shape \[3\]", "ReduceSum", y="s")
    cast = [node("Cast", "w", "f", to=TensorProto.FLOAT), node("ReduceSum", "f", "loss", keepdims=0)]
    refused("integers", INVALID, "one of xs is 'w', of type int64", nodes=cast, element=TensorProto.INT64)
    whole = [*SQUARES, node("Cast", "loss", "n", to=TensorProto.INT64)]
    refused("a y of integers", INVALID, "y is 'n', of type int64", y="n", nodes=whole)
    cycle = [node("Sub", "w dw", "d"), *SQUARES[1:]]
    refused("its own output between", INVALID, "cycle", nodes=cycle)
    checks.refused("an operator without a rule",
                   make([node("Det", "w", "loss"), gradient("w", "dw", "w", "loss")], {"w": [3, 3]}, {"dw": [3, 3]}),
                   UNSUPPORTED, "(Det)", "Gradient goes through its input 0, and has no rule")
    second = [node("Split", "w", "a b"), node("ReduceSum", "b", "loss", keepdims=0), gradient("w", "dw", "w", "loss")]
    checks.refused("an output that is not the first", make(second, {"w": [2]}, {"dw": [2]}), UNSUPPORTED, "(Split)",
                   "output 1")
    checks.refused("no y", make([helper.make_node("Gradient", ["w"], ["dw"], domain=TRAINING, xs=["w"])], three,
                                {"dw": [3]}), INVALID, "attribute y is missing")
    other = helper.make_node("Gradient", ["w"], ["dw"], domain=TRAINING, xs="w", y="w")
    checks.refused("xs of another kind", make([other], three, {"dw": [3]}), INVALID, "attribute 'xs' is of kind string")
    # Each is of the one before at other values, so that what is copied doubles
    nodes, last = [*SQUARES], "loss"
    for i in range(40):
        nodes += [gradient(f"g{i - 1}" if i > 0 else "d", f"g{i}", "w", last),
                  node("ReduceSum", f"g{i}", f"s{i}", keepdims=0), node("Add", f"s{i} {last}", f"y{i}")]
        last = f"y{i}"
    checks.refused("copies of copies", make(nodes, three, {last: []}), (INVALID, UNSUPPORTED), "memory|more than")
    # and in place, where the graph to be differentiated doubles
    nodes, last = [*SQUARES], "loss"
    for i in range(40):
        nodes += [gradient("w", f"g{i}", "w", last), node("Mul", f"g{i} g{i}", f"m{i}"),
                  node("ReduceSum", f"m{i}", f"y{i}", keepdims=0)]
        last = f"y{i}"
    checks.refused("derivatives of derivatives", make(nodes, three, {last: []}), UNSUPPORTED, "more than")
    chain = [node("Tanh", "w" if i == 0 else f"v{i}", f"v{i + 1}") for i in range(5000)]
    chain += [node("ReduceSum", "v5000", "loss", keepdims=0)]
    checks.accepted("a chain of 5000", make([*chain, gradient("w", "dw", "w", "loss")], {"w": [1]}, {"dw": [1]}))
    checks.accepted("a chain of 5000, copied", make([*chain, gradient("t", "dw", "w", "loss")], {"w": [1], "t": [1]},
                                                    {"dw": [1]}))
    return checks.end()


def main():
    net = Net()
    for add in (add_elementwise, add_shapes, add_reductions, add_products):
        add(net)
    for number in range(6):
        add_random(net, number)
    old = old_net()
    check_net(net, net.expected, "--interpret")
    check_net(old, old.expected, "--interpret")
    chosen = rng.choice(list(net.expected), 100, replace=False)
    check_net(net, {name: net.expected[name] for name in chosen})  # compiled, which takes longer
    check_names()
    check_dropout()
    check_inner()
    return check_refusals()


if __name__ == "__main__":
    sys.exit(main())
