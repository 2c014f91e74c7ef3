"""`fovea compile` and files: external data that leads elsewhere, outputs that must not be written, signals, full disks.
What is refused leaves everything as it was."""
import os
import pathlib
import resource
import signal
import socket
import subprocess
import sys
import time

sys.path.insert(0, os.environ["FOVEA_SOURCE_DIR"] + "/tests/support")
import numpy as np
from hostile import FOVEA, INVALID, SYSTEM, USAGE, Checks, encoded, finish, fovea, is_printable, model, node, tensor
from onnx import TensorProto

checks = Checks()
SECRET = b"SECRET! " * 8
RELU = model([node("Relu", "x", "y")])


def external(location, *, dims=(2, 3), **keys):
    """A model whose w is a float tensor at that location."""
    w = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=dims, data_location=TensorProto.EXTERNAL)
    for key, given in {"location": location, **keys}.items():
        if given is not None:
            w.external_data.add(key=key, value=str(given))
    return model([node("Add", "x w", "y")], initializers=[w])


def test_external_data():
    home = checks.path
    inner = home / "inner"
    inner.mkdir()
    (home / "secret").write_bytes(SECRET)
    (home / "data").write_bytes(np.arange(6, dtype=np.float32).tobytes())
    (home / "linked").write_bytes(SECRET)
    (home / "soft").symlink_to("secret")
    (home / "up").symlink_to(home.parent)
    os.link(home / "linked", home / "hard")
    os.mkfifo(home / "fifo")
    (inner / "data").write_bytes((home / "data").read_bytes())
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(home / "socket"))
    folder = checks.accepted("external data", external("data"))
    folder and checks.check("external data", "5.0f" in (folder / "model.c").read_text(), "it is not in the code")
    checks.accepted("external data in a folder", external("inner/data"))
    checks.accepted("external data by ./", external("./data"))
    for location, pattern in {
            "../secret": "'..'", "inner/../../secret": "'..'", "inner/../data": "'..'", "..": "'..'",
            "/etc/passwd": "absolute", str(home / "data"): "absolute", "soft": "symbolic link", "hard": "hard link",
            f"up/{home.name}/secret": "symbolic link", "fifo": "regular", "socket": "", "inner": "directory", ".": "directory",
            "data/": "directory", "inner//data": "empty", "none": "No such file", "": "empty name", "data\n": "No such file",
            "\x1b[2Jdata": "No such file", "\u202edata": "No such file", "d" * 300: "too long", "d/" * 3000 + "d": "",
    }.items():
        checks.refused(f"external data at {location[:40]!r}", external(location), (INVALID, SYSTEM), "'w'", pattern)
    for what, keys in {
            "one byte too far": dict(offset=1), "past the end": dict(offset=1 << 40), "at -8": dict(offset=-8),
            "at INT64_MAX": dict(offset=(1 << 63) - 1, length=24), "wrapped": dict(offset=(1 << 64) - 8),
            "shorter than the tensor": dict(length=23), "longer": dict(length=25), "of length -1": dict(length=-1),
            "in hexadecimal": dict(offset="0x0"), "at nothing": dict(offset=""), "with an unknown key": dict(secret="1"),
    }.items():
        checks.refused(f"external data {what}", external("data", **keys), INVALID, "'w'", "external data")
    checks.refused("no location", external(None), INVALID, "'w'", "location")
    checks.refused("a tensor larger than its file", external("data", dims=(1 << 28,)), INVALID, "'w'", "ends before")
    alone = encoded(external("data"))
    status, said = fovea("compile", "/dev/stdin", "-o", home / "out", input=alone)
    checks.check("a model from a pipe", status in (INVALID, SYSTEM), said)
    listening.close()


def test_inputs_that_are_no_files():
    for path, statuses in {checks.path / "none.onnx": SYSTEM, checks.path: SYSTEM, pathlib.Path("/dev/zero"): SYSTEM,
                           pathlib.Path("/dev/null"): SYSTEM, checks.path / "fifo": SYSTEM}.items():
        checks.refused_path(f"model {path.name}", path, checks.path / "out", (statuses, INVALID))
    hostile = checks.path / "evil\x1b[2J\u202e\n.onnx"
    hostile.write_bytes(b"no model")
    status, said = fovea("compile", hostile, "-o", checks.path / "out")
    checks.check("a path that steers the terminal", status == INVALID and is_printable(said), repr(said))
    hostile.unlink()


def test_usage():
    path, out = checks.place(RELU)
    for arguments in ([path], [path, "-o"], ["-o", out], [path, path, "-o", out], [path, "-o", out, "--nonsense"],
                      [path, "-o", out, "--weights", "\x1b[2J*/"], [path, "-o", out, "--fuse", "nonsense"],
                      [path, "-o", out, "--fuse", "no-nonsense"], [path, "-o", out, "--fuse", "no-gates,means"],
                      [path, "-o", out, "--probes", "nothing*"], [path, "-o", out, "--dump-after", "nonsense"], [path, "-o", ""],
                      [path, "-o", out, "--testbench=yes"]):
        status, said = fovea("compile", *arguments)
        checks.check(f"usage {arguments[1:]}", status == USAGE and said and is_printable(said), f"status {status}: {said}")
        checks.check(f"usage {arguments[1:]}", not out.exists(), "something was written")


