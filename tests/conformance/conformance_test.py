"""Runs the official ONNX cases through generated C, built as strict C99 without a warning.

    conformance_test.py [--update] [--only REGEX] [--flags="-fsanitize=address,undefined"]

passing.txt lists the cases that pass; one that is in it and fails is an error. --update writes that list anew, and
docs/conformance.md. The environment: FOVEA (the program), FOVEA_BUILD_DIR, and CC for another C compiler.
"""

import argparse
import os
import re
import subprocess
import sys
import time

import numpy as np

import arrays
import building
import cases as official
import drawn
import report

HERE = os.path.dirname(os.path.abspath(__file__))
PASSING = os.path.join(HERE, "passing.txt")


def write_inputs(build, case, manifest):
    for k, (values, _) in enumerate(case.data_sets):
        inputs = official.tensors_of(values)
        with open(os.path.join(build.data, f"{case.prefix}.{k}.in"), "wb") as file:
            for tensor in manifest["inputs"]:
                data = arrays.stored(inputs[tensor["name"]]).tobytes()
                assert len(data) == building.tensor_bytes(tensor), (case.name, tensor["name"])
                file.write(data.ljust(building.aligned(len(data)), b"\0"))


def compare_names(manifest, values):
    """What tensors the outputs lack, or have too many, as a sequence of another length has; "" where they are all."""
    names = [tensor["name"] for tensor in manifest["outputs"]]
    missing = [name for name in official.tensors_of(values) if name not in names]
    if missing:
        return f"there is no output {missing[0]}"
    for name, value in values.items():
        made = [n for n in names if n == name or re.fullmatch(re.escape(name) + r"_\d+", n)]
        if not isinstance(value, np.ndarray) and len(made) != len(value or []):
            return f"output {name} is of {len(made)} tensors, expected {len(value or [])}"
    return ""


def compare_data_set(build, case, outcome, k):
    """Why data set k does not give what it should, or "". Notes in the outcome how far floats are off."""
    manifest = outcome.manifest
    with open(os.path.join(build.data, f"{case.prefix}.{k}.out"), "rb") as file:
        written = file.read()
    different = compare_names(manifest, case.data_sets[k][1])
    if different:
        return different
    places, _ = building.offsets(manifest["outputs"])
    wanted = official.tensors_of(case.data_sets[k][1])
    rule, results = drawn.rule_of(case, case.data_sets[k][0]), []
    outcome.drawn |= rule is not None
    for tensor, place in zip(manifest["outputs"], places):
        expected = wanted.get(tensor["name"])
        if expected is None:
            continue  # the case does not say what it should be
        if tensor.get("padded"):
            expected = arrays.padded(expected, tensor["shape"])
        if list(expected.shape) != tensor["shape"]:
            return f"output {tensor['name']} has shape {tensor['shape']}, expected {list(expected.shape)}"
        size = building.tensor_bytes(tensor)
        if size != arrays.stored(expected).nbytes:
            return f"output {tensor['name']} has type {tensor['type']}, expected {expected.dtype}"
        got = arrays.from_bytes(written[place : place + size], expected)
        if rule is not None:
            results.append(got)
            continue
        different = arrays.difference(got, expected, case.rtol, case.atol)
        outcome.ulps.append(arrays.worst_ulp(got, expected))
        if different:
            return f"output {tensor['name']}: {different}"
    return rule(results) if rule is not None else ""


def run(build, program, chosen, outcomes):
    """Runs the program on all cases that were built, and judges what it wrote."""
    environment = dict(os.environ, ASAN_OPTIONS="detect_leaks=0", UBSAN_OPTIONS="halt_on_error=1")
    done = subprocess.run([program, build.data], capture_output=True, text=True, errors="replace", env=environment)
    ended = {}
    for line in done.stdout.splitlines():
        name, k, how = line.split(" ", 2)
        ended[name, int(k)] = how
    if done.returncode != 0:
        sys.exit(f"the runner failed: {done.stderr}")
    if done.stderr:
        print(done.stderr[:4000])
    for case in chosen:
        outcome = outcomes[case.name]
        for k in range(len(case.data_sets) if not outcome.reason else 0):
            how = ended.get((case.prefix, k), "did not run")
            outcome.reason = outcome.reason or (
                compare_data_set(build, case, outcome, k) if how == "ok" else f"the run ended with {how}")


