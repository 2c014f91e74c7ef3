"""The official test cases of the onnx package, as plain arrays and model files, made once for each version of it and of
this file.

A case's models are files in a folder: NAME.onnx and, where inputs could as well be constants, NAME.fixed.onnx, in which
the small integer inputs behind the first (axes, shapes, indices) are initializers.
"""

import glob
import hashlib
import math
import os
import pickle
import re
import shutil
import warnings
from dataclasses import dataclass, field

import numpy as np

DISK_KINDS = ("simple", "light", "pytorch-operator", "pytorch-converted")


@dataclass
class Case:
    name: str
    group: str  # the operator that it tests, or the folder that it comes from
    rtol: float
    atol: float
    # Of (inputs, outputs), each a dict by name of an array, a list of arrays (a sequence), or None (nothing is given).
    data_sets: list = field(default_factory=list)
    fixed: list = field(default_factory=list)  # names of the inputs that NAME.fixed.onnx has as constants
    obstacle: str = ""  # why it cannot be run with tensors alone
    prefix: str = ""  # of its symbols and files in generated code


def base_name(name):
    """test_gelu_default_1 for test_gelu_default_1_expanded: a case made from an operator's function body."""
    return re.sub(r"_expanded.*$", "", name)


class NotTensors(Exception):
    pass


def as_array(value):
    import onnx

    if value is None:
        return None
    if isinstance(value, list):
        return [as_array(element) for element in value]
    if isinstance(value, onnx.TensorProto):
        return onnx.numpy_helper.to_array(value)
    if isinstance(value, (np.ndarray, np.generic)):
        return np.asarray(value)
    raise NotTensors("its data are no tensors")


def named(values, names):
    return {name: as_array(value) for name, value in zip(names, values)}


def tensors_of(values):
    """The tensors that generated code has in the place of values: of a sequence NAME_0, NAME_1, ..."""
    tensors = {}
    for name, value in values.items():
        if isinstance(value, list):
            tensors.update({f"{name}_{i}": element for i, element in enumerate(value)})
        elif value is not None:
            tensors[name] = value
    return tensors


# Where what a result's shape depends on, or whether there is a result, are other inputs than small integers, or the
# first one.
SHAPE_INPUTS = {"BlackmanWindow": [0], "Compress": [1], "ConstantOfShape": [0], "Dropout": [1, 2], "HammingWindow": [0],
                "HannWindow": [0], "If": [0], "Loop": [0, 1], "MelWeightMatrix": [0, 1, 2, 3, 4],
                "NonMaxSuppression": [0, 1, 2, 3, 4], "NonZero": [0], "OneHot": [1], "Range": [0, 1, 2],
                "Resize": [1, 2, 3], "Unique": [0], "Upsample": [1]}


def shape_inputs(model):
    """The names of all inputs of the operators that SHAPE_INPUTS lists, and of what a Range, and a Loop's trip count, are
    computed from."""
    made_by = {name: node for node in model.graph.node for name in node.output}
    names = {node.input[i] for node in model.graph.node for i in SHAPE_INPUTS.get(node.op_type, [])
             if i < len(node.input)}
    waiting = [node.input[i] for node in model.graph.node if node.op_type in ("Range", "Loop")
               for i in SHAPE_INPUTS[node.op_type] if i < len(node.input)]
    while waiting:
        node = made_by.get(waiting.pop())
        if node is not None and node.op_type not in ("Shape", "Size"):  # these are known when the shape is
            names.update(node.input)
            waiting.extend(node.input)
    return names


def fix_inputs(model, data_sets):
    """The model with what shapes depend on as constants: its small integer inputs, but the first, and shape_inputs().
    The names of these."""
    import onnx

    initialized = {i.name for i in model.graph.initializer}
    names = [i.name for i in model.graph.input if i.name not in initialized]
    first, wanted = data_sets[0][0], shape_inputs(model)
    first = {name: value for name, value in first.items() if isinstance(value, np.ndarray)}
    small = {name for name in names[1:] if name in first and first[name].dtype in (np.int32, np.int64)
             and first[name].ndim <= 1 and first[name].size <= 64}
    fixed = [name for name in names if name in first and (name in small or name in wanted)
             and all(np.array_equal(inputs[name], first[name]) for inputs, _ in data_sets)]
    made = onnx.ModelProto()
    made.CopyFrom(model)
    for value in [v for v in made.graph.input if v.name in fixed]:
        made.graph.input.remove(value)
    made.graph.initializer.extend(onnx.numpy_helper.from_array(first[name], name) for name in fixed)
    return made, fixed


