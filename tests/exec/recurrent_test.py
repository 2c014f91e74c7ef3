"""LSTM, GRU and RNN in random forms (directions, lengths, states, peepholes, clips, activations and their parameters,
outputs left out) give what ONNX Runtime gives, interpreted and compiled; in float16 and double what they give in float.
What contradicts itself is refused. The seed is printed, and FOVEA_SEED repeats it."""

import os
import sys
from typing import Any

sys.path.insert(0, os.environ["FOVEA_SOURCE_DIR"] + "/tests/support")
import numpy as np
import onnxruntime
from hostile import INVALID, Checks, encoded, finish, fovea, tensor
from hostile import model as small_model
from onnx import ModelProto, helper
from random_seed import random_seed

SEED = random_seed()
rng = np.random.default_rng(SEED)
onnxruntime.set_default_logger_severity(4)

CELLS = {"LSTM": (4, 3), "GRU": (3, 2), "RNN": (1, 1)}  # gates, activations
ACTIVATIONS = {
    "Relu": "",
    "Tanh": "",
    "Sigmoid": "",
    "Affine": "ab",
    "LeakyRelu": "a",
    "ThresholdedRelu": "a",
    "ScaledTanh": "ab",
    "HardSigmoid": "ab",
    "Elu": "a",
    "Softsign": "",
    "Softplus": "",
}
TOLERANCE = {np.float32: 2e-5, np.float64: 2e-5, np.float16: 2e-2}  # of the range of an output


def perhaps(chance: float = 0.5) -> bool:
    return bool(rng.random() < chance)


def floats(*shape: int, spread: float = 1) -> np.ndarray:
    return (spread * rng.uniform(-1, 1, shape)).astype(np.float16).astype(np.float32)  # the same numbers in each type


class Form:
    """One node of random form. arrays: its inputs as layout 0 has them, by ONNX's names, None where left out."""

    def __init__(self, op_type: str, name: str, **fixed: Any) -> None:
        self.op_type, self.name = op_type, name
        self.opset = int(rng.choice([7, 14, 22]))
        gates, functions = CELLS[op_type]
        direction = str(rng.choice(["forward", "reverse", "bidirectional"]))
        d = 2 if direction == "bidirectional" else 1
        self.steps, n, width, hidden = (int(rng.integers(1, most)) for most in (7, 5, 6, 20))
        self.attributes = {"direction": direction, "hidden_size": hidden}
        self.layout = perhaps(0.3)
        some = {
            "B": floats(d, 2 * gates * hidden),
            "sequence_lens": rng.integers(0, self.steps + 1, n).astype(np.int32),
            "initial_h": floats(d, n, hidden),
        }
        if op_type == "LSTM":
            some |= {"initial_c": floats(d, n, hidden), "P": floats(d, 3 * hidden)}
            self.attributes["input_forget"] = int(perhaps(0.2))
        if op_type == "GRU":
            self.attributes["linear_before_reset"] = int(perhaps())
        if perhaps(0.3):
            self.attributes["clip"] = float(rng.uniform(0.2, 1))
        if perhaps():
            self.choose_activations(d * functions)
        self.arrays = {
            "X": floats(self.steps, n, width),
            "W": floats(d, gates * hidden, width, spread=0.3),
            "R": floats(d, gates * hidden, hidden, spread=0.3),
        }
        self.arrays |= {key: array if perhaps(0.6) else None for key, array in some.items()}
        self.outputs = [f"{name}_{y}" if perhaps(0.7) else "" for y in ("Y", "Y_h", "Y_c")[: 2 + (op_type == "LSTM")]]
        if not any(self.outputs):
            self.outputs[1] = f"{name}_Y_h"
        self.constant = {key for key in ("W", "R", "B", "P") if perhaps(0.8)}

    def choose_activations(self, count: int) -> None:
        chosen = [str(rng.choice(list(ACTIVATIONS))) for _ in range(count)]
        self.attributes["activations"] = chosen
        for parameter, attribute in (("a", "activation_alpha"), ("b", "activation_beta")):
            needed = sum(parameter in ACTIVATIONS[name] for name in chosen)
            known = not {"Affine", "ScaledTanh", "ThresholdedRelu"} & set(
                chosen
            )  # all have the same default everywhere
            if needed and perhaps(0.3 if known else 1):
                self.attributes[attribute] = [float(v) for v in rng.uniform(0.1, 0.9, needed)]

    def of(self, type_: type, batch_first: bool) -> dict[str, np.ndarray | None]:
        """The inputs in a type and a layout."""
        made = {}
        for key, array in self.arrays.items():
            if array is not None and array.dtype == np.float32:
                array = array.astype(type_)
            swapped = batch_first and array is not None and key in ("X", "initial_h", "initial_c")
            made[key] = np.ascontiguousarray(array.swapaxes(0, 1)) if swapped else array
        return made

    def laid(self, output: str, array: np.ndarray) -> np.ndarray:
        """An output of layout 0 as the form's has it."""
        if not self.layout:
            return array
        return array.transpose(2, 0, 1, 3) if output.endswith("_Y") else array.swapaxes(0, 1)


