# Writes the page and its charts from what results.py collects. The page is written whole; what people have to say about
# it is in shortfalls.md, and what other compilers and machines showed in compilers.md, machines.md and cores.md, which are
# taken in.

from pathlib import Path
from statistics import median

import charts
from figures import milliseconds, plain, ratio, share_of_peak

HERE = Path(__file__).resolve().parent
# The median of peer time / fovea time that is aimed for, on one thread; on two, nine tenths of it.
AIMS = {
    "se_resnet50": {"onnxruntime": 1.35},
    "cbam_resnet18": {"onnxruntime": 1.5},
    "mobilenet_v3_large": {"onnxruntime": 1.35},
    "efficientnet_b0_mean": {"onnxruntime": 1.6},
    "deit_tiny": {"onnxruntime": 1.3},
    "minilm": {"onnxruntime": 1.45},
}
# Of every model, on one thread and on two.
PEER_AIMS = {"openvino": 1.0, "ncnn": 1.0, "tvm": 1.0, "inductor": 1.0, "emx": 20.0, "onnx2c": 20.0}
PEAK_AIMS = {
    "se_resnet50": 0.85,
    "deit_tiny": 0.8,
    "minilm": 0.8,
    "mobilenet_v3_large": 0.55,
    "efficientnet_b0_mean": 0.55,
}
AVX2_AIMS = {"se_resnet50": 0.85}  # of AVX2's peak, each convolution of 1x1 and 3x3, built for AVX2 alone
COLD_AIM = 5.0  # times faster than ONNX Runtime's
MEMORY_AIM = 8 << 20  # bytes beyond weights and workspace
CODE_AIM = 400_000  # bytes
COMPILE_AIM = 15.0  # seconds
SLOWEST = 12  # steps of a model that the page shows

HEAD = """\
# Benchmarks

How fast the generated C is, beside the runtimes and generators that people use: batch 1, float32. Written by
`scripts/bench`, which installs the peers, checks that all outputs agree with PyTorch's (within {tolerance:g} of their
range), and then times everybody in turns.

- **Ratios** are peer time / fovea time: above 1, fovea is faster. In each of {rounds} rounds every contender runs for
  about {seconds:g} s, after a warm-up; the median of those runs counts. The ratio is taken round by round, and the
  table has the median of the rounds. Peers far slower than fovea are timed in the first rounds only.
- **fovea** is the program that `fovea compile --target native --testbench` writes, built with `{compiler}`; on two threads
  with `--threads 2`.
- **Peers** get their number of threads by their own options, and are stopped while others run.
- **Two threads** need two cores, which a virtual machine does not always have. Between turns `tools/bench/peak.c`
  measures both at once, with threads that meet often; a round in which they do not reach {apart:.0%} of two cores' peak
  is taken anew, and so is one in which everybody takes more than {stalled:.2f} times as long as in the fastest round, as
  many times as there are rounds.

## Machine

{machine}

{runs}

Peak of one core: {peak:.1f} GFLOP/s in fused multiply-adds, measured by `tools/bench/peak.c`.

| peer | version | as it is run |
|---|---|---|
{peers}
"""


def table(head: list[str], rows: list[list[str]]) -> str:
    return "\n".join("| " + " | ".join(row) + " |" for row in [head, ["---"] * len(head), *rows])


