"""`fovea compile` on graphs that contradict themselves, and on operators and versions that fovea does not have.
Messages name both places of a contradiction, and all that is not supported."""
import os
import sys

sys.path.insert(0, os.environ["FOVEA_SOURCE_DIR"] + "/tests/support")
import numpy as np
from hostile import INVALID, UNSUPPORTED, Checks, encoded, field, finish, model, node, tensor, value
from onnx import TensorProto, helper

checks = Checks()
W = tensor("w", np.ones((2, 3), np.float32))


def test_order():
    checks.refused("a cycle of two", model([node("Add", "x b", "a", "first"), node("Neg", "a", "b", "second"),
                                            node("Neg", "b", "y", "third")]),
                   INVALID, r"cycle of 2(.|\n)*'first'(.|\n)*'second'")
    checks.refused("a node that reads itself", model([node("Add", "x y", "y", "self")]), INVALID, "cycle of 1", "'self'")
    chain = [node("Neg", f"v{i}", f"v{i + 1}", f"n{i}") for i in range(2000)] + [node("Add", "v2000 x", "v0", "back")]
    said = checks.refused("a cycle of 2001", model(chain + [node("Neg", "v7", "y")]), INVALID, "cycle of 2001", "1969 more")
    checks.check("a cycle of 2001", len(said) < 10000, f"{len(said)} characters")
    shuffled = [node("Neg", "a", "y"), node("Relu", "x", "a")]
    checks.accepted("nodes out of order", model(shuffled))
    long = [node("Neg", f"v{i}", f"v{i + 1}") for i in range(3000)] + [node("Relu", "x", "v0")]
    checks.accepted("3000 nodes, the last first", model(long[::-1], outputs=(("v3000", None),)))
    chain = [node("Relu", "x" if i == 0 else f"v{i - 1}", f"v{i}") for i in range(20000)]
    checks.accepted("20000 nodes in memory for them", model(chain, outputs=(("v19999", None),)))


def function(name, *calls):
    """x to y through calls of functions, one after the other."""
    names = ["x"] + [f"t{i}" for i in range(len(calls) - 1)] + ["y"]
    nodes = [helper.make_node(c, [names[i]], [names[i + 1]], domain="" if c == "Neg" else "f")
             for i, c in enumerate(calls)]
    return helper.make_function("f", name, ["x"], ["y"], nodes,
                                [helper.make_opsetid("", 17), helper.make_opsetid("f", 1)])


def test_functions():
    call = lambda name: [node(name, "x", "y", "call", domain="f")]
    checks.refused("a function that calls itself", model(call("a"), functions=[function("a", "a")]), INVALID,
                   "'f::a' calls itself")
    circle = [function("a", "b"), function("b", "c"), function("c", "a")]
    checks.refused("three functions in a circle", model(call("a"), functions=circle), INVALID, "calls itself", "'f::b'",
                   "'f::c'")
    deep = [function("f0", "Neg")] + [function(f"f{i}", f"f{i - 1}") for i in range(1, 102)]
    checks.refused("a chain of 102 functions", model(call("f101"), functions=deep), INVALID, "100 deep")
    checks.accepted("a chain of 100 functions", model(call("f99"), functions=deep))
    checks.refused("a function twice", model(call("a"), functions=[function("a", "Neg"), function("a", "Neg")]), INVALID,
                   "defined twice, by function 0 and by function 1")