def contents(folder):
    return {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def untouched(what, folder, statuses, *arguments):
    """That a compilation fails, and leaves a folder as it was."""
    before, names = contents(folder), sorted(folder.rglob("*"))
    status, said = fovea("compile", *arguments)
    checks.check(what, status in statuses, f"status {status}, expected {statuses}: {said}")
    checks.check(what, contents(folder) == before and sorted(folder.rglob("*")) == names, "something was changed")


def test_outputs():
    path, _ = checks.place(RELU)
    folder = checks.path / "outputs"
    folder.mkdir()
    itself = folder / "model.c"
    itself.write_bytes(encoded(RELU))
    untouched("the input is an output", folder, (USAGE,), itself, "-o", folder, "--name", "model")
    other = checks.path / "second"
    other.mkdir()
    (other / "model.onnx").write_bytes(encoded(RELU))
    os.link(other / "model.onnx", other / "x.h")
    untouched("the input by another name", other, (USAGE,), other / "model.onnx", "-o", other, "--name", "x")
    itself.unlink()
    (checks.path / "victim").write_text("precious")
    itself.symlink_to(checks.path / "victim")
    untouched("a symbolic link", folder, (SYSTEM,), path, "-o", folder, "--name", "model")
    checks.check("a symbolic link", (checks.path / "victim").read_text() == "precious", "it was followed")
    itself.unlink()
    itself.symlink_to(checks.path / "nowhere")
    untouched("a dangling link", folder, (SYSTEM,), path, "-o", folder, "--name", "model")
    itself.unlink()
    itself.mkdir()
    untouched("a folder", folder, (SYSTEM,), path, "-o", folder, "--name", "model")
    itself.rmdir()
    os.mkfifo(itself)
    untouched("a pipe", folder, (SYSTEM,), path, "-o", folder, "--name", "model")
    itself.unlink()
    (folder / "model.json").write_text("old")
    (folder / "model.json").chmod(0o444)
    untouched("read-only", folder, (SYSTEM,), path, "-o", folder, "--name", "model")
    (folder / "model.json").chmod(0o644)
    status, said = fovea("compile", path, "-o", folder, "--name", "model")
    checks.check("an older output", status == 0 and (folder / "model.json").read_text() != "old", said)
    checks.check("no temporary files", sorted(p.name for p in folder.iterdir()) == ["model.c", "model.h", "model.json"],
                 list(folder.iterdir()))
    untouched("below a file", folder, (SYSTEM,), path, "-o", folder / "model.c" / "deep")
    if os.geteuid() != 0:
        folder.chmod(0o555)
        untouched("a read-only folder", folder, (SYSTEM,), path, "-o", folder, "--name", "other")
        folder.chmod(0o755)


def test_no_room():
    """A limit on the size of files stands for a full disk: a write fails in the middle."""
    weights = tensor("w", np.random.default_rng(1).standard_normal((100, 3, 2)).astype(np.float32))
    path, out = checks.place(model([node("MatMul", "x w", "y")], initializers=[weights]))

    def small():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))

    done = subprocess.run([FOVEA, "compile", path, "-o", out], preexec_fn=small, capture_output=True, text=True)
    checks.check("no room", done.returncode == SYSTEM and "cannot write" in done.stderr, done.stderr)
    checks.check("no room", not out.exists() or not list(out.iterdir()), list(out.iterdir()))
    with open("/dev/full", "w") as full:
        done = subprocess.run([FOVEA, "--help"], stdout=full, stderr=subprocess.PIPE, text=True)
    checks.check("no room for stdout", done.returncode == SYSTEM, done.stderr)


def test_signals():
    """Ended at some moment, it leaves all files or none."""
    weights = tensor("w", np.random.default_rng(2).standard_normal((3, 1 << 18)).astype(np.float32))
    path, out = checks.place(model([node("MatMul", "x w", "y")], initializers=[weights]))
    out.mkdir(exist_ok=True)
    for i in range(30):
        with subprocess.Popen([FOVEA, "compile", path, "-o", out, "--weights", "inline"], stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL) as running:
            time.sleep(0.01 * i)
            running.send_signal([signal.SIGINT, signal.SIGTERM, signal.SIGHUP][i % 3])
            status = running.wait()
        left = {p.name for p in out.iterdir()}
        whole = {"bad.c", "bad.h", "bad.json"}
        checks.check(f"signal after {i}", left in (set(), whole), f"status {status}, left {left}")
        checks.check(f"signal after {i}", status < 0 or status == 0, f"status {status}")
        for name in left:
            (out / name).unlink()


def test_memory():
    """Too little of it is an error like others."""
    weights = tensor("w", np.ones((3, 1 << 20), np.float32))
    path, out = checks.place(model([node("MatMul", "x w", "y")], initializers=[weights]))
    if b"__asan_init" in pathlib.Path(FOVEA).read_bytes():
        return
    for megabytes in (24, 32, 40, 64, 96, 128, 192):
        limit = megabytes << 20
        done = subprocess.run([FOVEA, "compile", path, "-o", out, "--weights", "inline"], capture_output=True, text=True,
                              preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit)))
        if done.returncode == 0:
            break
        checks.check(f"{megabytes} MiB", done.returncode == SYSTEM and "memory" in done.stderr, f"{done.returncode}: {done.stderr}")
        checks.check(f"{megabytes} MiB", not out.exists() or not list(out.iterdir()), "something is left")


test_external_data()
test_inputs_that_are_no_files()
test_usage()
test_outputs()
test_no_room()
test_signals()
test_memory()
finish(checks)
