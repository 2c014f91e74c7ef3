"""Operators that read maps between elements, pool boxes, or put windows back, with random parameters: interpreted,
and as generated C on two threads, fovea gives what ONNX Runtime gives. Of Col2Im it is ONNX's reference, as ONNX
Runtime mixes up channels in one and three dimensions. One model holds a node for each draw. The seed is printed;
FOVEA_SEED repeats it."""

import os
import pathlib
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from typing import Any

sys.path.insert(0, os.environ["FOVEA_SOURCE_DIR"] + "/tests/support")
import numpy as np
import onnx
import onnxruntime
from hostile import Checks, finish
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator
from random_seed import random_seed

FOVEA = os.environ["FOVEA"]
SEED = random_seed()
OPSET = 20
WAYS = (["--interpret"], ["--threads", "2"])
rng = np.random.default_rng(SEED)
checks = Checks()
onnxruntime.set_default_logger_severity(3)


def size(least: int, most: int) -> int:
    return int(rng.integers(least, most + 1))


def sizes(count: int, least: int, most: int) -> list[int]:
    return [size(least, most) for _ in range(count)]


def pick(*options: Any) -> Any:
    return options[size(0, len(options) - 1)]


def floats(*shape: int, spread: float = 1.0) -> np.ndarray:
    return (rng.standard_normal(shape) * spread).astype(np.float32)


class Model:
    """Nodes side by side, each with inputs and outputs of its own."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.inputs: dict[str, np.ndarray] = {}
        self.constants: dict[str, np.ndarray] = {}
        self.outputs: dict[str, int] = {}

    def add(self, op: str, *arrays: np.ndarray | None, types: tuple[int, ...] = (TensorProto.FLOAT,),
            known: tuple[int, ...] = (), domain: str = "", **attributes: Any) -> list[str]:
        """A node, its inputs numbered in `known` initializers; returns its outputs."""
        name = f"{op}{len(self.nodes)}"
        names = ["" if a is None else f"{name}_in{i}" for i, a in enumerate(arrays)]
        for i, array in enumerate(arrays):
            if array is not None:
                (self.constants if i in known else self.inputs)[names[i]] = array
        outputs = [f"{name}_out{i}" for i in range(len(types))]
        self.nodes.append(helper.make_node(op, names, outputs, name, domain=domain, **attributes))
        self.outputs.update(zip(outputs, types))
        return outputs

    def save(self, path: pathlib.Path) -> None:
        def info(name: str, array: np.ndarray) -> onnx.ValueInfoProto:
            return helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape)

        graph = helper.make_graph(self.nodes, "sampling", [info(*item) for item in self.inputs.items()],
                                  [helper.make_tensor_value_info(n, t, None) for n, t in self.outputs.items()],
                                  [numpy_helper.from_array(a, n) for n, a in self.constants.items()])
        opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid("com.microsoft", 1)]
        onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=9), path)


def add_grid_samples(model: Model) -> None:
    """Grids reach beyond the map."""
    for mode in ("nearest", "linear", "cubic"):
        for pads in ("zeros", "border", "reflection"):
            for aligned in (0, 1):
                rank = 2 if mode == "cubic" else size(2, 3)
                n, c = size(1, 2), size(1, 4)
                x = floats(n, c, *sizes(rank, 1, 6))
                grid = rng.uniform(-3, 3, (n, *sizes(rank, 1, 5), rank)).astype(np.float32)
                options = {"mode": mode, "padding_mode": pads, "align_corners": aligned}
                model.add("GridSample", x, grid, **options)
    model.add("GridSample", floats(2, 3, 5, 4), floats(2, 3, 4, 2), domain="com.microsoft", mode="bicubic",
              padding_mode="border")


def add_affine_grids(model: Model) -> None:
    for rank in (2, 3):
        for aligned in (0, 1):
            n, spatial = size(1, 3), sizes(rank, 2, 6)
            model.add("AffineGrid", floats(n, rank, rank + 1), np.array([n, 2, *spatial]), known=(1,),
                      align_corners=aligned)


def add_regions(model: Model) -> None:
    """Boxes lie partly outside of the map; some are turned round, or of no size."""
    for mode in ("avg", "max"):
        for ratio in (0, 2):
            for place in ("half_pixel", "output_half_pixel"):
                n, c, boxes = size(1, 2), pick(1, 3, 17), size(1, 4)
                corners = rng.uniform(-3, 12, (boxes, 4)).astype(np.float32)
                if ratio == 0:  # ONNX Runtime counts samples by the size, and fails where that is negative
                    corners[:, 2:] = corners[:, :2] + np.abs(corners[:, 2:]) + 0.1
                model.add("RoiAlign", floats(n, c, size(2, 9), size(2, 9)), corners, rng.integers(0, n, boxes),
                          mode=mode, sampling_ratio=ratio, coordinate_transformation_mode=place,
                          output_height=size(1, 4), output_width=size(1, 4), spatial_scale=pick(1.0, 0.5))
        n, boxes = size(1, 2), size(1, 4)
        corners = np.concatenate([rng.integers(0, n, (boxes, 1)), rng.uniform(-3, 12, (boxes, 4))], 1)
        model.add("MaxRoiPool", floats(n, size(1, 3), size(2, 9), size(2, 9)), corners.astype(np.float32),
                  pooled_shape=sizes(2, 1, 4), spatial_scale=pick(1.0, 0.5))


def add_suppressions(model: Model) -> None:
    """Scores are few numbers, so that many are equal."""
    for center in (0, 1):
        for _ in range(4):
            n, classes, count = size(1, 2), size(1, 3), size(1, 30)
            boxes = rng.uniform(0, 4, (n, count, 4)).astype(np.float32)
            scores = (rng.integers(0, 8, (n, classes, count)) / 8).astype(np.float32)
            limits = [np.array([v], t) for v, t in ((size(0, 9), np.int64), (pick(0.1, 0.4), np.float32),
                                                    (pick(0.0, 0.3), np.float32))]
            given = [*limits[:2], *pick([], limits[2:])]
            model.add("NonMaxSuppression", boxes, scores, *given, known=(0, 1, 2, 3, 4), types=(TensorProto.INT64,),
                      center_point_box=center)


def add_transposed(model: Model) -> None:
    for rank in (1, 2, 3):
        for _ in range(3):
            groups, n = size(1, 2), size(1, 2)
            c, k, kernel, strides = groups * size(1, 3), size(1, 5), sizes(rank, 1, 3), sizes(rank, 1, 3)
            model.add("ConvTranspose", floats(n, c, *sizes(rank, 3, 5)), floats(c, k, *kernel),
                      pick(None, floats(k * groups)), group=groups, strides=strides, dilations=sizes(rank, 1, 2),
                      pads=sizes(2 * rank, 0, 1), output_padding=[size(0, s - 1) for s in strides])


def add_unpooled(model: Model) -> None:
    """A pool's values and indices, and what undoes it; pools that overlap name the same place again, with one value."""
    for rank in (1, 2, 3):
        kernel, strides = sizes(rank, 1, 3), sizes(rank, 1, 3)
        shape = [(size(2, 4) - 1) * s + k for k, s in zip(kernel, strides)]
        x = floats(size(1, 2), size(1, 3), *shape)
        pooled = model.add("MaxPool", x, types=(TensorProto.FLOAT, TensorProto.INT64), kernel_shape=kernel,
                           strides=strides)
        name = f"MaxUnpool{len(model.nodes)}"
        model.nodes.append(helper.make_node("MaxUnpool", pooled, [name], name, kernel_shape=kernel, strides=strides))
        model.outputs[name] = TensorProto.FLOAT
        model.add("LpPool", x, kernel_shape=kernel, strides=strides, p=size(1, 3))


