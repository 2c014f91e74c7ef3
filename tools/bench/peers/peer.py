# What a peer is to the benchmark: how it is installed, what it makes of a model beforehand, and how it runs one. A
# peer's file has a class Peer and imports its library in prepare() only, since that is part of a cold start.

import inspect
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np

OUTPUT = "logits"  # every benchmarked model has this one output


@dataclass
class Task:
    """One model at one size for so many threads; whatever a peer makes of it is kept in folder."""

    model: str
    size: int
    stem: Path  # of what tests/models/export.py has written
    threads: int
    folder: Path

    @property
    def onnx(self) -> Path:
        """As PyTorch's newer exporter writes it."""
        return self.stem.with_name(self.stem.name + ".dynamo.onnx")

    @property
    def older_onnx(self) -> Path:
        """As the older one does, by TorchScript."""
        return self.stem.with_name(self.stem.name + ".ts.onnx")

    def inputs(self) -> dict[str, np.ndarray]:
        return dict(np.load(self.stem.with_name(self.stem.name + ".dynamo.input.npz")))


class Base:
    """TITLE is how it is called; PACKAGES are installed into an environment of its own, from which DISTRIBUTION gives
    the version; where there are none, it is in the environment that the tests use."""

    TITLE = ""
    PACKAGES: list[str] = []
    PACKAGES_ALONE: list[str] = []  # installed without what they depend on
    DISTRIBUTION = ""
    NOTE = ""  # how it is set up, for the page

    def __init__(self, task: Task) -> None:
        self.task = task

    def missing(self) -> str:
        """Why it cannot be used here; empty where it can."""
        return ""

    def convert(self) -> None:
        """Makes files that prepare() loads. Not timed."""

    def is_current(self, made: Path) -> bool:
        """Whether what convert() makes is there, and newer than the model and the peer's own file."""
        sources = [self.task.onnx, self.task.older_onnx, Path(inspect.getfile(type(self)))]
        return made.exists() and made.stat().st_mtime > max(source.stat().st_mtime for source in sources)

    def prepare(self) -> None:
        """From nothing, the library not being loaded yet, to ready to run."""
        raise NotImplementedError

    def run(self) -> None:
        """One inference, on the same inputs each time."""
        raise NotImplementedError

    def output(self) -> np.ndarray:
        """Of the last run."""
        raise NotImplementedError


def compiler(march: str = "native") -> list[str]:
    """The C compiler and options that every generator's code gets, fovea's too."""
    return [os.environ.get("CC", "cc"), "-O3", f"-march={march}"]


def call(command: list, folder: Path | None = None) -> str:
    """Runs a program; what it printed. Where it fails, the error ends with the last that it said."""
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder)
    if done.returncode != 0:
        said = [line.strip() for line in (done.stdout + done.stderr).splitlines() if line.strip()]
        raise RuntimeError(said[-1] if said else f"{command[0]} ended with {done.returncode}")
    return done.stdout


def build_shared(source: Path, library: Path) -> None:
    call([*compiler(), "-w", "-shared", "-fPIC", source, "-o", library, "-lm"])
