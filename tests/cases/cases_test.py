"""All files of cases, *_cases.py, each case in one of as many processes as there are cores. PyTorch and its exporters take ten
seconds to load and to get ready, which is done once: the processes are forked after that."""
import contextlib
import importlib
import io
import multiprocessing
import os
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import harness
import torch
from torch import nn

FILES: dict[str, dict[str, harness.Case]] = {}


def load() -> None:
    """Fills FILES; names of cases are distinct within a file."""
    for path in sorted(Path(__file__).parent.glob("*_cases.py")):
        harness.CASES = FILES[path.stem] = {}
        importlib.import_module(path.stem)


def warm_up() -> None:
    """The first export of each exporter loads most of what all others need."""
    built = harness.Built(nn.Linear(2, 2), (torch.zeros(1, 2),), [])
    with tempfile.TemporaryDirectory() as folder, torch.no_grad():
        for exporter in harness.EXPORTERS:
            harness.export(built, 1, exporter, harness.OPSETS[exporter][-1], Path(folder) / "model.onnx")


def run(task: tuple[str, str]) -> tuple[str, int, int]:
    """A case of a file: what it says, how many exports ran, and how many failed."""
    file, name = task
    harness.CASES = FILES[file]
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        ran, failed = harness.run_case(name, lambda exporter, opset: True)
    return said.getvalue(), ran, failed


def main() -> None:
    harness.get_ready()
    load()
    warm_up()
    tasks = [(file, name) for file, cases in FILES.items() for name in cases]
    ran = failed = 0
    # If one of the processes dies, this ends with an error, where multiprocessing.Pool would wait for ever.
    with ProcessPoolExecutor(len(os.sched_getaffinity(0)), multiprocessing.get_context("fork")) as pool:
        for said, more, lost in pool.map(run, tasks):
            print(said, end="", flush=True)
            ran, failed = ran + more, failed + lost
    print(f"{ran} exports of {len(tasks)} cases in {len(FILES)} files, {failed} failed")
    sys.exit(failed > 0 or ran == 0)


if __name__ == "__main__":
    main()
