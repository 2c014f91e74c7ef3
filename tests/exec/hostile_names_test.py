"""Names that are weapons: whatever a model calls its parts, the C that it becomes has the same tokens, builds without a
warning under gcc and clang, and computes the same. No byte of a name comes into code, comments or strings unescaped."""
import json
import os
import re
import subprocess
import sys
import zipfile

sys.path.insert(0, os.environ["FOVEA_SOURCE_DIR"] + "/tests/support")
import numpy as np
from generated import STRICT
from hostile import FOVEA, INVALID, Checks, encoded, field, finish, fovea, is_printable, model, node, tensor

checks = Checks()
rng = np.random.default_rng(3)
PLAIN = model(
    [node("Conv", "image w", "map", "conv"), node("GlobalAveragePool", "map", "mean", "pool"),
     node("Conv", "mean down bias", "low", "squeeze"), node("Relu", "low", "act", "relu"), node("Conv", "act up", "high", "excite"),
     node("Sigmoid", "high", "gate", "sigmoid"), node("Mul", "map gate", "scaled", "mul"),
     node("Softmax", "scaled", "soft", "softmax"), node("Identity", "table", "copied", "copy"), node("Tanh", "other", "bent", "tanh")],
    inputs=(("image", [1, 2, 5, 5]), ("other", [3])), outputs=[(name, None) for name in ("soft", "copied", "bent")],
    initializers=[tensor(name, rng.standard_normal(shape).astype(np.float32)) for name, shape in
                  {"w": (8, 2, 3, 3), "down": (2, 8, 1, 1), "bias": (2,), "up": (8, 2, 1, 1), "table": (2, 3)}.items()])
TENSORS = "image other w down bias up table map mean low act high gate scaled soft copied bent".split()
NODES = [n.name for n in PLAIN.graph.node]
INPUTS = {"image": rng.standard_normal((1, 2, 5, 5)).astype(np.float32), "other": np.array([0, 1, -2], np.float32)}


def renamed(names, everything_else=b"g"):
    """PLAIN as bytes, with other names for its tensors and nodes, and for what else can be given one."""
    graph = b""
    for n in PLAIN.graph.node:
        graph += field(1, b"".join(field(1, names[i]) for i in n.input) + b"".join(field(2, o) for o in [names[o] for o in n.output]) +
                       field(3, names[n.name]) + field(4, n.op_type.encode()) + b"".join(field(5, encoded(a)) for a in n.attribute) +
                       field(6, everything_else))
    graph += field(2, everything_else) + field(10, everything_else)
    for i in PLAIN.graph.initializer:
        graph += field(5, b"".join(field(1, d) for d in i.dims) + field(2, 1) + field(8, names[i.name]) + field(9, i.raw_data))
    for number, values in {11: PLAIN.graph.input, 12: PLAIN.graph.output}.items():
        for v in values:
            graph += field(number, field(1, names[v.name]) + field(2, encoded(v.type)))
    return (field(1, 8) + field(2, everything_else) + field(3, everything_else) + field(6, everything_else) + field(7, graph) +
            field(8, field(2, 17)) + field(14, field(1, everything_else) + field(2, everything_else)))


def plain_names():
    return {name: name.encode() for name in TENSORS + NODES}


def numbered(hostile):
    """The hostile bytes in front of, and behind, each name's own number."""
    names = {}
    for i, name in enumerate(TENSORS + NODES):
        names[name] = hostile + b"%d" % i + hostile
    return names


WEAPONS = {
    "end of comment": b"*/ int evil; /*", "start of comment": b"/*", "line comment": b"//", "newline": b"\n#error evil\n",
    "carriage return": b"\r#error evil\r", "trailing backslash": b"\\", "backslash and newline": b"\\\n", "trigraphs": b"??/??)??'??=",
    "quotes": b"\"'\"", "format": b"%s%n%d%99999d", "bad UTF-8": b"\xff\xfe\xc0\x80\xed\xa0\x80", "bidi": "\u202e\u2066\u200f".encode(),
    "line separators": "\u2028\u2029\x85".encode(), "terminal": b"\x1b[2J\x07\x08\x7f", "slashes": b"../../../etc/passwd",
    "macro": b"#define", "directive": b"%:include", "braces": b"{{name}}", "json": b"\",\"evil\":\"", "shell": b"$(touch evil);`touch evil`",
    "cmake": b"${CMAKE_SOURCE_DIR}", "unicode": "名前é".encode(), "spaces": b" \t ", "long": b"x" * 300, "punctuation": b"?:;,.<>[]()!~^&|=+-",
    "octal": b"\\0", "universal": b"\\u0022", "star": b"*", "zeros": b"0", "raw string": b")\"R\"(",
}