def read_data_sets(folder, input_names, output_names):
    import onnx

    def read(path):
        tensor = onnx.TensorProto()
        with open(path, "rb") as file:
            tensor.ParseFromString(file.read())
        return onnx.numpy_helper.to_array(tensor)

    def read_all(prefix, names):
        count = len(glob.glob(os.path.join(prefix + "_*.pb")))
        return {name: read(f"{prefix}_{i}.pb") for i, name in enumerate(names[:count])}

    for directory in sorted(glob.glob(os.path.join(folder, "test_data_set_*"))):
        yield (read_all(os.path.join(directory, "input"), input_names),
               read_all(os.path.join(directory, "output"), output_names))


def load_disk_case(test, group):
    import onnx

    model = onnx.load(os.path.join(test.model_dir, "model.onnx"))
    case = Case(test.name, group, test.rtol, test.atol)
    # The files are numbered as the inputs are, initializers left out unless they are overridden.
    initialized = {i.name for i in model.graph.initializer}
    names = [i.name for i in model.graph.input if i.name not in initialized]
    try:
        case.data_sets = list(read_data_sets(test.model_dir, names, [o.name for o in model.graph.output]))
    except Exception as error:  # noqa: BLE001 - a sequence in a .pb file parses as any of several things
        case.obstacle = f"its data are no tensors ({type(error).__name__})"
    return case, model


def load_node_case(test, group):
    case = Case(test.name, group, test.rtol, test.atol)
    try:
        for inputs, outputs in test.data_sets:
            case.data_sets.append((named(inputs, [i.name for i in test.model.graph.input]),
                                   named(outputs, [o.name for o in test.model.graph.output])))
    except NotTensors as obstacle:
        case.data_sets, case.obstacle = [], str(obstacle)
    return case, test.model


def official_cases():
    """Pairs of a Case and its model."""
    from onnx.backend.test.case.node import collect_testcases
    from onnx.backend.test.loader import load_model_tests

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the reference implementation, which computes what it expects
        tests = list(collect_testcases(None))
    operators = {t.name: t.model.graph.node[0].op_type for t in tests if len(t.model.graph.node) > 0}
    for test in tests:
        group = operators.get(base_name(test.name)) or operators.get(test.name, "none")
        yield load_node_case(test, group)
    for kind in DISK_KINDS:
        for test in load_model_tests(kind=kind):
            if test.model_dir is not None:  # the others would be downloaded
                yield load_disk_case(test, kind)


def write_case(folder, case, model):
    with open(os.path.join(folder, case.name + ".onnx"), "wb") as file:
        file.write(model.SerializeToString())
    if not case.data_sets:
        return
    made, case.fixed = fix_inputs(model, case.data_sets)
    if case.fixed:
        with open(os.path.join(folder, case.name + ".fixed.onnx"), "wb") as file:
            file.write(made.SerializeToString())


def onnx_version():
    from importlib.metadata import version

    return version("onnx")


def load_cases(build_folder):
    """The folder of the models, and all cases, sorted by name."""
    with open(__file__, "rb") as file:
        maker = hashlib.sha256(file.read()).hexdigest()[:12]
    folder = os.path.join(build_folder, f"cases-{onnx_version()}-{maker}")
    index = os.path.join(folder, "cases.pickle")
    if os.path.exists(index):
        with open(index, "rb") as file:
            return folder, pickle.load(file)
    for outdated in glob.glob(os.path.join(build_folder, "cases-*")):
        shutil.rmtree(outdated)
    os.makedirs(folder)
    cases = []
    for case, model in official_cases():
        write_case(folder, case, model)
        cases.append(case)
    cases.sort(key=lambda case: case.name)
    for number, case in enumerate(cases):
        case.prefix = f"case_{number:04d}"
    assert len({case.name for case in cases}) == len(cases)
    assert all(math.isfinite(case.rtol) and math.isfinite(case.atol) for case in cases)
    with open(index + ".new", "wb") as file:
        pickle.dump(cases, file)
    os.replace(index + ".new", index)
    return folder, cases
