"""Linear layers by Strassen's algorithm in generated code: on registers of every length they agree with sums in double as
docs/cli.md says, with the same bits for one thread and more, and --strassen off leaves them out."""
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

BOUND = 3e-6  # of the largest output
seed = random_seed()
random = np.random.default_rng(seed)
checks = Checks()


def check(what, size):
    with tempfile.TemporaryDirectory() as folder:
        path, inputs, expected = linear_model(random, folder, *size)
        np.savez(f"{folder}/in.npz", **inputs)
        outputs = {}
        for threads in ("1", "3"):
            compile_model(path, f"{folder}/{threads}", "--threads", threads)
            checks.check(f"{what}: chosen", "void strassen" in pathlib.Path(folder, threads, "model.c").read_text())
        for compiler, threads, flags in (("gcc", "1", ("-O1", "-DLANES=1")), ("gcc", "1", ("-O1", "-DLANES=4")),
                                         ("gcc", "3", ("-O1", "-DLANES=4")),
                                         ("clang", "1", ("-O1", "-DLANES=8", "-Wno-psabi")),
                                         ("gcc", "3", ("-O1", "-DLANES=16", "-Wno-psabi"))):
            binary = build(f"{folder}/{threads}", compiler, *flags, *(("-pthread",) if threads != "1" else ()))
            got, _ = run(binary, f"{folder}/in.npz", f"{folder}/out.npz")
            error = np.abs(got["y"] - expected).max() / np.abs(expected).max()
            checks.check(f"{what}: {compiler} {flags[1]}", error < BOUND, error)
            outputs[compiler, threads, flags] = got["y"]
        one, three = (outputs["gcc", threads, ("-O1", "-DLANES=4")] for threads in ("1", "3"))
        checks.check(f"{what}: the same bits on three threads", one.tobytes() == three.tobytes())
        compile_model(path, f"{folder}/off", "--strassen", "off")
        checks.check(f"{what}: off", "strassen" not in pathlib.Path(folder, "off", "model.c").read_text())


check("an odd number of rows", (531, 256, 384))
check("an even number of rows", (656, 512, 192))
check("quarters that end within a vector", (596, 480, 336))
finish(checks)