KEYWORDS = set("break case char const continue default do double else enum extern float for if inline int long restrict return "
               "short signed sizeof static struct switch typedef union unsigned void while".split())


def tokens(text):
    """C tokens without comments, and without what strings and identifiers are spelt like."""
    found = []
    for match in re.finditer(r"/\*.*?\*/|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'|[A-Za-z_]\w*|\.?\d(?:[\w.]|[eEpP][+-])*|\S", text, re.S):
        token = match.group()
        if token.startswith("/*"):
            continue
        if token[0] in "\"'":
            token = token[0]
        elif (token[0].isalpha() or token[0] == "_") and token not in KEYWORDS:
            token = "identifier"
        found.append(token)
    return found


def write_npz(path, arrays):
    """An npz file whose keys are any bytes: written under names of the same length, which are then replaced."""
    stand_ins = {chr(ord("A") + i) * len(key): key for i, key in enumerate(arrays)}
    np.savez(path, **dict(zip(stand_ins, arrays.values())))
    data = path.read_bytes()
    for stand_in, key in stand_ins.items():
        data = data.replace(stand_in.encode() + b".npy", key + b".npy")
    path.write_bytes(data)


def read_npz(path):
    """The arrays, in the file's order."""
    with zipfile.ZipFile(path) as archive:
        return [np.lib.format.read_array(archive.open(entry)) for entry in archive.infolist()]


def compiled(what, given, *options):
    return checks.accepted(what, given, ("--name", "model", "--testbench", "--probes", "all", *options))


def build_and_run(what, folder, names):
    """Builds strictly, and runs; returns outputs and probes in order, or None where that could not be."""
    sources = [folder / "model.c", folder / "model_main.c"]
    for compiler in ("gcc", "clang"):
        done = subprocess.run([compiler, *STRICT, "-trigraphs", *sources, "-o", folder / "bench", "-lm"], capture_output=True, text=True)
        if not checks.check(f"{what}: {compiler}", done.returncode == 0, done.stderr):
            return None
    keys = {name: names[name][:1000] for name in INPUTS}
    short = all(keys.values()) and len(set(keys.values())) == len(keys)
    if not short:
        return None
    write_npz(folder / "in.npz", {keys[name]: array for name, array in INPUTS.items()})
    done = subprocess.run([folder / "bench", "--input", folder / "in.npz", "--output", folder / "out.npz", "--probes", folder / "probes.npz"],
                          capture_output=True, text=True, errors="replace")
    if not checks.check(f"{what}: run", done.returncode == 0, done.stderr):
        return None
    return read_npz(folder / "out.npz") + read_npz(folder / "probes.npz")


def check_texts(what, folder):
    for file in folder.iterdir():
        if file.suffix in (".c", ".h", ".S", ".txt"):
            strange = set(file.read_bytes()) - set(range(32, 127)) - {10}
            checks.check(f"{what}: {file.name}", not strange, f"bytes {strange}")
            checks.check(f"{what}: {file.name}", b"??" not in file.read_bytes(), "a trigraph")
        elif file.suffix == ".json":
            text = file.read_text()
            json.loads(text)
            checks.check(f"{what}: {file.name}", text.isascii() and is_printable(text.replace("\x7f", "")), "it steers the terminal")


reference = compiled("plain names", renamed(plain_names()))
REFERENCE_TOKENS = {name: tokens((reference / name).read_text()) for name in ("model.c", "model.h", "model_main.c")}
EXPECTED = build_and_run("plain names", reference, plain_names())


def check_names(what, names, everything_else=b"g"):
    given = renamed(names, everything_else)
    folder = compiled(what, given)
    if folder is None:
        return
    check_texts(what, folder)
    for name, expected in REFERENCE_TOKENS.items():
        checks.check(f"{what}: tokens of {name}", tokens((folder / name).read_text()) == expected, "they differ")
    got = build_and_run(what, folder, names)
    if got is not None:
        checks.check(f"{what}: numbers", len(got) == len(EXPECTED) and all(map(np.array_equal, got, EXPECTED)), "they differ")
    for command in (["inspect"], ["inspect", "--json"], ["compile", "--dump-after", "lower", "-o", folder / "none"]):
        done = subprocess.run([FOVEA, command[0], checks.place(given)[0], *command[1:]], capture_output=True)
        text = (done.stdout + done.stderr).decode("utf-8", "backslashreplace")
        checks.check(f"{what}: {command}", done.returncode == 0 and is_printable(text.replace("\x7f", "")), text[-300:])


def test_weapons():
    for what, weapon in WEAPONS.items():
        check_names(what, numbered(weapon), weapon)