def test_names():
    two = [node("Neg", "x", "y", "one"), node("Abs", "x", "y", "two")]
    checks.refused("two producers", model(two), INVALID, "'two'", "'one'")
    checks.refused("no producer", model([node("Add", "x nothing", "y", "sum")]), INVALID, "'sum'", "'nothing'")
    checks.refused("an output that nothing makes", model([node("Neg", "x", "a")]), INVALID, "'y'")
    checks.refused("an initializer twice", model([node("Add", "x w", "y")], initializers=[W, W]), INVALID,
                   "initializer 'w'", "initializer 0")
    checks.refused("an input twice", model([node("Neg", "x", "y")], inputs=(("x", [2]), ("x", [2]))), INVALID, "'x'")
    checks.refused("an initializer and a node's output", model([node("Neg", "x", "w", "neg"), node("Neg", "w", "y")],
                                                               initializers=[W]), INVALID, "'neg'", "initializer")
    checks.refused("a node's output that is an input", model([node("Neg", "x", "x"), node("Neg", "x", "y")]), INVALID,
                   "'x'", "input")
    twice = node("Relu", "x", "y", "twice")
    for _ in range(2):
        twice.attribute.append(helper.make_attribute("alpha", 1.0))
    checks.refused("an attribute twice", model([twice]), INVALID, "'twice'", "'alpha'")
    checks.refused("an attribute that is none", model([node("Relu", "x", "y", "r", slope=1.0)]), INVALID, "'r'", "'slope'")
    checks.refused("an attribute of the wrong kind", model([node("Softmax", "x", "y", "s", axis="last")]), INVALID, "'s'",
                   "'axis'", "string", "int")
    checks.refused("an attribute left out", model([node("Cast", "x", "y", "c")]), INVALID, "'c'", "to")
    body = helper.make_graph([node("Neg", "x", "h")], "branch", [], [value("h", None)])
    shadow = helper.make_graph([node("Neg", "x", "outer"), node("Neg", "outer", "h")], "branch", [], [value("h", None)])
    nodes = [node("Neg", "x", "outer", "first"), node("If", "c", "y", "if", then_branch=body, else_branch=shadow)]
    checks.refused("a name that hides one of the outer graph", model(nodes, inputs=(("x", [2]), ("c", [], TensorProto.BOOL))),
                   INVALID, "'outer'", "'first'")


def test_inputs_left_out():
    clip = [helper.make_node("Clip", ["x", "", "high"], ["y"])]
    high = tensor("high", np.float32(1))
    checks.accepted("Clip without a minimum", model(clip, initializers=[high]))
    checks.accepted("Clip without either, as ''", model([helper.make_node("Clip", ["x", "", ""], ["y"])]))
    checks.accepted("Clip without either", model([node("Clip", "x", "y")]))
    checks.accepted("Dropout with a mask that is left out", model([helper.make_node("Dropout", ["x"], ["y", ""])]))
    checks.refused("Add without its second", model([helper.make_node("Add", ["x", ""], ["y"], name="sum")]), INVALID, "'sum'",
                   "left out")
    checks.refused("Add of one", model([node("Add", "x", "y", "sum")]), INVALID, "'sum'", "1 input")
    checks.refused("Add of three", model([node("Add", "x x x", "y", "sum")]), INVALID, "'sum'", "3 inputs")
    for op_type, attributes in {"Sum": {}, "Mean": {}, "Max": {}, "Min": {}, "Concat": {"axis": 0}, "Einsum": {"equation": "ab,ab->ab"}}.items():
        some = lambda *inputs: model([helper.make_node(op_type, inputs, ["y"], name="some", **attributes)])
        checks.refused(f"{op_type} of nothing", some(), INVALID, "'some'", "0 inputs")
        checks.refused(f"{op_type} with one that is left out", some("x", ""), INVALID, "'some'", "left out")
        checks.refused(f"{op_type} without its first", some("", "x"), INVALID, "'some'", "left out")
    split = [helper.make_node("Split", ["x"], ["", "y", ""], axis=1)]
    checks.accepted("Split of which a part is wanted", model(split))
    checks.refused("Split into nothing", model([helper.make_node("Split", ["x"], [], name="cut"), node("Neg", "x", "y")]), INVALID, "'cut'", "0 outputs")
    checks.refused("Add with two outputs", model([node("Add", "x x", "y z", "sum")]), INVALID, "'sum'", "2 outputs")


