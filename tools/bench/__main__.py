# scripts/bench: times fovea beside its peers and writes docs/benchmarks.md. See --help.

import argparse
import hashlib
import os
import subprocess
import sys
import time
from pathlib import Path

import avx2
import cores
import report
import web
from contenders import peer_of
from installs import version_of
from measure import APART, FULL, QUICK, STALLED, TOLERANCE, Effort, compare, grow, peak, profile
from models import BUILD, FOVEA, ROOT
from peers.peer import call, compiler
from results import PARTS, Part, Run, collect, keep

PEERS = ["onnxruntime", "openvino", "ncnn", "tvm", "inductor", "torch", "emx", "onnx2c"]
GROWTH_PEERS = ["onnxruntime", "openvino"]
THREADS = [1, 2]


def say(words: str) -> None:
    print(words, file=sys.stderr, flush=True)


def machine() -> dict[str, str]:
    listing = subprocess.run(["lscpu"], capture_output=True, text=True, env={**os.environ, "LC_ALL": "C"}).stdout
    fields = dict(line.split(":", 1) for line in listing.splitlines() if ":" in line)
    wanted = {"Model name": "processor", "CPU(s)": "cores", "L2 cache": "L2", "L3 cache": "L3"}
    told = {title: fields[field].strip() for field, title in wanted.items() if field in fields}
    flags = fields.get("Flags", "").split()
    told["vectors"] = next((name for name in ("avx512f", "avx2", "sse2", "asimd") if name in flags), "unknown")
    version = subprocess.run([compiler()[0], "--version"], capture_output=True, text=True).stdout
    told["C compiler"] = version.splitlines()[0]
    return told


def describe(peers: list[str]) -> dict:
    found = {}
    for name in peers:
        peer = peer_of(name)
        found[name] = {"title": peer.TITLE, "version": version_of(name, peer), "note": peer.NOTE}
    return found


def measure_model(part: Part, peers: list[str], effort: Effort) -> dict:
    model = part.model
    model.make()
    threads = {str(count): compare(model, peers, count, effort, say) for count in THREADS}
    found = {"title": model.title, "macs": model.inspect()["macs"], "threads": threads, "layers": profile(model, effort)}
    if model.name in report.AVX2_AIMS:
        found["avx2"] = avx2.measure(model, effort)
    return found


def measure_growth(part: Part, peers: list[str], effort: Effort) -> dict:
    """Fewer rounds, since there are many sizes, and no cold starts."""
    effort = Effort(max(3, effort.rounds // 3), effort.seconds, colds=0)
    across = "tokens" if part.model.name == "minilm" else "side of the image"
    found = {}
    for size in part.sizes:
        resized = part.model.resized(size)
        resized.make()
        found[str(size)] = grow(resized, [peer for peer in GROWTH_PEERS if peer in peers], effort, say)
    return {"title": part.model.title, "across": across, "sizes": found}


def parse() -> argparse.Namespace:
    names = [part.name for part in PARTS]

    def listed(known: list[str]):
        def split(value: str) -> list[str]:
            unknown = [word for word in value.split(",") if word not in known]
            if unknown:
                raise argparse.ArgumentTypeError(f"{unknown[0]} is none of {', '.join(known)}")
            return value.split(",")

        return split

    parser = argparse.ArgumentParser(
        prog="scripts/bench", description="Time fovea beside its peers, and write docs/benchmarks.md."
    )
    parser.add_argument("--only", type=listed(names), metavar="A,B", help=f"parts: {', '.join(names)}")
    parser.add_argument("--peers", type=listed(PEERS), default=PEERS, metavar="A,B", help=", ".join(PEERS))
    parser.add_argument("--rounds", type=int, help=f"{FULL.rounds} by default")
    parser.add_argument("--quick", action="store_true", help="few short rounds, and growth only where --only says so")
    parser.add_argument("--write", action="store_true", help="measure nothing: write docs/benchmarks.md of what was measured")
    what = "page: models in Chromium, beside ONNX Runtime Web; cores: fovea and ONNX Runtime on 1, 2, 4 ... threads"
    parser.add_argument("what", nargs="?", choices=["page", "cores"], help=what)
    return parser.parse_args()


def effort_of(arguments: argparse.Namespace) -> Effort:
    effort = QUICK if arguments.quick else FULL
    return effort if arguments.rounds is None else Effort(arguments.rounds, effort.seconds, effort.colds)


def chosen(arguments: argparse.Namespace) -> list[Part]:
    if arguments.only is not None:
        return [part for part in PARTS if part.name in arguments.only]
    return [part for part in PARTS if not (arguments.quick and part.sizes)]


def begin(peers: list[str], effort: Effort) -> Run:
    if os.getloadavg()[0] > 0.5:
        say(f"the machine is busy (load {os.getloadavg()[0]:.1f}): what is measured now says little")
    conditions = {"machine": machine(), "compiler": " ".join(compiler()), "peers": describe(peers)}
    conditions |= {"tolerance": TOLERANCE, "rounds": effort.rounds, "seconds": effort.seconds, "apart": APART,
                   "stalled": STALLED}
    conditions["fovea"] = hashlib.sha256(FOVEA.read_bytes()).hexdigest()
    commit = call(["git", "-C", ROOT, "describe", "--always", "--dirty"]).strip()
    return Run(time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime()), commit, peak(), conditions)


def write_page(kept: Path, is_serious: bool) -> None:
    """Only all parts measured with all peers make the page in docs/; otherwise it is below build/bench."""
    try:
        results, missing = collect(kept)
    except ValueError as reason:
        sys.exit(f"scripts/bench: {reason}")
    page = ROOT / "docs/benchmarks.md" if is_serious and not missing else BUILD / "page/benchmarks.md"
    report.write(results, page)
    say(f"{page.relative_to(ROOT)} is written" + (f"; not in it: {', '.join(missing)}" if missing else ""))


def main() -> None:
    arguments = parse()
    if arguments.what:
        (web if arguments.what == "page" else cores).main()
        return
    effort = effort_of(arguments)
    is_serious = not arguments.quick and len(arguments.peers) == len(PEERS)
    kept = BUILD / ("results" if is_serious else "trial")
    if not arguments.write:
        run = begin(arguments.peers, effort)
        for part in chosen(arguments):
            measure = measure_growth if part.sizes else measure_model
            keep(kept, part, run, measure(part, arguments.peers, effort))
    write_page(kept, is_serious)


main()