def conform(build, chosen):
    """The outcome of each case, by name."""
    outcomes = dict(zip((case.name for case in chosen), building.parallel(build.compile_case, chosen)))
    compiled = [case for case in chosen if not outcomes[case.name].reason]
    said = build.compile_sources([case.prefix for case in compiled])
    for case in compiled:
        if case.prefix in said:
            outcomes[case.name].reason = f"the C compiler refuses it: {said[case.prefix]}"
    built = [case for case in compiled if not outcomes[case.name].reason]
    for case in built:
        write_inputs(build, case, outcomes[case.name].manifest)
    adapters = build.write_adapters([outcomes[case.name].manifest for case in built])
    faults = build.compile_sources(adapters)
    if faults:
        sys.exit(f"the adapters do not compile: {faults}")
    run(build, build.link([case.prefix for case in built] + adapters), built, outcomes)
    return outcomes


def read_passing():
    if not os.path.exists(PASSING):
        return set()
    with open(PASSING, encoding="utf-8") as file:
        return {line.strip() for line in file if line.strip() and not line.startswith("#")}


def write_passing(names):
    with open(PASSING, "w", encoding="utf-8") as file:
        file.write("# The official ONNX cases that pass: written by conformance_test.py --update.\n")
        file.writelines(name + "\n" for name in sorted(names))


def judge(passed, outcomes, only):
    """Says what differs from passing.txt; the exit status."""
    known = {name for name in read_passing() if re.search(only, name)}
    lost, won = sorted(known - passed), sorted(passed - known)
    for name in lost:
        reason = outcomes[name].reason if name in outcomes else "there is no such case"
        print(f"FAILS, and passed before: {name}: {reason}")
    if won:
        print(f"{len(won)} pass that are not in passing.txt; run this with --update: {' '.join(won[:20])}"
              f"{' ...' if len(won) > 20 else ''}")
    return 1 if lost or not passed else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--update", action="store_true", help="write passing.txt and docs/conformance.md")
    parser.add_argument("--only", metavar="REGEX", default="", help="cases whose names match, each with its reason")
    parser.add_argument("--flags", default="", help="more flags for the C compiler")
    options = parser.parse_args()
    start = time.monotonic()
    folder = os.path.join(os.path.abspath(os.environ["FOVEA_BUILD_DIR"]), "conformance")
    models, cases = official.load_cases(folder)
    chosen = [case for case in cases if re.search(options.only, case.name)]
    build = building.Build(folder if not options.flags else folder + "-flags", models, os.path.abspath(os.environ["FOVEA"]),
                           os.environ.get("CC", "cc"), options.flags.split())
    outcomes = conform(build, chosen)
    passed = {name for name, outcome in outcomes.items() if not outcome.reason}
    wrong = [case for case in chosen if outcomes[case.name].reason and outcomes[case.name].supported]
    for case in wrong if not options.only else [c for c in chosen if c.name not in passed]:
        print(f"{case.name}: {outcomes[case.name].reason}")
    print(f"{len(passed)} of {len(chosen)} cases pass, {len(wrong)} fail, the others are not supported "
          f"({time.monotonic() - start:.0f} s)")
    if options.update and not options.only:
        write_passing(passed)
        report.write(os.path.join(os.environ["FOVEA_SOURCE_DIR"], "docs", "conformance.md"), chosen, outcomes,
                     official.onnx_version())
        return 0
    return judge(passed, outcomes, options.only)


if __name__ == "__main__":
    sys.exit(main())
