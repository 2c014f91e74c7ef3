# Runs one peer in a process of its own, in the environment that has its packages.
#   worker.py convert TASK.json     makes the files that the peer loads
#   worker.py serve TASK.json       starts from nothing, says how long that took, then times bursts of runs on request
# Requests are lines on stdin, answers lines of JSON on what stdout was; whatever libraries print goes to stderr.

import importlib
import json
import os
import re
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
from peers.peer import Base, Task


def load(path: str) -> tuple[Base, dict]:
    told = json.loads(Path(path).read_text())
    task = Task(told["model"], told["size"], Path(told["stem"]), told["threads"], Path(told["folder"]))
    return importlib.import_module(f"peers.{told['peer']}_peer").Peer(task), told


def peak_memory() -> int:
    """Bytes that this program had resident at most so far; getrusage() would count what its parent had when it was
    started."""
    return 1024 * int(re.search(r"^VmHWM:\s*(\d+) kB$", Path("/proc/self/status").read_text(), re.MULTILINE)[1])


def burst(peer: Base, warm_up: int, count: int) -> list[float]:
    """Seconds of each run."""
    for _ in range(warm_up):
        peer.run()
    times = []
    for _ in range(count):
        start = time.perf_counter()
        peer.run()
        times.append(time.perf_counter() - start)
    return times


def serve(peer: Base, told: dict, answers) -> None:
    def answer(value) -> None:
        print(json.dumps(value), file=answers, flush=True)

    peer.task.inputs()  # so that a cold start reads them from memory, as fovea's does
    before, start = peak_memory(), time.perf_counter()
    peer.prepare()
    peer.run()
    seconds = time.perf_counter() - start
    np.save(told["output"], peer.output())
    answer({"seconds": seconds, "memory": peak_memory() - before})
    for line in sys.stdin:
        warm_up, count = map(int, line.split())
        answer(burst(peer, warm_up, count))


def main() -> None:
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    peer, told = load(sys.argv[2])
    if sys.argv[1] == "convert":
        peer.convert()
    else:
        serve(peer, told, answers)


main()