def model(forms: list[Form], type_: type, batch_first: bool) -> tuple[ModelProto, dict[str, np.ndarray]]:
    """All forms side by side, with layouts of their own or with layout 0; and what to feed."""
    nodes, initializers, feeds = [], [], {}
    element = helper.np_dtype_to_tensor_dtype(np.dtype(type_))
    for form in forms:
        arrays = form.of(type_, batch_first and form.layout)
        layout = {"layout": 1} if batch_first and form.layout else {}
        names = {key: "" if array is None else f"{form.name}_{key}" for key, array in arrays.items()}
        nodes.append(
            helper.make_node(form.op_type, list(names.values()), form.outputs, form.name, **form.attributes, **layout)
        )
        initializers += [tensor(names[key], a) for key, a in arrays.items() if a is not None and key in form.constant]
        feeds |= {names[key]: a for key, a in arrays.items() if a is not None and key not in form.constant}
    inputs = [
        helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(a.dtype), a.shape) for n, a in feeds.items()
    ]
    outputs = [helper.make_tensor_value_info(y, element, None) for form in forms for y in form.outputs if y]
    graph = helper.make_graph(nodes, "g", inputs, outputs, initializers)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 22)], ir_version=10), feeds


LARGEST = 1000  # gates without bounds let a cell grow from step to step, to infinity


def is_bounded(form: Form, wants: dict[str, np.ndarray]) -> bool:
    return all(np.abs(wants[name]).max() < LARGEST for name in filter(None, form.outputs))


def check_forms(checks: Checks, forms: list[Form]) -> None:
    reference, feeds = model(forms, np.float32, batch_first=False)
    session = onnxruntime.InferenceSession(reference.SerializeToString(), providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    wants = dict(zip(names, session.run(names, feeds)))
    drawn, forms = len(forms), [form for form in forms if is_bounded(form, wants)]
    checks.check("most forms are bounded", len(forms) > drawn // 2, f"{len(forms)} of {drawn}")
    for type_, tolerance in TOLERANCE.items():
        given, feeds = model(forms, type_, batch_first=True)
        (checks.path / "model.onnx").write_bytes(encoded(given))
        np.savez(checks.path / "in.npz", **feeds)
        for how in (["--interpret"], []):
            status, said = fovea(
                "run", checks.path / "model.onnx", *how, "-i", checks.path / "in.npz", "-o", checks.path / "out.npz"
            )
            if not checks.check(f"{type_.__name__} {how}", status == 0, said):
                return
            got = np.load(checks.path / "out.npz")
            for form in forms:
                for name in filter(None, form.outputs):
                    want = form.laid(name, wants[name])
                    fits = got[name].shape == want.shape and got[name].dtype == type_
                    worst = float(np.abs(got[name] - want).max() / max(1, np.abs(want).max())) if fits else np.inf
                    what = f"{form.op_type} {form.attributes} layout {int(form.layout)} {name} {type_.__name__} {how}"
                    checks.check(
                        what,
                        worst <= tolerance,
                        f"differs by {worst:.1e}, of {[k for k, a in form.arrays.items() if a is not None]}",
                    )


def unrolled() -> Form:
    """A layer so small that all of its loops are unrolled. GCC 12 and 13 make wrong vectors of what comes out, where it
    is the only layer of a model, unless told not to."""
    form = Form("RNN", "unrolled")
    form.opset, form.steps, form.layout = 14, 4, False
    form.attributes = {"direction": "bidirectional", "hidden_size": 7}
    form.arrays = {
        "X": floats(4, 1, 4),
        "W": floats(2, 7, 4, spread=0.3),
        "R": floats(2, 7, 7, spread=0.3),
        "B": floats(2, 14),
        "sequence_lens": np.full(1, 2, np.int32),
        "initial_h": floats(2, 1, 7),
    }
    form.outputs, form.constant = ["unrolled_Y", "unrolled_Y_h"], {"W", "B"}
    return form


def layer(op_type: str = "LSTM", lengths: tuple[int, ...] = (3, 3), **attributes: Any) -> ModelProto:
    gates = CELLS[op_type][0]
    initializers = [
        tensor("w", floats(1, gates * 4, 5)),
        tensor("r", floats(1, gates * 4, 4)),
        tensor("l", np.int32(lengths)),
    ]
    layer_node = helper.make_node(op_type, ["x", "w", "r", "", "l"], ["y"], **attributes)
    return small_model([layer_node], inputs=[("x", [3, 2, 5])], initializers=initializers)


def check_refused(checks: Checks) -> None:
    for what, given, said in (
        ("a direction", layer(direction="sideways"), "direction is 'sideways'"),
        ("two directions, weights of one", layer(direction="bidirectional"), "input 1 \\(W\\)"),
        (
            "activations of one direction too many",
            layer("RNN", activations=["Tanh", "Tanh"]),
            "2 activations, expected 1",
        ),
        ("an activation", layer("RNN", activations=["Cosine"]), "'Cosine' is no activation"),
        ("no alpha", layer("RNN", activations=["Affine"]), "activation_alpha has no value for Affine"),
        ("a clip", layer(clip=0.0), "clip is 0"),
        ("a hidden size", layer(hidden_size=-4), "hidden_size is -4"),
        ("another hidden size", layer(hidden_size=5), "hidden_size"),
        ("a length", layer(lengths=(3, 4)), "sequence 1 has 4 steps"),
        ("a length too many", layer(lengths=(3, 2, 1)), "sequence_lens"),
    ):
        checks.refused(what, given, INVALID, said)


def main() -> None:
    checks = Checks()
    check_forms(
        checks, [Form(op_type, f"{op_type}{i}") for op_type in CELLS for i in range(12 if op_type == "LSTM" else 8)]
    )
    check_forms(checks, [unrolled()])
    check_refused(checks)
    finish(checks)


main()
