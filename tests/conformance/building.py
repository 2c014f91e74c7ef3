"""From models to a program: fovea compiles each, the C compiler all of them, a table links them.

Objects are kept by the hash of what went into them, so that a second run compiles only what has changed.
"""

import glob
import hashlib
import json
import os
import re
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np

STRICT = ["-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Wshadow", "-Wconversion", "-Werror", "-O1"]
AT_ONCE = 16  # files in one call of the compiler
ALIGNMENT = 64
# How the implementation reads lengths from which cases have what they expect; fovea names the option where it matters.
REFERENCE_LENGTHS = ["--resize-lengths", "fractional"]
WORKERS = len(os.sched_getaffinity(0))

HERE = os.path.dirname(os.path.abspath(__file__))


@dataclass
class Outcome:
    """What has become of a case so far: a reason where it has come to an end."""

    reason: str = ""
    supported: bool = True  # False: fovea said that it does not do this
    fixed: bool = False  # the model with constants in place of inputs was compiled
    fractional: bool = False  # REFERENCE_LENGTHS was given
    drawn: bool = False  # results are drawn at random, and checked by drawn.py
    manifest: dict = None
    ulps: list = field(default_factory=list)  # of each output that was compared: arrays.worst_ulp()


def parallel(function, items):
    with ThreadPoolExecutor(WORKERS) as pool:
        return list(pool.map(function, items))


def message_of(stderr):
    """What fovea said, without file and place, so that equal reasons read the same."""
    said = re.compile(r"^.*?: (?:error|bug in fovea, please report it): ")
    lines = [said.sub("", line) for line in stderr.splitlines() if said.match(line)]
    lines = [re.sub(r"^node \d* ?'.*?' (\(\w+\)): ", r"\1 ", line) for line in lines]
    lines = [re.sub(r" \(\d+ nodes?\)$", "", line) for line in lines]
    lines = [re.sub(r"\boutput '.*?' is", "an output is", line) for line in lines]  # many names, one reason
    shown = list(dict.fromkeys(lines))
    return "; ".join(shown[:4]) + ("; ..." if len(shown) > 4 else "") or stderr.strip()[-200:]


def shape_text(array):
    return "x".join(map(str, array.shape))


def shape_options(case, but=()):
    """--shape for every input but some: it counts where the model leaves dimensions open, or how long a sequence is."""
    options = []
    for name, value in (case.data_sets[0][0] if case.data_sets else {}).items():
        if isinstance(value, list):
            options += ["--shape", f"{name}={','.join(f'[{shape_text(array)}]' for array in value) or 'none'}"]
        elif value is not None and value.ndim > 0 and name not in but:
            options += ["--shape", f"{name}={shape_text(value)}"]
    return options


def absent_options(case):
    """--absent for the optional inputs without a value."""
    given = case.data_sets[0][0] if case.data_sets else {}
    return [word for name, value in given.items() if value is None for word in ("--absent", name)]


