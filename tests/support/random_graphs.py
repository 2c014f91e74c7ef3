"""Graphs at random: operators of all kinds in sequence, attention and gates among them and what only looks like those.
What is discontinuous (an order, a comparison, a rounding) is asked only of exact values: those that every
implementation has to the bit, since nothing rounds on their way from the inputs."""

import random
from dataclasses import dataclass

import numpy as np
import onnx
from hostile import model, tensor
from onnx import TensorProto, helper, numpy_helper

NEAR_MISSES = ("axis", "after", "scaled", "sigmoid", "unturned", "other values")
LARGEST = 1 << 13  # elements of what a step takes
FLOAT, DOUBLE, HALF = np.dtype(np.float32), np.dtype(np.float64), np.dtype(np.float16)
INT, LONG, BOOL = np.dtype(np.int32), np.dtype(np.int64), np.dtype(np.bool_)
BYTES = (np.dtype(np.int8), np.dtype(np.uint8))
INTEGERS = (INT, LONG, *BYTES)
SHAPES = [
    (1, 4, 6, 6),
    (2, 4, 5, 7),
    (1, 8, 7, 7),
    (2, 6, 8),
    (1, 9, 8),
    (5, 2, 4),
    (4, 8),
    (3, 5),
    (2, 3, 4, 3, 4),
    (6,),
]

# What rounds nothing: exact values stay exact.
EXACT = set(
    "Abs ArgMax ArgMin Cast Ceil Clip Concat DepthToSpace DequantizeLinear Equal Expand Flatten Floor Gather "
    "GatherElements GatherND GlobalMaxPool Greater GreaterOrEqual Less LessOrEqual Max MaxPool Min Neg Pad "
    "QuantizeLinear ReduceMax ReduceMin Relu Reshape Round ScatterElements ScatterND Sign Slice SpaceToDepth Split "
    "Squeeze Tile TopK Transpose Trilu Unsqueeze Where".split()
)


@dataclass
class Value:
    shape: tuple
    type: np.dtype
    exact: bool = True


def any_shape(shape):
    return True


