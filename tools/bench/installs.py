# What the benchmark makes for itself on demand below build/bench: a Python environment for each peer that needs one,
# with a stamp that says what is in it, and small programs.

import sys
from functools import cache
from pathlib import Path

from models import BUILD, ROOT
from peers.peer import Base, call, compiler

HERE = Path(__file__).resolve().parent


def environment_of(name: str, peer: Base) -> Path:
    """The Python that has the peer's packages."""
    if not peer.PACKAGES:
        return Path(sys.executable)
    folder = BUILD / "venv" / name
    python, stamp = folder / "bin/python", folder / "installed.txt"
    wanted = " ".join([*peer.PACKAGES, *peer.PACKAGES_ALONE])
    if stamp.exists() and stamp.read_text() == wanted:
        return python
    print(f"installing {wanted} for {peer.TITLE}", flush=True)
    call([sys.executable, "-m", "venv", folder])
    pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    call([*pip, *peer.PACKAGES])
    if peer.PACKAGES_ALONE:
        call([*pip, "--no-deps", *peer.PACKAGES_ALONE])
    stamp.write_text(wanted)
    return python


def version_of(name: str, peer: Base) -> str:
    """The installed version; empty where the peer is no package, or cannot be installed."""
    if not peer.DISTRIBUTION:
        return ""
    program = f"from importlib.metadata import version; print(version({peer.DISTRIBUTION!r}))"
    try:
        return call([environment_of(name, peer), "-c", program]).strip()
    except RuntimeError as reason:
        print(f"{peer.TITLE}: {reason}", file=sys.stderr)
        return ""


@cache
def program_of(name: str, folder: Path = BUILD, march: str = "native") -> Path:
    """The program of name.c beside this file."""
    source, program = HERE / f"{name}.c", folder / name
    folder.mkdir(parents=True, exist_ok=True)
    call([*compiler(march), "-I", ROOT / "runtime", source, "-o", program, "-pthread"])
    return program