class Build:
    """A folder with generated C, objects and the program. follows_reference: what cases have as expected is from ONNX's
    reference implementation."""

    def __init__(self, folder, models, fovea, compiler, flags, follows_reference=True):
        self.follows_reference = follows_reference
        self.folder, self.models, self.fovea = folder, models, fovea
        self.compiler = [compiler, *STRICT, *flags]
        self.generated = os.path.join(folder, "generated")
        self.objects = os.path.join(folder, "objects")
        self.data = os.path.join(folder, "data")
        for path in (self.generated, self.objects, self.data):
            os.makedirs(path, exist_ok=True)
        for path in glob.glob(os.path.join(self.generated, "*")) + glob.glob(os.path.join(self.data, "*")):
            os.remove(path)

    # fovea -----------------------------------------------------------------------------------------------------------

    def compile_model(self, case, model, options):
        command = [self.fovea, "compile", os.path.join(self.models, model), "-o", self.generated, "--name", case.prefix,
                   "--weights", "inline", *options]
        return subprocess.run(command, capture_output=True, text=True, errors="replace")

    def compile_case(self, case):
        """Generates the C of a case."""
        if case.obstacle:
            return Outcome(case.obstacle, supported=False)
        outcome = Outcome()
        model, absent = case.name + ".onnx", absent_options(case)
        options = absent
        done = self.compile_model(case, model, options)
        is_open = done.returncode == 3 and re.search("not wholly known|how many tensors it holds", done.stderr)
        if is_open:
            options = absent + shape_options(case)
            done = self.compile_model(case, model, options)
        if done.returncode == 3 and case.fixed and "known when compiling" in done.stderr:
            model, options = case.name + ".fixed.onnx", shape_options(case, but=case.fixed) if is_open else []
            options = absent + options
            done = self.compile_model(case, model, options)
            outcome.fixed = True
        if self.follows_reference and " ".join(REFERENCE_LENGTHS) in done.stderr:
            done = self.compile_model(case, model, options + REFERENCE_LENGTHS)
            outcome.fractional = True
        if done.returncode != 0:
            outcome.reason, outcome.supported = message_of(done.stderr), done.returncode != 3
            if done.returncode != 3:
                outcome.reason = f"fovea ends with status {done.returncode}: {outcome.reason}"
            return outcome
        with open(os.path.join(self.generated, case.prefix + ".json"), encoding="utf-8") as file:
            outcome.manifest = json.load(file)
        return outcome

    # The C compiler --------------------------------------------------------------------------------------------------

    def object_of(self, source):
        """Where the object of a source in generated/ is kept: it goes by what the source and the headers there say."""
        digest = hashlib.sha256(" ".join(self.compiler).encode())
        with open(os.path.join(self.generated, source + ".c"), "rb") as file:
            text = file.read()
        digest.update(text)
        for header in re.findall(rb'^#include "(.*)"', text, re.MULTILINE):
            path = os.path.join(self.generated, os.fsdecode(header))
            if os.path.exists(path):
                with open(path, "rb") as file:
                    digest.update(file.read())
        return os.path.join(self.objects, digest.hexdigest()[:32] + ".o")

    def compile_batch(self, sources):
        """Compiles sources that have no object yet, several in one call; returns what the compiler said of each."""
        scratch = os.path.join(self.folder, "scratch-" + sources[0])
        os.makedirs(scratch, exist_ok=True)
        done = subprocess.run([*self.compiler, "-I", HERE, "-I", self.generated, "-c",
                               *(os.path.join(self.generated, s + ".c") for s in sources)],
                              cwd=scratch, capture_output=True, text=True, errors="replace")
        said = {}
        for source in sources:
            made = os.path.join(scratch, source + ".o")
            if os.path.exists(made):
                os.replace(made, self.object_of(source))
                continue
            errors = [line for line in done.stderr.splitlines() if f"/{source}." in line and ": error: " in line]
            said[source] = re.sub(r"^.*?: error: ", "", errors[0]) if errors else done.stderr[:200] or "no object"
        os.rmdir(scratch)
        return said

    def compile_sources(self, sources):
        missing = [s for s in sources if not os.path.exists(self.object_of(s))]
        batches = [missing[i : i + AT_ONCE] for i in range(0, len(missing), AT_ONCE)]
        said = {}
        for faults in parallel(self.compile_batch, batches):
            said.update(faults)
        return said

    # The program -----------------------------------------------------------------------------------------------------

    def write_adapters(self, manifests):
        """A source for some models each: adapters from the table's call to the models'. Returns the sources."""
        sources = []
        for at in range(0, len(manifests), 128):
            sources.append(f"adapters_{at // 128}")
            with open(os.path.join(self.generated, sources[-1] + ".c"), "w", encoding="utf-8") as file:
                file.write("".join(adapter_text(m) for m in manifests[at : at + 128]))
        with open(os.path.join(self.generated, "table.c"), "w", encoding="utf-8") as file:
            file.write(table_text(manifests))
        return [*sources, "table"]

    def link(self, sources):
        program = os.path.join(self.folder, "runner")
        objects = [self.object_of(s) for s in sources]
        listing = os.path.join(self.folder, "objects.txt")
        with open(listing, "w", encoding="utf-8") as file:
            file.write("\n".join(objects))
        flags = [f for f in self.compiler[1:] if f.startswith("-f")]
        subprocess.run([self.compiler[0], *flags, "-o", program, os.path.join(HERE, "runner.c"), "@" + listing, "-lm"],
                       check=True)
        for path in glob.glob(os.path.join(self.objects, "*.o")):
            if path not in set(objects):
                os.remove(path)
        return program


def aligned(size):
    return (size + ALIGNMENT - 1) // ALIGNMENT * ALIGNMENT


def tensor_bytes(tensor):
    sizes = {"float": 4, "double": 8, "int8_t": 1, "uint8_t": 1, "int16_t": 2, "uint16_t": 2, "int32_t": 4,
             "uint32_t": 4, "int64_t": 8, "uint64_t": 8}
    return int(np.prod(tensor["shape"], dtype=np.int64)) * sizes[tensor["c_type"]]


def offsets(tensors):
    """Where each tensor lies, and the size of all."""
    places, at = [], 0
    for tensor in tensors:
        places.append(at)
        at += aligned(tensor_bytes(tensor))
    return places, at


def adapter_text(manifest):
    name = manifest["name"]
    arguments = ["&context"]
    for kind, const in (("inputs", "const "), ("outputs", "")):
        places, _ = offsets(manifest[kind])
        arguments += [f"({const}{t['c_type']} *)({kind} + {place})" for t, place in zip(manifest[kind], places)]
    return (f'#include "{name}.h"\n'
            f"int adapt_{name}(void *workspace, char *inputs, char *outputs);\n"
            f"int adapt_{name}(void *workspace, char *inputs, char *outputs) {{\n"
            f"    const {name}_context context = {{.workspace = workspace}};\n"
            f"    (void)inputs, (void)outputs;\n"
            f"    return (int){name}_run({', '.join(arguments)});\n}}\n")


def table_text(manifests):
    lines = ['#include "runner.h"\n']
    for m in manifests:
        lines.append(f'#include "{m["name"]}.h"\nint adapt_{m["name"]}(void *workspace, char *inputs, char *outputs);\n')
    lines.append("const RunnerModel RUNNER_MODELS[] = {\n")
    for m in manifests:
        macro = m["name"].upper()
        lines.append(f'    {{"{m["name"]}", {offsets(m["inputs"])[1]}, {offsets(m["outputs"])[1]}, {macro}_WORKSPACE, '
                     f"{macro}_ALIGNMENT, adapt_{m['name']}}},\n")
    lines.append("    {NULL, 0, 0, 0, 1, NULL}};\n")
    return "".join(lines)