class Report:
    def __init__(self, results: dict) -> None:
        self.results = results
        self.models = results["models"]
        self.titles = {name: peer["title"] for name, peer in results["peers"].items()}

    def bursts(self, model: str, threads: int, name: str) -> list[float] | None:
        return self.models[model]["threads"].get(str(threads), {}).get(name, {}).get("bursts")

    def ratio(self, model: str, threads: int, peer: str) -> tuple[float, float, float] | None:
        peer_bursts, fovea = self.bursts(model, threads, peer), self.bursts(model, threads, "fovea")
        return ratio(peer_bursts, fovea) if peer_bursts and fovea else None

    def share(self, model: str) -> float | None:
        fovea = self.bursts(model, 1, "fovea")
        macs = self.models[model]["macs"]
        return share_of_peak(macs, milliseconds(fovea) / 1000, self.results["peak"]) if fovea else None

    def single(self, model: str, name: str) -> dict:
        """What was found of a contender on one thread."""
        return self.models[model]["threads"].get("1", {}).get(name, {})

    def threads(self) -> list[int]:
        return sorted({int(threads) for model in self.models.values() for threads in model["threads"]})

    def head(self) -> str:
        machine = "\n".join(f"- {name}: {value}" for name, value in self.results["machine"].items())
        peers = "\n".join(
            f"| {peer['title']} | {peer['version'] or '-'} | {peer['note']} |"
            for peer in self.results["peers"].values()
        )
        kept = {key: self.results[key] for key in ("rounds", "seconds", "tolerance", "compiler", "apart", "stalled")}
        return HEAD.format(machine=machine, peers=peers, runs=self.runs(), peak=self.results["peak"] / 1e9, **kept)

    def runs(self) -> str:
        """When everything was measured; where that took several runs, which part in which."""
        runs = self.results["runs"]
        if len(runs) == 1:
            return f"Measured in one run ({', '.join(runs)})."
        rows = [f"- {', '.join(parts)} ({when})" for when, parts in sorted(runs.items())]
        return "\n".join(["Measured in parts, by the same fovea under the same conditions:", "", *rows])

    def ratios(self, threads: int) -> str:
        rows = []
        for name, model in self.models.items():
            row = [model["title"]]
            for peer in self.titles:
                found = self.ratio(name, threads, peer)
                row.append("-" if found is None else f"{plain(found[0])} ({plain(found[1])} to {plain(found[2])})")
            rows.append(row)
        return table(["model", *self.titles.values()], rows)

    def shared(self, threads: int) -> str:
        """How many rounds should have been taken anew, all attempts being spent."""
        found = {model["title"]: model["threads"].get(str(threads), {}).get("fovea", {}).get("shared", 0)
                 for model in self.models.values()}
        told = ", ".join(f"{title} {count}" for title, count in found.items() if count > 0)
        return f"Rounds that are in it although a core was taken, or everybody was slow: {told}." if told else ""

    def latencies(self, threads: int) -> str:
        names = {"fovea": "fovea", **self.titles}
        rows = []
        for name, model in self.models.items():
            times = [self.bursts(name, threads, contender) for contender in names]
            rows.append([model["title"], *("-" if t is None else plain(milliseconds(t)) for t in times)])
        return table(["model", *names.values()], rows)

    def shares(self) -> str:
        rows = []
        for name, model in self.models.items():
            row = [model["title"], f"{2e-9 * model['macs']:.2f}"]
            for contender in ("fovea", *self.titles):
                bursts = self.bursts(name, 1, contender)
                if bursts is None:
                    row.append("-")
                    continue
                share = share_of_peak(model["macs"], milliseconds(bursts) / 1000, self.results["peak"])
                row.append(f"{100 * share:.0f} %" if share >= 0.02 else f"{100 * share:.1f} %")
            rows.append(row)
        return table(["model", "GFLOP", "fovea", *self.titles.values()], rows)

    def footprints(self) -> str:
        """Cold start and memory of everybody."""
        rows = []
        for name, model in self.models.items():
            row = [model["title"]]
            for contender in ("fovea", *self.titles):
                cold = self.single(name, contender).get("cold")
                row.append("-" if cold is None else f"{1000 * cold['seconds']:.0f} ms, {cold['memory'] / 1e6:.0f} MB")
            rows.append(row)
        return table(["model", "fovea", *self.titles.values()], rows)

    def sizes(self) -> str:
        rows = []
        for name, model in self.models.items():
            fovea = self.single(name, "fovea")
            if "code" in fovea:
                beyond = fovea["cold"]["memory"] - fovea["weights"] - fovea["workspace"]
                megabytes = [f"{fovea[key] / 1e6:.1f} MB" for key in ("weights", "workspace")]
                code = [f"{fovea['code'] / 1000:.0f} KB", f"{fovea['compile_seconds']:.1f} s"]
                rows.append([model["title"], *megabytes, f"{beyond / 1e6:.1f} MB", *code])
        return table(["model", "weights", "workspace", "memory beyond both", "code", "C compiler"], rows)

    def missing(self) -> str:
        """Why contenders are not in the tables."""
        told: dict[tuple[str, str], list[str]] = {}
        for model in self.models.values():
            for threads, contenders in model["threads"].items():
                for name, result in contenders.items():
                    if "reason" in result:
                        where = told.setdefault((self.titles.get(name, name), result["reason"]), [])
                        where.append(f"{model['title']} on {threads}")
        return "\n".join(f"- {name}: {reason} ({', '.join(where)})" for (name, reason), where in told.items())

    def layers(self, model: str) -> str:
        """The slowest steps, and what they have of the peak."""
        layers = self.models[model].get("layers", [])
        whole = sum(layer["ms"] for layer in layers)
        rows = []
        for layer in layers[:SLOWEST]:
            peak = "-" if layer["flops"] is None else f"{100 * layer['flops'] / self.results['peak']:.0f} %"
            share = f"{100 * layer['ms'] / whole:.1f} %"
            rows.append([layer["nodes"].replace("|", "\\|"), plain(layer["ms"]), share, peak])
        return table(["step", "ms", "of the time", "of the peak"], rows) if rows else ""

    def avx2_shares(self, model: str) -> dict[str, list[float]]:
        """By window the shares of AVX2's peak that convolutions have, the least first."""
        found, shares = self.models[model].get("avx2", {}), {}
        for layer in found.get("layers", []):
            shares.setdefault(layer["window"], []).append(layer["flops"] / found["peak"])
        return {window: sorted(shares[window]) for window in sorted(shares)}

    def avx2(self) -> str:
        rows = []
        for name, model in self.models.items():
            for window, shares in self.avx2_shares(name).items():
                least, middle, most = (f"{100 * share:.0f} %" for share in (shares[0], median(shares), shares[-1]))
                rows.append([model["title"], window, str(len(shares)), least, middle, most])
        return table(["model", "window", "convolutions", "least", "median", "most"], rows) if rows else ""

    def speed_ups(self) -> str:
        names = {"fovea": "fovea", **self.titles}
        rows = []
        for name, model in self.models.items():
            for threads in self.threads()[1:]:
                row = [model["title"], str(threads)]
                for contender in names:
                    one, more = self.bursts(name, 1, contender), self.bursts(name, threads, contender)
                    row.append(plain(milliseconds(one) / milliseconds(more)) if one and more else "-")
                rows.append(row)
        return table(["model", "threads", *names.values()], rows) if rows else ""

    def aims(self) -> list[tuple[str, str, str, bool]]:
        """What is aimed for, what was found, by how much, and whether that is enough; what was not measured is left
        out."""
        found = []
        for name, model in self.models.items():
            for threads in self.threads():
                for peer, aim in [*AIMS.get(name, {}).items(), *PEER_AIMS.items()]:
                    least = aim * (0.9 if threads > 1 and peer in AIMS.get(name, {}) else 1.0)
                    got = self.ratio(name, threads, peer)
                    if got is not None:
                        what = f"against {self.titles[peer]}, threads: {threads}"
                        found.append((model["title"], what, f"{plain(least)}", got[0], got[0] >= least))
            found += [(model["title"], *aim) for aim in self.single_aims(name)]
        return found

    def single_aims(self, name: str):
        """What is aimed for on one thread, apart from ratios."""
        share, fovea = self.share(name), self.single(name, "fovea")
        if share is not None and name in PEAK_AIMS:
            yield "share of peak", plain(PEAK_AIMS[name]), share, share >= PEAK_AIMS[name]
        for window, shares in self.avx2_shares(name).items():
            if window in ("1x1", "3x3"):
                aim = AVX2_AIMS[name]
                yield f"least share of AVX2's peak, {window}", plain(aim), shares[0], shares[0] >= aim
        cold = self.single(name, "onnxruntime").get("cold")
        if cold and "cold" in fovea:
            times = cold["seconds"] / fovea["cold"]["seconds"]
            yield "cold start, ONNX Runtime's / fovea's", plain(COLD_AIM), times, times >= COLD_AIM
        if "code" in fovea:
            beyond = fovea["cold"]["memory"] - fovea["weights"] - fovea["workspace"]
            yield "memory beyond weights and workspace, MB", plain(MEMORY_AIM / 1e6), beyond / 1e6, beyond <= MEMORY_AIM
            yield "code, KB", plain(CODE_AIM / 1e3), fovea["code"] / 1e3, fovea["code"] <= CODE_AIM
            seconds = fovea["compile_seconds"]
            yield "C compiler, s", plain(COMPILE_AIM), seconds, seconds <= COMPILE_AIM

    def not_met(self) -> str:
        rows = [[*aim[:3], plain(aim[3])] for aim in self.aims() if not aim[4]]
        met = sum(aim[4] for aim in self.aims())
        said = f"{met} of {len(self.aims())} aims are met."
        if not rows:
            return said
        return f"{said} Those that are not:\n\n" + table(["model", "aim", "at least or at most", "found"], rows)

    def charts(self, folder: Path) -> list[str]:
        """Writes the charts; their names."""
        written = []
        for threads in self.threads():
            groups = {}
            for name, model in self.models.items():
                found = {title: self.ratio(name, threads, peer) for peer, title in self.titles.items()}
                groups[model["title"]] = {title: value[0] for title, value in found.items() if value}
            if any(groups.values()):
                caption = f"peer time / fovea time, threads: {threads}"
                written.append(save(folder, f"bench_ratios_{threads}.svg", charts.bars(groups, caption)))
        for name, growth in self.results.get("growth", {}).items():
            series: dict[str, dict[float, float]] = {}
            for size, contenders in growth["sizes"].items():
                for contender, bursts in contenders.items():
                    title = self.titles.get(contender, contender)
                    series.setdefault(title, {})[float(size)] = milliseconds(bursts)
            up = f"{growth['title']}, one thread: milliseconds"
            written.append(save(folder, f"bench_growth_{name}.svg", charts.lines(series, growth["across"], up)))
        return written

    def layer_parts(self) -> list[str]:
        parts = []
        for name, model in self.models.items():
            layers = self.layers(name)
            parts += [f"{model['title']}:", layers] if layers else []
        return ["## Layers", LAYERS, *parts] if parts else []

    def page(self, written: list[str]) -> str:
        """The whole page; the charts lie in images/ beside it."""
        def pictures(prefix: str) -> list[str]:
            return [f"![{name.removesuffix('.svg')}](images/{name})" for name in written if name.startswith(prefix)]

        parts = [self.head()]
        for threads in self.threads():
            said = "one thread" if threads == 1 else f"{threads} threads"
            parts += [f"## Ratios, {said}", "Peer time / fovea time: the median, and the middle half of the rounds."]
            parts += [self.ratios(threads), self.shared(threads), *pictures(f"bench_ratios_{threads}"), f"Milliseconds, {said}:"]
            parts += [self.latencies(threads)]
        parts += ["## Share of the peak", SHARES, self.shares()]
        parts += ["## Cold start and memory", COLD, self.footprints()]
        parts += ["## What fovea makes", MADE, self.sizes()]
        parts += ["## How cost grows", *pictures("bench_growth"), "Times faster than on one thread:", self.speed_ups()]
        parts += self.layer_parts()
        if self.avx2():
            parts += ["## AVX2 alone", AVX2, self.avx2()]
        parts += ["## Other C compilers", (HERE / "compilers.md").read_text()]
        parts += ["## Other machines", (HERE / "machines.md").read_text()]
        parts += ["## Many cores", (HERE / "cores.md").read_text()]
        if self.missing():
            parts += ["## Who is missing", self.missing()]
        parts += ["## What falls short, and what was tried", self.not_met(), (HERE / "shortfalls.md").read_text()]
        return "\n\n".join(part.rstrip() for part in parts if part) + "\n"


COLD = """\
From nothing to the first output, and the most memory that was resident. Of fovea this is the whole process, with
reading its input and writing its output. Of a peer it is loading its library, the model, and a first run, within a
Python that runs already and whose own memory is left out; what a peer makes of a model beforehand (ncnn's, TVM's and
the generators' files) is there already."""
MADE = """\
Code is instructions and constants of the object file, without weights. Weights that the system maps by large pages become
resident with what lies beside them: all of MiniLM's table of words, of which a run reads a few rows."""
LAYERS = f"""\
The {SLOWEST} slowest steps of each model, on one thread, as `--profile` tells them: the fastest of many runs."""
AVX2 = """\
Built with `-march=x86-64-v3`, on one thread: what the convolutions of a model have of AVX2's peak, by their windows, as
`--profile` tells it."""
SHARES = """\
The floating-point operations that direct convolution needs, over time and the peak of one core, on one thread. A
Winograd convolution needs fewer, and can come out above 100 %."""


def save(folder: Path, name: str, drawing: str) -> str:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(drawing)
    return name


def write(results: dict, page: Path) -> None:
    report = Report(results)
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text(report.page(report.charts(page.parent / "images")))