def test_collisions():
    """Names that become one when cleaned, keywords, and what the C library, C++ and the templates define."""
    marks = ["", "_", "/", ".", ":", "-", " ", "__", "\n", "é", "*", "$", "#", "@", "!", "?", "~", "%", "^", "&", "(", ")", "+", "=", "|", ",", ";"]
    check_names("names that clean to one", {name: (b"a" + marks[i].encode() + b"b") for i, name in enumerate(TENSORS + NODES)})
    words = ("int main if NULL malloc printf memcpy errno INFINITY NAN model model_run context base weights class new delete namespace "
             "template float double stdin EOF INT64_MAX expf f32_exp sqrt").split()
    check_names("words of C", dict(zip(TENSORS + NODES, (w.encode() for w in words))))
    words = ("size_t uint8_t int32_t inline restrict _Bool static const asm typeof near far linux unix signgam y0 j1 exp log gamma "
             "isnan bool true false workspace probe model_context MODEL_WORKSPACE").split()
    check_names("more words of C", dict(zip(TENSORS + NODES, (w.encode() for w in words))))
    check_names("the same, spelt otherwise", {name: b"Value" + b"_" * i for i, name in enumerate(TENSORS + NODES)})
    names = {name: b"value_%d" % (i // 2 + 1) + (b"." if i % 2 else b"") for i, name in enumerate(TENSORS + NODES)}
    check_names("names that look numbered", names)
    names = plain_names()
    for name in NODES:
        names[name] = b""
    check_names("nodes without names", names)


def test_long_names():
    names = {name: b"y" * (1 << 20) + b"%d" % i for i, name in enumerate(TENSORS + NODES)}
    folder = compiled("names of 1 MB", renamed(names))
    if folder is not None:
        check_texts("names of 1 MB", folder)
        checks.check("names of 1 MB", all((folder / f).stat().st_size < 100000 for f in REFERENCE_TOKENS), "they are in the code")
        build_and_run("names of 1 MB", folder, names)
        for name, expected in REFERENCE_TOKENS.items():
            checks.check(f"names of 1 MB: tokens of {name}", tokens((folder / name).read_text()) == expected, "they differ")
    for length in (39, 40, 41, 99, 100, 101, 999):
        check_names(f"names of {length}", {name: b"%02d" % i + b"z" * (length - 2) for i, name in enumerate(TENSORS + NODES)})


def test_refused_names():
    for name in ("map", "image", "w", "conv"):
        names = plain_names()
        names[name] = b"nul\0in it"
        checks.refused(f"NUL in {name}", renamed(names), INVALID, r"byte \d+")
    for name in ("image", "w"):
        names = plain_names()
        names[name] = b""
        checks.refused(f"{name} without a name", renamed(names), INVALID)


def test_model_names():
    """--name, and the file's name where there is none."""
    plain, out = checks.place(renamed(plain_names()))
    names = ["../../evil", "/etc/passwd", "a b", "*/", "int", "main", "1x", "stdio", "string", "math", "é", "x" * 5000, "-rf", "NULL", "_x", "__x",
             "npz", "errno", "evil\n#error", "\"", "\\", "%s", "??/", "$(touch evil)", "", "CMakeLists", "float", "memcpy", "a" * 39 + "_" + "b" * 39, "con"]
    for i, name in enumerate(names):
        folder = checks.path / f"named{i}" / "deep"
        source = plain
        if i % 2 and 0 < len(name.encode()) < 200 and "/" not in name:
            source = checks.path / f"{name}.onnx"
            source.write_bytes(plain.read_bytes())
            status, said = fovea("compile", "-o", folder, "--testbench", "--weights", "object", "--", source)
            source.unlink()
        else:
            status, said = fovea("compile", source, "-o", folder, f"--name={name}", "--testbench", "--weights", "object")
        what = f"--name {name[:40]!r}"
        if not checks.check(what, status == 0, f"status {status}: {said}"):
            continue
        files = [f.name for f in folder.iterdir()]
        checks.check(what, all(re.fullmatch(r"[A-Za-z0-9_]+\.(c|h|S|json|weights|txt)", f) for f in files), files)
        checks.check(what, [p.name for p in folder.parent.iterdir()] == ["deep"], "something is outside of the folder")
        sources = sorted(folder.glob("*.c")) + sorted(folder.glob("*.S"))
        done = subprocess.run(["gcc", *STRICT, "-I", folder, *sources, "-o", folder / "bench", "-lm"], capture_output=True, text=True)
        checks.check(what, done.returncode == 0, done.stderr)
        header = next(f for f in files if f.endswith(".h") and f != "npz.h") if len(files) else ""
        done = subprocess.run(["g++", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-fsyntax-only", "-x", "c++", folder / header], capture_output=True, text=True)
        checks.check(f"{what}: C++", done.returncode == 0 or "pragma" in done.stderr, done.stderr)


test_weapons()
test_collisions()
test_long_names()
test_refused_names()
test_model_names()
finish(checks)
