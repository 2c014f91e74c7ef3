"""What tests of hostile input share: small models, raw protobuf, and running fovea on them within bounds.
A refusal has the right status, says where it is, writes nothing, and takes neither long nor much memory."""
import os
import pathlib
import re
import resource
import subprocess
import sys
import tempfile

import numpy as np
from onnx import TensorProto, helper, numpy_helper

FOVEA = os.environ["FOVEA"]
INVALID, USAGE, UNSUPPORTED, SYSTEM = 1, 2, 3, 4
MEMORY, CPU_SECONDS = 2 << 30, 60
SANITIZED = b"__asan_init" in pathlib.Path(FOVEA).read_bytes()  # it reserves terabytes of addresses


def varint(number):
    """A protobuf varint, of the number's 64 low bits."""
    number &= (1 << 64) - 1
    encoded = bytearray()
    while number >= 0x80:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes(encoded) + bytes([number])


def field(number, payload):
    """A protobuf field: of bytes, or of an integer."""
    if isinstance(payload, int):
        return varint(number << 3) + varint(payload)
    return varint(number << 3 | 2) + varint(len(payload)) + payload


def node(op_type, inputs, outputs, name="", **attributes):
    """A node; inputs and outputs are names with spaces between."""
    return helper.make_node(op_type, inputs.split(), outputs.split(), name=name, **attributes)


def value(name, shape, element=TensorProto.FLOAT):
    return helper.make_tensor_value_info(name, element, shape)


def tensor(name, array):
    return numpy_helper.from_array(np.asarray(array), name)


def model(nodes, inputs=(("x", [2, 3]),), outputs=(("y", None),), initializers=(), opset=17, functions=()):
    """A model. Inputs and outputs are (name, shape) or (name, shape, type); initializers are TensorProtos."""
    graph = helper.make_graph(nodes, "g", [value(*i) for i in inputs], [value(*o) for o in outputs],
                              initializer=list(initializers))
    imports = [helper.make_opsetid("", opset)] + [helper.make_opsetid(f.domain, 1) for f in functions[:1]]
    return helper.make_model(graph, opset_imports=imports, ir_version=8, functions=list(functions))


def encoded(given):
    return given if isinstance(given, bytes) else given.SerializeToString()


def bound():
    """For the child: bounded memory, and processor time so that what does not end is seen."""
    if not SANITIZED:
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))


def fovea(*arguments, **options):
    """Runs fovea; returns its status and what it said."""
    done = subprocess.run([FOVEA, *arguments], capture_output=True, preexec_fn=bound, **options)
    return done.returncode, done.stderr.decode("utf-8", "backslashreplace")


class Checks:
    """Counts what is not as it should be, and says it."""

    def __init__(self):
        self.folder = tempfile.TemporaryDirectory()
        self.path = pathlib.Path(self.folder.name)
        self.done = self.failed = 0

    def check(self, what, condition, detail=""):
        self.done += 1
        if not condition:
            self.failed += 1
            print(f"FAILED {what}: {detail}"[:2000])
        return condition

    def place(self, given):
        """Writes a model; returns its path, and the path of a folder that is not there yet."""
        path = self.path / "bad.onnx"
        path.write_bytes(encoded(given))
        return path, self.path / "out"

    def refused(self, what, given, statuses, *patterns, options=()):
        """That compiling ends with a status, and says what fits the patterns (regular expressions); nothing is written."""
        path, out = self.place(given)
        return self.refused_path(what, path, out, statuses, *patterns, options=options)

    def refused_path(self, what, path, out, statuses, *patterns, options=()):
        statuses = (statuses,) if isinstance(statuses, int) else statuses
        before = sorted(self.path.rglob("*"))
        status, said = fovea("compile", path, "-o", out, *options)
        self.check(what, status in statuses, f"status {status}, expected {statuses}: {said}")
        self.check(what, said.startswith(f"{path}: error: ") or SYSTEM in statuses or USAGE in statuses, said)
        for pattern in patterns:
            self.check(what, re.search(pattern, said), f"{pattern!r} is not in: {said}")
        self.check(what, is_printable(said), f"it steers the terminal: {said!r}")
        self.check(what, before == sorted(self.path.rglob("*")), "something was written")
        return said

    def accepted(self, what, given, options=("--name", "model", "--testbench")):
        """That a model compiles; returns the folder with the code, new for each call, or None."""
        path, _ = self.place(given)
        out = pathlib.Path(tempfile.mkdtemp(dir=self.path))
        status, said = fovea("compile", path, "-o", out, *options)
        return out if self.check(what, status == 0, f"status {status}: {said}") else None

    def end(self):
        print(f"{self.done} checks, {self.failed} failed")
        self.folder.cleanup()
        return int(self.failed != 0)


def is_printable(text):
    """Whether a message has no control, bidirectional or invisible character in it but the ends of lines."""
    return all(c == "\n" or c.isprintable() for c in text)


def finish(checks):
    sys.exit(checks.end())
