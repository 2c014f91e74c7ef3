# What is timed, behind one interface: fovea's program, and each peer's worker. A contender is set up once for a model
# and a number of threads, then gives cold starts and bursts of runs. A worker is stopped while others have their turn,
# so that threads that spin for their next task take no time from them.

import json
import re
import select
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from installs import environment_of, program_of
from models import BUILD, FOVEA, Model
from peers.peer import OUTPUT, Base, Task, call, compiler

HERE = Path(__file__).resolve().parent
PATIENCE = 900  # seconds that a peer may take to convert or start


class Unusable(RuntimeError):
    """A contender that cannot be installed, or cannot run this model: why, in a few words."""


@dataclass
class Cold:
    """From nothing to the first output."""

    seconds: float
    memory: int  # bytes resident at most; of a peer, beyond what Python itself has
    output: np.ndarray


def why(text: str) -> str:
    """Of what a program said, the last line that tells of an error, or the last; cut short, without paths."""
    lines = [line.strip() for line in text.splitlines() if line.strip()] or ["it said nothing"]
    errors = [line for line in lines if re.search(r"[Ee]rror\b.*:|not exists", line)]
    told = re.sub(r"/\S*/", "", (errors or lines)[-1])
    return told if len(told) <= 160 else told[:157] + "..."


class Fovea:
    """The testbench of the generated C. Each burst is a process of its own: its first run is the warm-up, and its clock
    starts after that."""

    name = "fovea"

    def __init__(self, model: Model, threads: int, *options: str, march: str = "native") -> None:
        """options: what else fovea compile is given. march: what the C is for."""
        self.model, self.options, self.compiler = model, ["--target", march, *options], compiler(march)
        self.folder = BUILD / "work/fovea" / "".join([f"{model.label}-{threads}", *options, "" if march == "native" else march])
        self.folder.mkdir(parents=True, exist_ok=True)
        self.threads = [] if threads == 1 else ["--threads", str(threads)]

    def set_up(self) -> None:
        """Compiles the model to C, and that to a program; keeps what both took."""
        self.compile_model()
        start = time.perf_counter()
        self.compile_c()
        self.compile_seconds = time.perf_counter() - start
        self.code_bytes = text_bytes(self.folder / "model.o")
        self.program, self.launcher = self.link(), program_of("launch")

    def compile_model(self) -> None:
        command = [FOVEA, "compile", self.model.file("onnx"), "-o", self.folder, "--name", "model", "--testbench"]
        call([*command, "--weights", "object", "--probes", "none", *self.threads, *self.options])
        self.manifest = json.loads((self.folder / "model.json").read_text())

    def compile_c(self) -> None:
        source = self.folder / "model.c"
        command = [*self.compiler, "-I", self.folder, "-c", source, "-o", source.with_suffix(".o")]
        call(command)

    def link(self) -> Path:
        others = [*self.folder.glob("*_main.c"), *self.folder.glob("*.S")]
        command = [*self.compiler, "-I", self.folder, self.folder / "model.o", *others]
        call([*command, "-o", self.folder / "model", "-lm", "-pthread"])
        return self.folder / "model"

    def command(self) -> list:
        return [self.program, "--input", self.model.file("input.npz"), *self.threads]

    def cold(self) -> Cold:
        """The whole process, with reading its input and writing its output."""
        output = self.folder / "output.npz"
        seconds, memory = call([self.launcher, *self.command(), "--output", output]).split()[-2:]
        return Cold(float(seconds), int(memory), np.load(output)[OUTPUT])

    def start(self) -> Cold:
        return self.cold()

    def burst(self, warm_up: int, count: int) -> float:
        """The median of count runs, in seconds."""
        said = call([*self.command(), "--repeat", str(count)])
        return float(re.search(r"median ([\d.]+) ms", said)[1]) / 1000

    def layers(self, runs: int) -> list[dict]:
        """Of a program compiled with --profile: each step's share of the time, slowest first."""
        return layers_of(call([*self.command(), "--profile", str(runs)]))

    def stop(self) -> None:
        pass


def layers_of(table: str) -> list[dict]:
    """The rows that a testbench prints: of each step its milliseconds, floating-point operations a second where it
    multiplies and adds, and nodes."""
    rows = re.finditer(r"^ *[\d.]+% +([\d.]+) +(?:([\d.]+) +)?(\d+(?:-\d+)?)\. (.*)$", table, re.MULTILINE)
    return [{"ms": float(r[1]), "flops": 1e9 * float(r[2]) if r[2] else None, "nodes": r[4]} for r in rows]


class Worker:
    """A peer in a process of its own; see worker.py."""

    def __init__(self, name: str, model: Model, threads: int) -> None:
        self.name, self.model, self.process = name, model, None
        folder = BUILD / "work" / name / f"{model.label}-{threads}"
        folder.mkdir(parents=True, exist_ok=True)
        self.task = Task(model.name, model.size, model.stem, threads, folder)
        self.output = folder / "output.npy"
        self.log = folder / "log.txt"

    def set_up(self) -> None:
        """Installs the peer, and has it make what it needs of the model."""
        peer = peer_of(self.name, self.task)
        reason = peer.missing()
        if reason:
            raise Unusable(reason)
        self.python = environment_of(self.name, peer)
        told = {"peer": self.name, "model": self.model.name, "size": self.model.size, "stem": str(self.model.stem)}
        told |= {"threads": self.task.threads, "folder": str(self.task.folder), "output": str(self.output)}
        (self.task.folder / "task.json").write_text(json.dumps(told))
        with open(self.log, "w") as log:
            process = self.launch("convert", log)
            try:
                if process.wait(PATIENCE) != 0:
                    raise Unusable(f"cannot take it: {why(self.log.read_text())}")
            except subprocess.TimeoutExpired:
                process.kill()
                raise Unusable(f"not ready after {PATIENCE} seconds") from None

    def launch(self, action: str, log) -> subprocess.Popen:
        command = [self.python, HERE / "worker.py", action, self.task.folder / "task.json"]
        pipes = dict(stdin=subprocess.PIPE, stdout=subprocess.PIPE) if action == "serve" else {}
        return subprocess.Popen(command, stderr=log, text=True, **pipes)

    def start(self) -> Cold:
        """Starts the process, and leaves it stopped."""
        with open(self.log, "w") as log:
            self.process = self.launch("serve", log)
        told = self.answer()
        self.process.send_signal(signal.SIGSTOP)
        return Cold(told["seconds"], told["memory"], np.load(self.output))

    def cold(self) -> Cold:
        """Of another process, which is ended."""
        another = Worker(self.name, self.model, self.task.threads)
        another.python = self.python
        try:
            return another.start()
        finally:
            another.stop()

    def answer(self):
        ready, _, _ = select.select([self.process.stdout], [], [], PATIENCE)
        line = self.process.stdout.readline() if ready else ""
        if not line:
            raise Unusable(f"cannot run it: {why(self.log.read_text())}" if ready else f"silent for {PATIENCE} seconds")
        return json.loads(line)

    def burst(self, warm_up: int, count: int) -> float:
        """The median of count runs, in seconds."""
        self.process.send_signal(signal.SIGCONT)
        print(warm_up, count, file=self.process.stdin, flush=True)
        times = self.answer()
        self.process.send_signal(signal.SIGSTOP)
        return float(np.median(times))

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()


def peer_of(name: str, task: Task | None = None) -> Base:
    module = __import__(f"peers.{name}_peer", fromlist=["Peer"])
    return module.Peer(task)


def text_bytes(target: Path) -> int:
    """Instructions and constants of an object file."""
    return int(call(["size", target]).splitlines()[1].split()[0])