class Maker:
    """Grows a graph: known values, from which each step takes and to which it adds."""

    def __init__(self, seed):
        self.chance = random.Random(seed)
        self.rng = np.random.default_rng(seed)
        self.opset = self.chance.choice([17, 18, 21])
        self.nodes, self.constants, self.values, self.used, self.feeds = [], {}, {}, set(), {}
        self.asked = []

    def input(self, shape, type=FLOAT):
        name = f"x{len(self.feeds)}"
        drawn = self.rng.standard_normal(shape) if type == FLOAT else self.rng.integers(-9, 10, shape)
        self.feeds[name] = drawn.astype(type)
        self.values[name] = Value(tuple(shape), np.dtype(type))
        return name

    def constant(self, array):
        name = f"c{len(self.constants)}"
        self.constants[name] = np.asarray(array)
        return name

    def weight(self, *shape, spread=None, type=FLOAT):
        size = spread if spread is not None else 1 / np.sqrt(max(1, np.prod(shape[1:])))
        return self.constant((self.rng.standard_normal(shape) * size).astype(type))

    def ints(self, *values):
        return self.constant(np.array(values, np.int64))

    def shape(self, name):
        return self.values[name].shape

    def infer(self, made):
        """Types and shapes of a node's outputs, as onnx has them."""
        arrays = {name: self.constants[name] for name in made.input if name in self.constants}
        types = {
            name: helper.make_tensor_type_proto(helper.np_dtype_to_tensor_dtype(array.dtype), array.shape)
            for name, array in arrays.items()
        }
        for name in made.input:
            if name in self.values:
                known = self.values[name]
                types[name] = helper.make_tensor_type_proto(helper.np_dtype_to_tensor_dtype(known.type), known.shape)
        schema = onnx.defs.get_schema(made.op_type, self.opset, "")
        data = {name: numpy_helper.from_array(array, name) for name, array in arrays.items()}
        return onnx.shape_inference.infer_node_outputs(
            schema, made, types, data, opset_imports=[helper.make_opsetid("", self.opset)]
        )

    def add(self, op_type, inputs, outputs=1, **attributes):
        """Adds a node; returns the name of its output, or the names where there are several."""
        number = len(self.nodes)
        names = [f"v{number}"] if outputs == 1 else [f"v{number}_{i}" for i in range(outputs)]
        made = helper.make_node(op_type, inputs, names, f"/{op_type.lower()}_{number}/{op_type}", **attributes)
        inferred = self.infer(made)
        exact = all(self.values[name].exact for name in inputs if name in self.values)
        taken = {self.type(name) for name in inputs if name}
        for name in names:
            found = inferred[name].tensor_type
            type = helper.tensor_dtype_to_np_dtype(found.elem_type)
            rounds = op_type not in EXACT and not taken.isdisjoint({FLOAT, DOUBLE, HALF})
            assert all(d.HasField("dim_value") for d in found.shape.dim), (op_type, inputs)
            self.values[name] = Value(tuple(d.dim_value for d in found.shape.dim), np.dtype(type), exact and not rounds)
        self.nodes.append(made)
        self.used.update(inputs)
        return names[0] if outputs == 1 else names

    def type(self, name):
        return self.values[name].type if name in self.values else self.constants[name].dtype

    def pick(self, fits=any_shape, types=(FLOAT,), exact=False):
        """A value whose shape fits, rather a late one; None where there is none."""
        names = [
            n
            for n, v in self.values.items()
            if v.type in types and (v.exact or not exact) and fits(v.shape) and 0 < np.prod(v.shape) <= LARGEST
        ]
        return self.chance.choice(names[-6:]) if names else None

    def like(self, name):
        """A value of that shape and type."""
        return self.pick(lambda s: s == self.shape(name), (self.type(name),))

    def axis(self, name):
        return self.chance.randrange(len(self.shape(name)))

    def cut(self, name, axis, count):
        """Sizes of count parts of an axis; None where it is too short."""
        size = self.shape(name)[axis]
        if size < count:
            return None
        ends = sorted(self.chance.sample(range(1, size), count - 1))
        return [b - a for a, b in zip([0, *ends], [*ends, size])]

    # Steps: each adds a few nodes, or nothing where no value fits. Their names, sorted, are what the graph is made of.

    def step_elementwise(self):
        x = self.pick(types=(FLOAT, FLOAT, DOUBLE))
        kinds = ["Relu", "Tanh", "Sigmoid", "Abs", "Neg"]
        if self.type(x) == FLOAT:
            kinds += [
                "HardSigmoid",
                "HardSwish",
                "LeakyRelu",
                "Softplus",
                "Erf",
                "Elu",
                "Selu",
                "Celu",
                "Softsign",
                "Sin",
                "Cos",
                "Atan",
            ]
            kinds += ["Mish"] * (self.opset >= 18) + ["Gelu"] * (self.opset >= 20)
        self.add(self.chance.choice(kinds), [x])

    def step_bounded(self):
        """Functions whose domain or growth asks for a bound first."""
        x = self.add("Clip", [self.pick(), self.constant(np.float32(0.25)), self.constant(np.float32(4))])
        kind = self.chance.choice(["Exp", "Log", "Sqrt", "Reciprocal", "Pow", "Clip"])
        if kind != "Clip":
            self.add(
                kind, [x, self.constant(np.float32(self.chance.choice([2, 0.5, 3, -1])))] if kind == "Pow" else [x]
            )

    def step_rounding(self):
        x = self.pick(exact=True)
        self.add(self.chance.choice(["Floor", "Ceil", "Round", "Sign"]), [x])

    def step_binary(self):
        x = self.pick(types=(FLOAT, FLOAT, DOUBLE, INT, LONG))
        shape = self.shape(x)
        narrow = tuple(self.chance.choice([1, d]) for d in shape[self.axis(x) :]) if shape else ()
        if self.type(x) in INTEGERS:
            small = self.constant(self.rng.integers(-5, 6, narrow).astype(self.type(x)))
        else:
            small = self.weight(*narrow, spread=1.0, type=self.type(x))
        pair = [x, self.chance.choice([self.like(x), small])]
        self.chance.shuffle(pair)
        self.add(self.chance.choice(["Add", "Mul", "Sub", "Max", "Min"]), pair)

    def step_column_and_row(self):
        """Both operands are broadcast."""
        x = self.pick(lambda s: len(s) == 2 and max(s) <= 16)
        if x is not None:
            y = self.add("Unsqueeze", [x, self.ints(1)])
            z = self.add("Unsqueeze", [self.pick(lambda s: s == self.shape(x)), self.ints(2)])
            self.add(self.chance.choice(["Add", "Mul", "Sub"]), [y, z])

    def step_integers(self):
        x = self.pick(types=(INT, LONG))
        if x is None:
            return

        def number(value):
            return self.constant(np.array(value, self.type(x)))

        how = self.chance.randrange(7)
        if how == 0:
            self.add("Mod", [x, number(self.chance.choice([3, 7, -4]))], fmod=self.chance.choice([0, 1]))
        elif how == 1:
            self.add("Div", [x, number(self.chance.choice([2, -3]))])
        elif how == 2:
            self.add(self.chance.choice(["Abs", "Neg", "Sign"]), [x])
        elif how == 3:
            self.add("ReduceSum", [x, self.ints(self.axis(x))] if self.shape(x) else [x], keepdims=1)
        elif how == 4 and self.shape(x):
            self.add("CumSum", [x, self.constant(np.int64(self.axis(x)))], exclusive=self.chance.choice([0, 1]))
        elif how == 5 and self.opset >= 18:
            self.add(
                self.chance.choice(["BitwiseAnd", "BitwiseOr", "BitwiseXor"]), [x, number(self.chance.choice([5, -2]))]
            )
        elif how == 6:
            self.add("Clip", [x, number(-4), number(6)])

    def step_compare(self):
        x = self.pick(types=(FLOAT, INT, LONG), exact=True)
        other = self.constant(np.array(self.chance.choice([0, 1, -1]), self.type(x)))
        if self.chance.random() < 0.5:
            other = self.pick(lambda s: s == self.shape(x), (self.type(x),), exact=True)
        self.add(self.chance.choice(["Less", "LessOrEqual", "Greater", "GreaterOrEqual", "Equal"]), [x, other])

    def step_logic(self):
        x = self.pick(types=(BOOL,))
        if x is not None:
            kind = self.chance.choice(["And", "Or", "Xor", "Not"])
            self.add(kind, [x] if kind == "Not" else [x, self.like(x)])

    def step_choose(self):
        x = self.pick(types=(FLOAT, FLOAT, INT, LONG, DOUBLE))
        mask = self.pick(lambda s: s == self.shape(x), (BOOL,)) or self.constant(
            self.rng.integers(0, 2, self.shape(x)).astype(bool)
        )
        self.add("Where", [mask, x, self.like(x)])

    def step_cast(self):
        """To another type, and sometimes back: of floats only exact ones are rounded."""
        x = self.pick(types=(FLOAT, INT, LONG, BOOL, HALF, DOUBLE, *BYTES), exact=True)
        type = self.type(x)
        if type == FLOAT:
            target = self.chance.choice([HALF, DOUBLE, INT, LONG, BOOL, *BYTES])
            if target in INTEGERS:
                x = self.add(
                    "Clip",
                    [x, self.constant(np.float32(0 if target == np.uint8 else -90)), self.constant(np.float32(99))],
                )
        else:
            target = self.chance.choice([FLOAT, FLOAT, INT, LONG] if type in (BOOL, *BYTES) else [FLOAT])
        if type in (INT, LONG):
            x = self.add("Clip", [x, self.constant(np.array(-9999, type)), self.constant(np.array(9999, type))])
        self.add("Cast", [x], to=helper.np_dtype_to_tensor_dtype(target))

    def step_widen(self):
        x = self.pick(types=(FLOAT, DOUBLE))
        self.add("Cast", [x], to=TensorProto.FLOAT if self.type(x) == DOUBLE else TensorProto.DOUBLE)

    def step_quantise(self):
        """To steps and back; sometimes with a convolution or product of quantised weights behind."""
        x = self.pick(exact=True)
        type = self.chance.choice(BYTES)
        steps = [self.constant(np.float32(0.0625)), self.constant(np.array(self.chance.choice([0, 3]), type))]
        y = self.add("DequantizeLinear", [self.add("QuantizeLinear", [x, *steps]), *steps])
        if len(self.shape(y)) >= 2 and self.chance.random() < 0.6:
            weights = self.constant(self.rng.integers(-90, 90, (self.shape(y)[-1], 5)).astype(np.int8))
            scales = self.constant((self.rng.random(5) / 100 + 0.001).astype(np.float32))
            self.add(
                "MatMul",
                [y, self.add("DequantizeLinear", [weights, scales, self.constant(np.zeros(5, np.int8))], axis=1)],
            )

    def step_dense(self):
        x = self.pick(lambda s: len(s) >= 2)
        width = self.chance.choice([1, 3, 8, 16, 17])
        if x is not None:
            y = self.add("MatMul", [x, self.weight(self.shape(x)[-1], width)])
            if self.chance.random() < 0.6:
                self.add("Add", [y, self.weight(width, spread=1.0)])

    def step_batched(self):
        """A product of two computed maps, or with weights whose leading axes are broadcast."""
        x = self.pick(lambda s: len(s) >= 3 and s[-2] <= 32)
        if x is None:
            return
        shape = self.shape(x)
        if self.chance.random() < 0.5:
            other = self.like(x)
            turned = self.add("Transpose", [other], perm=[*range(len(shape) - 2), len(shape) - 1, len(shape) - 2])
            self.add("MatMul", [x, turned] if self.chance.random() < 0.5 else [turned, x])
        else:
            lead = [self.chance.choice([1, d]) for d in shape[:-2]][self.chance.randrange(len(shape) - 1) :]
            extra = [2] if len(shape) == 3 and len(lead) == 1 and self.chance.random() < 0.3 else []
            self.add("MatMul", [x, self.weight(*extra, *lead, shape[-1], 4, spread=0.5)])

    def step_gemm(self):
        x = self.pick(lambda s: len(s) == 2)
        if x is None:
            return
        turned, transposed = self.chance.choice([0, 0, 1]), self.chance.choice([0, 1])
        depth, width = self.shape(x)[0 if turned else 1], self.chance.choice([1, 5, 16])
        w = self.weight(*((width, depth) if transposed else (depth, width)))
        self.add(
            "Gemm", [x, w, self.weight(width)], transA=turned, transB=transposed, alpha=self.chance.choice([1.0, 0.5])
        )

    def step_einsum(self):
        x = self.pick(lambda s: len(s) in (2, 3) and max(s) <= 40)
        if x is None:
            return
        shape = self.shape(x)
        equations = {"ij,jk->ik": [shape[-1], 3], "ij,ij->i": shape, "ij,kj->ki": [4, shape[-1]], "ij,k->ijk": [2]}
        if len(shape) == 3:
            equations = {
                "bij,bkj->bik": [shape[0], 3, shape[2]],
                "bij,jk->bik": [shape[2], 3],
                "bij,bij->b": shape,
                "bij,i->bj": [shape[1]],
                "...ij,jk->...ik": [shape[2], 2],
            }
        equation, other = self.chance.choice(list(equations.items()))
        self.add("Einsum", [x, self.weight(*other, spread=0.5)], equation=equation)

    def window(self, sizes, most=3):
        """A kernel's sizes, strides, dilations and pads for a map of these sizes."""
        kernel = [self.chance.choice([k for k in (1, 2, 3) if k <= min(most, d)]) for d in sizes]
        dilations = [self.chance.choice([1, 2]) if 2 * k - 1 <= d and k > 1 else 1 for k, d in zip(kernel, sizes)]
        strides = [self.chance.choice([1, 1, 2]) for _ in sizes]
        pads = [self.chance.randrange(k) for k in kernel * 2]
        return dict(kernel_shape=kernel, strides=strides, dilations=dilations, pads=pads)

    def spatial(self, least=1, ranks=(3, 4, 5)):
        return self.pick(lambda s: len(s) in ranks and min(s[2:]) >= least)

    def step_convolution(self):
        x = self.spatial()
        if x is None:
            return
        channels, options = self.shape(x)[1], self.window(self.shape(x)[2:])
        groups = self.chance.choice([1, 1, channels, 2 if channels % 2 == 0 else 1])
        outputs = groups * self.chance.choice([1, 2]) if groups > 1 else self.chance.choice([1, 4, 6, 16])
        if self.chance.random() < 0.2:
            del options["pads"]
            options |= dict(
                auto_pad=self.chance.choice(["SAME_UPPER", "SAME_LOWER"]), dilations=[1] * len(options["strides"])
            )
        weights = self.weight(outputs, channels // groups, *options["kernel_shape"])
        y = self.add(
            "Conv", [x, weights, self.weight(outputs)][: self.chance.choice([2, 3, 3])], group=groups, **options
        )
        if self.chance.random() < 0.4:
            shifts = [self.weight(outputs, spread=1.0) for _ in range(3)]
            variance = self.constant((self.rng.random(outputs) + 0.5).astype(np.float32))
            self.add("BatchNormalization", [y, *shifts, variance])

    def step_transposed_convolution(self):
        x = self.spatial()
        if x is None or np.prod(self.shape(x)) > 1000:
            return
        channels, options = self.shape(x)[1], self.window(self.shape(x)[2:])
        groups = self.chance.choice([1, 1, 2 if channels % 2 == 0 else 1, channels])
        if any(d == 1 for d in self.shape(x)[2:]):
            options["pads"] = [0] * len(options["pads"])
        options["output_padding"] = [self.chance.randrange(s) for s in options["strides"]]
        each = self.chance.choice([1, 3])
        weights = self.weight(channels, each, *options["kernel_shape"])
        self.add("ConvTranspose", [x, weights, self.weight(groups * each)], group=groups, **options)

    def step_pool(self):
        x = self.spatial()
        if x is None:
            return
        kind = self.chance.choice(
            [
                "MaxPool",
                "MaxPool",
                "AveragePool",
                "AveragePool",
                "LpPool",
                "GlobalAveragePool",
                "GlobalMaxPool",
                "GlobalLpPool",
            ]
        )
        if kind.startswith("Global"):
            self.add(kind, [x])
            return
        options = self.window(self.shape(x)[2:])
        if kind != "MaxPool":
            del options["dilations"]
        if kind == "AveragePool":
            options["count_include_pad"] = self.chance.choice([0, 1])
        self.add(kind, [x], **options)

    def step_softmax(self):
        x = self.pick(len)
        rank = len(self.shape(x))
        self.add(self.chance.choice(["Softmax", "Softmax", "LogSoftmax"]), [x], axis=self.chance.randrange(-rank, rank))

    def step_norm(self):
        x = self.pick(lambda s: len(s) >= 2 and s[-1] > 1)
        if x is None:
            return
        axis = self.chance.choice([-1, len(self.shape(x)) - 1, max(1, len(self.shape(x)) - 2)])
        part = self.shape(x)[axis:]
        self.add(
            "LayerNormalization",
            [x, self.weight(*part, spread=1.0), self.weight(*part, spread=1.0)],
            axis=axis,
            epsilon=1e-3,
        )

    def step_channel_norm(self):
        x = self.pick(lambda s: len(s) >= 3 and np.prod(s[2:]) > 3)
        if x is None:
            return
        channels = self.shape(x)[1]
        kind = self.chance.choice(
            ["InstanceNormalization", "LRN", "LpNormalization"]
            + ["GroupNormalization"] * (self.opset >= 21 and channels % 2 == 0)
        )
        weights = [self.weight(channels, spread=1.0), self.weight(channels, spread=1.0)]
        if kind == "InstanceNormalization":
            self.add(kind, [x, *weights], epsilon=1e-3)
        elif kind == "GroupNormalization":
            self.add(kind, [x, *weights], num_groups=2, epsilon=1e-3)
        elif kind == "LRN" and len(self.shape(x)) == 4:
            self.add(kind, [x], size=3, alpha=0.1)
        elif kind == "LpNormalization":
            self.add(kind, [x], axis=self.axis(x), p=self.chance.choice([1, 2]))

    def step_reduce(self):
        x = self.pick(len, types=(FLOAT, FLOAT, FLOAT, DOUBLE))
        if x is None:
            return
        rank, keep = len(self.shape(x)), self.chance.choice([0, 1])
        axes = self.chance.sample(range(-rank, 0), min(rank, self.chance.choice([1, 1, 2])))
        kind = self.chance.choice(
            [
                "ReduceMean",
                "ReduceMean",
                "ReduceMax",
                "ReduceMin",
                "ReduceSum",
                "ReduceL1",
                "ReduceL2",
                "ReduceSumSquare",
                "ReduceLogSumExp",
            ]
        )
        if self.type(x) == DOUBLE:
            kind = self.chance.choice(["ReduceMean", "ReduceMax", "ReduceSum"])
        if kind == "ReduceSum" or self.opset >= 18:
            self.add(kind, [x, self.ints(*axes)], keepdims=keep)
        else:
            self.add(kind, [x], axes=axes, keepdims=keep)

    def step_running_sum(self):
        x = self.pick(len)
        self.add(
            "CumSum",
            [x, self.constant(np.int32(self.axis(x)))],
            exclusive=self.chance.choice([0, 1]),
            reverse=self.chance.choice([0, 1]),
        )

    def step_order(self):
        x = self.pick(len, exact=True)
        if x is None:
            return
        axis = self.axis(x)
        if self.chance.random() < 0.5:
            kind = self.chance.choice(["ArgMax", "ArgMin"])
            self.add(
                kind,
                [x],
                axis=axis,
                keepdims=self.chance.choice([0, 1]),
                select_last_index=self.chance.choice([0, 0, 1]),
            )
        else:
            count = self.chance.randrange(1, self.shape(x)[axis] + 1)
            self.add("TopK", [x, self.ints(count)], outputs=2, axis=axis, largest=self.chance.choice([0, 1]))

    MOVED = (FLOAT, FLOAT, FLOAT, FLOAT, INT, LONG, BOOL, DOUBLE, HALF)

    def step_move(self):
        x = self.pick(len, self.MOVED)
        shape, axis = self.shape(x), self.axis(x)
        how = self.chance.choice(
            ["Transpose", "Reshape", "Concat", "Unsqueeze", "Expand", "Tile", "Flatten", "Squeeze", "Split"]
        )
        if how == "Transpose":
            self.add(how, [x], perm=self.chance.sample(range(len(shape)), len(shape)))
        elif how == "Reshape":
            self.add(how, [x, self.ints(0, -1)])
        elif how == "Concat":
            self.add(how, [x, self.like(x), x][: self.chance.choice([2, 3])], axis=axis - len(shape))
        elif how == "Unsqueeze" and len(shape) < 5:
            self.add(how, [x, self.ints(axis)])
        elif how == "Expand" and len(shape) < 5:
            self.add(how, [x, self.ints(2, *(self.chance.choice([1, d]) for d in shape))])
        elif how == "Tile":
            self.add(how, [x, self.ints(*(2 if i == axis else 1 for i in range(len(shape))))])
        elif how == "Flatten":
            self.add(how, [x], axis=axis)
        elif how == "Squeeze" and 1 in shape[1:]:
            self.add(how, [x, self.ints(shape.index(1, 1))])
        elif how == "Split" and (parts := self.cut(x, axis, self.chance.choice([2, 3]))):
            self.add(how, [x, self.ints(*parts)], outputs=len(parts), axis=axis)

    def step_slice(self):
        """Steps of either sign along one or two axes; never to nothing."""
        x = self.pick(len, self.MOVED)
        shape = self.shape(x)
        axes = self.chance.sample(range(len(shape)), min(len(shape), self.chance.choice([1, 2])))
        starts, ends, steps = [], [], []
        for axis in axes:
            size, step = shape[axis], self.chance.choice([1, 1, 2, -1, -2])
            first = self.chance.randrange(size)
            starts.append(self.chance.choice([first, first - size]))
            ends.append(
                self.chance.choice(
                    [(1 << 40) * (1 if step > 0 else -1), min(size, first + 3) if step > 0 else first - size - 1]
                )
            )
            steps.append(step)
        self.add("Slice", [x, self.ints(*starts), self.ints(*ends), self.ints(*axes), self.ints(*steps)])

    def step_pad(self):
        x = self.pick(len)
        shape = self.shape(x)
        mode = self.chance.choice(["constant", "constant", "reflect", "edge"] + ["wrap"] * (self.opset >= 19))
        most = [1 if mode == "constant" else min(2, d - 1) for d in shape]
        pads = [self.chance.randint(0, m) for m in most + most]
        if mode == "constant" and self.chance.random() < 0.3:
            pads = [
                -1 if p == 0 and shape[i % len(shape)] > 2 and self.chance.random() < 0.4 else p
                for i, p in enumerate(pads)
            ]
        given = [self.constant(np.float32(self.chance.choice([0, 1.5])))] if mode == "constant" else []
        self.add("Pad", [x, self.ints(*pads), *given], mode=mode)

    def step_gather(self):
        """Rows by indices that are constant or computed, or single elements."""
        x = self.pick(len, self.MOVED)
        axis = self.axis(x)
        size, rank = self.shape(x)[axis], len(self.shape(x))
        how, computed = self.chance.randrange(4), self.pick(lambda s: len(s) <= 2 and np.prod(s) <= 8, (LONG,))
        if how == 0 and computed is not None and rank <= 3:
            self.add("Gather", [x, self.add("Mod", [computed, self.ints(size)])], axis=axis)
        elif how <= 1:
            self.add(
                "Gather",
                [x, self.constant(self.rng.integers(-size, size, self.chance.choice([(3,), (2, 2), ()])))],
                axis=axis,
            )
        elif how == 2:
            shape = [3 if i == axis else d for i, d in enumerate(self.shape(x))]
            self.add("GatherElements", [x, self.constant(self.rng.integers(-size, size, shape))], axis=axis)
        else:
            depth = self.chance.randint(1, rank)
            indices = [self.rng.integers(0, d, 4) for d in self.shape(x)[:depth]]
            self.add("GatherND", [x, self.constant(np.stack(indices, -1))])

    def step_scatter(self):
        x = self.pick(lambda s: len(s) > 0 and s[0] > 1)
        if x is None:
            return
        rows = self.rng.permutation(self.shape(x)[0])[:2]
        rest = self.shape(x)[1:]
        adds = dict(reduction="add") if self.opset >= 18 and self.chance.random() < 0.4 else {}
        if self.chance.random() < 0.5:
            self.add("ScatterND", [x, self.constant(rows[:, None]), self.weight(2, *rest, spread=1.0)], **adds)
        else:
            indices = np.broadcast_to(rows.reshape(-1, *[1] * len(rest)), (2, *rest))
            self.add(
                "ScatterElements",
                [x, self.constant(np.ascontiguousarray(indices)), self.weight(2, *rest, spread=1.0)],
                axis=0,
                **adds,
            )

    def step_image(self):
        """What exists for maps of two dimensions only: blocks to depth, resizing."""
        x = self.spatial(2, (4,))
        if x is None:
            return
        n, channels, height, width = self.shape(x)
        if self.chance.random() < 0.35:
            if channels % 4 == 0 and self.chance.random() < 0.6:
                self.add("DepthToSpace", [x], blocksize=2, mode=self.chance.choice(["DCR", "CRD"]))
            elif height % 2 == width % 2 == 0:
                self.add("SpaceToDepth", [x], blocksize=2)
            return
        mode = self.chance.choice(["nearest", "linear", "linear", "cubic"])
        options = dict(coordinate_transformation_mode=self.chance.choice(["half_pixel", "asymmetric", "align_corners"]))
        if mode == "nearest":
            options |= dict(coordinate_transformation_mode="asymmetric", nearest_mode="floor")
        if self.chance.random() < 0.5:
            scales = np.array([1, 1, self.chance.choice([2, 1.5]), self.chance.choice([2, 1, 0.5])], np.float32)
            self.add("Resize", [x, "", self.constant(scales)], mode=mode, **options)
        else:
            self.add("Resize", [x, "", "", self.ints(n, channels, height + 3, 2 * width)], mode=mode, **options)

    def step_channels_last(self):
        """A stretch of elementwise operators on a map whose channels are moved behind, and back."""
        x = self.pick(lambda s: len(s) == 4)
        if x is None:
            return
        y = self.add("Transpose", [x], perm=[0, 2, 3, 1])
        for kind in self.chance.sample(["Add", "Mul", "Relu", "Tanh"], 2):
            y = self.add(kind, [y] if kind in ("Relu", "Tanh") else [y, self.weight(self.shape(y)[3], spread=1.0)])
        self.add("Transpose", [y], perm=[0, 3, 1, 2])

    def step_recurrent(self):
        x = self.pick(lambda s: len(s) == 3)
        if x is None:
            return
        kind, hidden = self.chance.choice(["LSTM", "GRU", "RNN"]), self.chance.choice([3, 8])
        direction = self.chance.choice(["forward", "reverse", "bidirectional"])
        directions, gates = 1 + (direction == "bidirectional"), {"LSTM": 4, "GRU": 3, "RNN": 1}[kind]
        weights = [self.weight(directions, gates * hidden, size, spread=0.4) for size in (self.shape(x)[2], hidden)]
        biases = [self.weight(directions, 2 * gates * hidden, spread=0.4)] if self.chance.random() < 0.7 else []
        more = dict(linear_before_reset=self.chance.choice([0, 1])) if kind == "GRU" else {}
        self.add(
            kind,
            [x, *weights, *biases],
            outputs=3 if kind == "LSTM" else 2,
            hidden_size=hidden,
            direction=direction,
            **more,
        )

    def step_triangle(self):
        x = self.pick(lambda s: len(s) >= 2)
        if x is not None:
            self.add(
                "Trilu", [x, self.constant(np.int64(self.chance.choice([0, 1, -1])))], upper=self.chance.choice([0, 1])
            )

    def step_gate(self):
        """Squeeze and excitation, or the same on another map of that shape."""
        x = self.pick(lambda s: len(s) == 4 and s[1] > 1)
        if x is None:
            return
        channels = self.shape(x)[1]
        y = self.add("GlobalAveragePool", [x])
        y = self.add("Conv", [y, self.weight(2, channels, 1, 1), self.weight(2)])
        y = self.add("Relu", [y])
        y = self.add("Conv", [y, self.weight(channels, 2, 1, 1), self.weight(channels)])
        y = self.add("Sigmoid", [y])
        self.add("Mul", [self.chance.choice([x, self.like(x)]), y])

    def step_attention(self, misses=(None,) * 6 + NEAR_MISSES):
        """Attention of one or more heads, or something that is nearly that."""
        x = self.pick(lambda s: len(s) == 3 and s[2] % 4 == 0)
        if x is None:
            return
        n, length, width = self.shape(x)
        miss = self.chance.choice(misses)
        heads = 1 if miss == "unturned" else self.chance.choice([1, 2])
        if miss == "unturned" and length != width:
            return
        split = {}
        for part in "qkv":
            y = self.add("MatMul", [x, self.weight(width, width)])
            y = self.add("Reshape", [y, self.ints(n, length, heads, width // heads)])
            split[part] = self.add(
                "Transpose", [y], perm=[0, 2, 3, 1] if part == "k" and miss != "unturned" else [0, 2, 1, 3]
            )
        scores = self.add("MatMul", [split["q"], split["k"]])
        if self.chance.random() < 0.8:
            scores = self.add(self.chance.choice(["Mul", "Div"]), [scores, self.constant(np.float32(1.5))])
        if self.chance.random() < 0.4:
            scores = self.add("Add", [scores, self.constant(np.triu(np.full((length, length), -1e4, np.float32), 1))])
        probs = (
            self.add("Sigmoid", [scores])
            if miss == "sigmoid"
            else self.add("Softmax", [scores], axis=2 if miss == "axis" else -1)
        )
        if miss == "after":
            probs = self.add("Add", [probs, self.weight(length, length)])
        if miss == "scaled":
            probs = self.add("Mul", [probs, self.constant(np.float32(0.3))])
        if miss == "other values":
            probs = self.add("Transpose", [probs], perm=[0, 1, 3, 2])
        y = self.add("MatMul", [probs, split["v"]])
        if miss is None and self.chance.random() < 0.2:
            self.reduce_map(probs)
        y = self.add("Transpose", [y], perm=[0, 2, 1, 3])
        self.add("Reshape", [y, self.ints(n, length, width)])

    def reduce_map(self, probs):
        axes = dict(axes=[3]) if self.opset < 18 else {}
        self.add("ReduceMax", [probs] if axes else [probs, self.ints(3)], keepdims=0, **axes)

    OFTEN = ("attention", "move", "binary", "elementwise")

    def grow(self):
        """Inputs and some steps; sometimes a value in between becomes an output."""
        for _ in range(self.chance.choice([1, 2])):
            self.input(self.chance.choice(SHAPES))
        if self.chance.random() < 0.3:
            self.input(self.chance.choice(SHAPES), self.chance.choice([INT, LONG]))
        steps = sorted(name for name in dir(self) if name.startswith("step_"))
        steps += [f"step_{name}" for name in self.OFTEN]
        for _ in range(self.chance.randrange(3, 16)):
            getattr(self, self.chance.choice(steps))()
        while not self.nodes:  # no value fitted any of them
            getattr(self, self.chance.choice(steps))()
        inner = [name for made in self.nodes for name in made.output if name in self.used]
        self.asked = self.chance.sample(inner, min(len(inner), self.chance.choice([0, 0, 1])))

    def model(self):
        """Its outputs are what nothing reads, and what is asked for."""
        ends = [name for made in self.nodes for name in made.output if name not in self.used] + self.asked

        def described(names):
            return [(name, list(self.shape(name)), helper.np_dtype_to_tensor_dtype(self.type(name))) for name in names]

        return model(
            self.nodes,
            described(self.feeds),
            described(ends),
            [tensor(*pair) for pair in self.constants.items()],
            self.opset,
        )