def add_blocks(model: Model) -> None:
    for rank in (1, 2, 3):
        for _ in range(2):
            kernel, strides, dilations = sizes(rank, 1, 3), sizes(rank, 1, 3), sizes(rank, 1, 2)
            pads, image = sizes(2 * rank, 0, 2), sizes(rank, 6, 8)
            blocks = [(image[i] + pads[i] + pads[i + rank] - dilations[i] * (kernel[i] - 1) - 1) // strides[i] + 1
                      for i in range(rank)]
            model.add("Col2Im", floats(size(1, 2), size(1, 3) * int(np.prod(kernel)), int(np.prod(blocks))),
                      np.array(image), np.array(kernel), known=(1, 2), strides=strides, dilations=dilations, pads=pads)


def add_deformed(model: Model) -> None:
    for _ in range(5):
        n, groups, offsets, kernel = size(1, 2), size(1, 2), size(1, 2), sizes(2, 1, 3)
        c, k, taps = 2 * groups * offsets, groups * size(1, 3), kernel[0] * kernel[1]
        strides, dilations, pads, image = sizes(2, 1, 2), sizes(2, 1, 2), sizes(4, 0, 2), sizes(2, 6, 9)
        out = [(image[i] + pads[i] + pads[i + 2] - dilations[i] * (kernel[i] - 1) - 1) // strides[i] + 1
               for i in range(2)]
        model.add("DeformConv", floats(n, c, *image), floats(k, c // groups, *kernel),
                  floats(n, 2 * offsets * taps, *out, spread=2.0), pick(None, floats(k)),
                  pick(None, floats(n, offsets * taps, *out)), group=groups, offset_group=offsets, strides=strides,
                  dilations=dilations, pads=pads, kernel_shape=kernel)


def types_of_its_own() -> Model:
    """What ONNX Runtime has no kernel for: elements that are picked, whatever they are, other floats, and the cubic
    mode in one and three dimensions."""
    model = Model()
    grid = rng.uniform(-1.5, 1.5, (2, 3, 4, 2))
    for x in (rng.integers(-(1 << 62), 1 << 62, (2, 2, 5, 3)), rng.integers(0, 2, (2, 2, 5, 3)) > 0):
        model.add("GridSample", x, grid, types=(helper.np_dtype_to_tensor_dtype(x.dtype),), mode="nearest")
    for mode in ("linear", "cubic"):
        model.add("GridSample", floats(2, 2, 5, 3).astype(np.float16), grid.astype(np.float32), mode=mode,
                  types=(TensorProto.FLOAT16,))
        model.add("GridSample", rng.standard_normal((2, 3, 4, 5)), grid, mode=mode, types=(TensorProto.DOUBLE,))
    for rank in (1, 3):
        places = rng.uniform(-1.5, 1.5, (1, *sizes(rank, 1, 4), rank)).astype(np.float32)
        model.add("GridSample", floats(1, 2, *sizes(rank, 2, 4)), places, mode="cubic", padding_mode="reflection")
    return model


def add_far_places(model: Model) -> dict[str, np.ndarray]:
    """What lies far away, or is no number, of which ONNX Runtime reads anything: zeros, and the element at the end."""
    x, grid = np.arange(1, 7, dtype=np.float32).reshape(1, 1, 2, 3), np.zeros((1, 1, 4, 2), np.float32)
    grid[0, 0] = [[1e30, 1], [-np.inf, 1], [np.nan, 1], [0, np.inf]]
    found = {}
    for mode in ("nearest", "linear", "cubic"):
        for pads, values in (("zeros", [0, 0, 0, 0]), ("border", [6, 4, 4, 5])):
            (name,) = model.add("GridSample", x, grid, mode=mode, padding_mode=pads, align_corners=1)
            found[name] = np.array(values, np.float32).reshape(1, 1, 1, 4)
    return found


def by_reference(model: Model, operators: tuple[str, ...]) -> dict[str, np.ndarray]:
    arrays = {**model.inputs, **model.constants}
    return {node.output[0]: ReferenceEvaluator(node).run(None, {name: arrays[name] for name in node.input})[0]
            for node in model.nodes if node.op_type in operators}


def by_runtime(model: Model, path: pathlib.Path) -> dict[str, np.ndarray]:
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return dict(zip(model.outputs, session.run(list(model.outputs), model.inputs)))


def check(model: Model, expected: dict[str, np.ndarray], folder: pathlib.Path,
          ways: Sequence[list[str]] = WAYS) -> None:
    np.savez(folder / "in.npz", **model.inputs)
    for way in ways:
        done = subprocess.run([FOVEA, "run", folder / "model.onnx", "-i", folder / "in.npz", "-o", folder / "out.npz",
                               *way], capture_output=True, text=True)
        checks.check(f"{way[0]}: run", done.returncode == 0, done.stderr)
        got = dict(np.load(folder / "out.npz")) if done.returncode == 0 else {}
        for node in model.nodes:
            for name in node.output if got else ():
                want = expected[name]
                near = 1e-3 if want.dtype == np.float16 else 2e-5
                same = got[name].shape == want.shape and got[name].dtype == want.dtype
                same = same and np.allclose(got[name], want, rtol=5 * near, atol=near)
                same = same and (want.dtype.kind == "f" or np.array_equal(got[name], want))
                said = f"{helper.printable_node(node)}\n{got[name]} instead of\n{want}"
                checks.check(f"{way[0]}: {name}", same, said)


def main() -> None:
    model, kept, other = Model(), Model(), types_of_its_own()
    for add in (add_grid_samples, add_affine_grids, add_regions, add_transposed, add_unpooled, add_blocks,
                add_deformed):
        add(model)
    add_suppressions(kept)
    far = add_far_places(model)
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        model.save(folder / "model.onnx")
        check(model, by_runtime(model, folder / "model.onnx") | by_reference(model, ("Col2Im",)) | far, folder)
        kept.save(folder / "model.onnx")  # constants, which generated C only copies
        check(kept, by_runtime(kept, folder / "model.onnx"), folder, WAYS[:1])
        other.save(folder / "model.onnx")
        check(other, by_reference(other, ("GridSample",)), folder)
    finish(checks)


if __name__ == "__main__":
    main()
