"""Linear layers whose sums are dealt with between the steps of the next tile: on registers of every length they agree with
sums in double, with the bits that they have without, and with those of several threads. They are chosen for AVX-512 and
AVX2, and not for portable code."""
import json
import os
import pathlib
import sys
import tempfile

import numpy as np

sys.path.insert(0, os.environ["FOVEA_SOURCE_DIR"] + "/tests/support")
from generated import build, compile_model, run
from hostile import Checks, finish
from linear_model import linear_model
from random_seed import random_seed

ROWS, TERMS, COLUMNS = 280, 16, 96
KEY, TAKEN = f"linear {ROWS}x{TERMS}x{COLUMNS}", "7x2 pipelined"
BOUND = 1e-6  # of the largest output
random = np.random.default_rng(random_seed())
checks = Checks()


def is_pipelined(folder):
    return "kept[" in pathlib.Path(folder, "model.c").read_text()


def outputs(folder, inputs, threads, lanes):
    flags = ("-O1", f"-DLANES={lanes}", "-Wno-psabi", *(("-pthread",) if threads > 1 else ()))
    return run(build(folder, "gcc", *flags), inputs, f"{folder}/out.npz")[0]["y"]


def check_results(folder):
    path, inputs, expected = linear_model(random, folder, ROWS, TERMS, COLUMNS)
    np.savez(f"{folder}/in.npz", **inputs)
    compile_model(path, f"{folder}/plain")
    checks.check("portable code does without", not is_pipelined(f"{folder}/plain"))
    for threads in (1, 3):
        key = KEY if threads == 1 else f"{KEY} threads {threads}"
        tuning = {"format": "fovea tuning 1", "target": "avx512", "choices": {key: TAKEN}}
        pathlib.Path(folder, "tuning.json").write_text(json.dumps(tuning))
        compile_model(path, f"{folder}/{threads}", "--threads", str(threads), "--tuned", f"{folder}/tuning.json")
        checks.check(f"{threads} threads: taken", is_pipelined(f"{folder}/{threads}"))
    for lanes in (1, 4, 8, 16):
        one, three = (outputs(f"{folder}/{threads}", f"{folder}/in.npz", threads, lanes) for threads in (1, 3))
        error = np.abs(one - expected).max() / np.abs(expected).max()
        checks.check(f"{lanes} lanes", error < BOUND, error)
        plain = outputs(f"{folder}/plain", f"{folder}/in.npz", 1, lanes)
        checks.check(f"{lanes} lanes: the bits of the plain kernel", one.tobytes() == plain.tobytes())
        checks.check(f"{lanes} lanes: the bits of one thread", one.tobytes() == three.tobytes())


def check_choice(folder):
    for target, terms, expected in (("x86-64-v4", 24, True), ("x86-64-v4", 80, False), ("x86-64-v3", 16, True),
                                    ("x86-64-v3", 24, False), ("x86-64-v2", 16, False), ("aarch64", 16, False)):
        path, _, _ = linear_model(random, folder, ROWS, terms, COLUMNS)
        compile_model(path, f"{folder}/{target}", "--target", target)
        checks.check(f"{target}, {terms} terms", is_pipelined(f"{folder}/{target}") == expected)


for check in (check_results, check_choice):
    with tempfile.TemporaryDirectory() as folder:
        check(folder)
finish(checks)