def test_unsupported():
    nodes = [node("Quux", "x", "a", "q1"), node("Quux", "a", "b", "q2"), node("StringNormalizer", "b", "c"),
             node("Relu", "c", "d", domain="com.example"), node("Unheard", "d", "y")]
    nodes[-1].attribute.append(helper.make_attribute("body", helper.make_graph([node("Hidden", "b", "k")], "body", [], [value("k", [1])])))
    given = model(nodes)
    given.opset_import.append(helper.make_opsetid("com.example", 1))
    checks.refused("five operators", given, UNSUPPORTED, r"'Quux' .*\(2 nodes\)", "'StringNormalizer'",
                   "'Relu' of domain 'com.example'", "'Unheard'", "'Hidden'")
    for name in ("Attention", "SqueezeExcitation"):  # fovea's own, for what it has fused
        own = model([node(name, "x", "y", domain="fovea")])
        own.opset_import.append(helper.make_opsetid("fovea", 1))
        checks.refused(f"{name} of domain fovea", own, UNSUPPORTED, f"'{name}' of domain 'fovea'")
    checks.refused("opset 29", model([node("Relu", "x", "y")], opset=29), UNSUPPORTED, "29")
    checks.refused("opset 5", model([node("Clip", "x", "y")], opset=5), UNSUPPORTED, "not supported in opset 5")
    checks.refused("opset -1", model([node("Relu", "x", "y")], opset=-1), (INVALID, UNSUPPORTED), "-1")
    for version in (0, 2, 999, -1, (1 << 62)):
        late = model([node("Relu", "x", "y")])
        late.ir_version = version
        checks.refused(f"IR version {version}", late, (INVALID, UNSUPPORTED), str(version) if version > 0 else "ir_version")
    checks.refused("a domain that is not imported", model([node("F", "x", "y", domain="nowhere")]), INVALID, "'nowhere'")
    checks.refused("no opset", field(1, 8) + field(7, encoded(model([node("Relu", "x", "y")]).graph)), INVALID, "opset")
    checks.refused("operators that come later", model([node("Gelu", "x", "y")], opset=19), UNSUPPORTED, "'Gelu' .*opset 19")
    strings = model([node("Identity", "x", "y")], inputs=(("x", [2], TensorProto.STRING),))
    checks.refused("strings", strings, UNSUPPORTED, "string")


def test_tensors():
    def misfit(**fields):
        w = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[2, 3])
        for key, given in fields.items():
            getattr(w, key).extend(given) if isinstance(given, list) else setattr(w, key, given)
        return model([node("Add", "x w", "y")], initializers=[w])

    checks.refused("raw_data that is too short", misfit(raw_data=bytes(23)), INVALID, "'w'", "23 bytes", "24")
    checks.refused("raw_data that is too long", misfit(raw_data=bytes(25)), INVALID, "'w'", "25 bytes")
    checks.refused("no data", misfit(), INVALID, "'w'", "no data")
    checks.refused("two data fields", misfit(raw_data=bytes(24), float_data=[1.0] * 6), INVALID, "'w'", "two fields")
    checks.refused("data of another type", misfit(int64_data=[1] * 6), INVALID, "'w'", "int64_data", "float_data")
    checks.refused("too few floats", misfit(float_data=[1.0] * 5), INVALID, "'w'", "5 elements")
    checks.refused("type 99", misfit(raw_data=bytes(24), data_type=99), UNSUPPORTED, "'w'", "99")
    huge = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[1 << 31, 1 << 31, 1 << 31], raw_data=bytes(24))
    checks.refused("2^93 elements", model([node("Add", "x w", "y")], initializers=[huge]), INVALID, "'w'")
    many = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[1 << 30], raw_data=bytes(24))
    checks.refused("2^30 elements without data", model([node("Add", "x w", "y")], initializers=[many]), INVALID, "'w'",
                   "4294967296")


test_order()
test_functions()
test_names()
test_inputs_left_out()
test_unsupported()
test_tensors()
finish(checks)
