# scripts/bench: times fovea beside its peers and writes docs/benchmarks.md. See --help.

import argparse
import json
import os
import subprocess
import sys

import report
from contenders import peer_of
from installs import program_of, version_of
from measure import FULL, QUICK, TOLERANCE, Effort, compare, grow, profile
from models import BUILD, GROWTH, MODELS, ROOT, Model
from peers.peer import call, compiler

PEERS = ["onnxruntime", "openvino", "ncnn", "tvm", "inductor", "torch", "emx", "onnx2c"]
GROWTH_PEERS = ["onnxruntime", "openvino"]
THREADS = [1, 2]


def say(words: str) -> None:
    print(words, file=sys.stderr, flush=True)


def peak() -> float:
    """Floating-point operations a second that one core does at most."""
    return float(call([program_of("peak")]))


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


def measure_model(model: Model, peers: list[str], effort: Effort) -> dict:
    model.make()
    threads = {str(count): compare(model, peers, count, effort, say) for count in THREADS}
    layers = profile(model, effort)
    return {"title": model.title, "macs": model.inspect()["macs"], "threads": threads, "layers": layers}


def measure_growth(model: Model, sizes: list[int], effort: Effort) -> dict:
    across = "tokens" if model.name == "minilm" else "side of the image"
    found = {}
    for size in sizes:
        resized = model.resized(size)
        resized.make()
        found[str(size)] = grow(resized, GROWTH_PEERS, effort, say)
    return {"title": model.title, "across": across, "sizes": found}


def parse() -> argparse.Namespace:
    names = [model.name for model in MODELS]

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
    parser.add_argument("--models", type=listed(names), default=names, metavar="A,B", help=", ".join(names))
    parser.add_argument("--peers", type=listed(PEERS), default=PEERS, metavar="A,B", help=", ".join(PEERS))
    parser.add_argument("--rounds", type=int, help=f"{FULL.rounds} by default")
    parser.add_argument("--quick", action="store_true", help="few short rounds, no growth")
    return parser.parse_args()


def effort_of(arguments: argparse.Namespace) -> Effort:
    effort = QUICK if arguments.quick else FULL
    return effort if arguments.rounds is None else Effort(arguments.rounds, effort.seconds, effort.colds)


def main() -> None:
    """Only a whole run writes the page in docs/; of part of it, or a quick one, the page is below build/bench."""
    arguments = parse()
    effort = effort_of(arguments)
    whole = not arguments.quick and len(arguments.models) == len(MODELS) and len(arguments.peers) == len(PEERS)
    if os.getloadavg()[0] > 0.5:
        say(f"the machine is busy (load {os.getloadavg()[0]:.1f}): what is measured now says little")
    BUILD.mkdir(parents=True, exist_ok=True)
    chosen = [model for model in MODELS if model.name in arguments.models]
    results = {"machine": machine(), "peak": peak(), "peers": describe(arguments.peers), "tolerance": TOLERANCE}
    results |= {"rounds": effort.rounds, "seconds": effort.seconds, "compiler": " ".join(compiler())}
    results["models"] = {model.name: measure_model(model, arguments.peers, effort) for model in chosen}
    if not arguments.quick:
        few = Effort(max(3, effort.rounds // 3), effort.seconds, colds=0)
        growing = [model for model in chosen if model.name in GROWTH]
        results["growth"] = {model.name: measure_growth(model, GROWTH[model.name], few) for model in growing}
    page = ROOT / "docs/benchmarks.md" if whole else BUILD / "page/benchmarks.md"
    (BUILD / "results.json").write_text(json.dumps(results, indent=1))
    report.write(results, page)
    say(f"{page.relative_to(ROOT)} is written")


main()
