# scripts/bench cores: what fovea and ONNX Runtime gain by threads, up to those of the machine; prints tables. What they
# showed on a machine with many cores is in cores.md, which the page takes in.

import json
import os
from concurrent.futures import ThreadPoolExecutor
from statistics import median

from contenders import Fovea, Worker
from figures import milliseconds, plain
from measure import Effort, Entrant, peak_together
from models import BUILD, MODELS, Model
from report import table

PEER = "onnxruntime"
EFFORT = Effort(rounds=7, seconds=0.25, colds=0)


def counts() -> list[int]:
    """1, 2, 4 and so on, and all cores."""
    most = os.cpu_count() or 1
    return sorted({min(1 << i, most) for i in range(most.bit_length() + 1)})


def set_up(contenders: list[Fovea | Worker]) -> None:
    """All at the same time, but for the first, which builds what they share."""
    contenders[0].set_up()
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(lambda contender: contender.set_up(), contenders[1:]))


def take_turns(entrants: list[Entrant], threads: list[int], rounds: int) -> list[dict[int, float]]:
    """Everybody once a round, in odd rounds backwards; returns what threads reached together after each."""
    peaks = []
    for number in range(rounds):
        for entrant in entrants[:: 1 if number % 2 == 0 else -1]:
            burst = entrant.take_turn()
            if burst is None:
                raise RuntimeError(entrant.reason)
            entrant.bursts.append(burst)
        peaks.append({count: peak_together(count) for count in threads})
    return peaks


def measure(model: Model, threads: list[int], effort: Effort) -> dict:
    """Seconds of each burst, by contender and threads; peaks; and fovea's steps on one thread and on all."""
    contenders = [one for count in threads for one in (Fovea(model, count), Worker(PEER, model, count))]
    profiled = {count: Fovea(model, count, "--profile") for count in (1, threads[-1])}
    set_up([*contenders, *profiled.values()])
    try:
        entrants = [Entrant(contender, model, effort) for contender in contenders]
        peaks = take_turns(entrants, threads, effort.rounds)
    finally:
        for contender in contenders:
            contender.stop()
    found = {"title": model.title, "macs": model.inspect()["macs"], "peaks": peaks, "bursts": {}, "layers": {}}
    for i, count in enumerate(threads):
        found["bursts"][count] = {entrant.contender.name: entrant.bursts for entrant in entrants[2 * i : 2 * i + 2]}
    for count, fovea in profiled.items():
        found["layers"][count] = fovea.layers(max(20, effort.count(fovea.burst(0, 3))))
    return found


def latencies(found: dict, threads: list[int]) -> list[list[str]]:
    """Rows of a model: milliseconds, times faster than on one thread, and the ratio, by threads."""
    def times(name: str) -> list[float]:
        return [milliseconds(found["bursts"][count][name]) for count in threads]

    fovea, peer = times("fovea"), times(PEER)
    rows = [[name, f"{plain(own[0])} ms", *(f"{plain(t)} ms, {own[0] / t:.1f}x" for t in own[1:])]
            for name, own in (("fovea", fovea), ("ONNX Runtime", peer))]
    rows.append(["ratio", *(f"{p / f:.2f}" for p, f in zip(peer, fovea))])
    return [[found["title"], *row] for row in rows]


def least_gains(found: dict, threads: int, most: int = 5) -> list[list[str]]:
    """The steps that lose most of the time on all threads, beside what an even share of one thread's time would be."""
    alone = {layer["nodes"]: layer["ms"] for layer in found["layers"][1]}
    layers = [(alone[layer["nodes"]], layer) for layer in found["layers"][threads] if layer["nodes"] in alone]
    layers.sort(key=lambda pair: pair[0] / threads - pair[1]["ms"])
    return [[found["title"], layer["nodes"], f"{1000 * one:.0f} us", f"{1000 * layer['ms']:.0f} us",
             f"{one / layer['ms']:.1f}x"] for one, layer in layers[:most] if layer["ms"] > 0]


def main() -> None:
    threads, results = counts(), {}
    for model in MODELS:
        model.make()
        results[model.name] = measure(model, threads, EFFORT)
        (BUILD / "cores.json").write_text(json.dumps(results))
    titles = ["1 thread", *(f"{count} threads" for count in threads[1:])]
    peaks = [median(p[count] for found in results.values() for p in found["peaks"]) for count in threads]
    print(table(["", *titles], [["peak", *(f"{peak / 1e9:.0f} GFLOP/s, {peak / peaks[0]:.1f}x" for peak in peaks)]]))
    print(table(["model", "", *titles], [row for found in results.values() for row in latencies(found, threads)]))
    gains = [row for found in results.values() for row in least_gains(found, threads[-1])]
    print(table(["model", "step", *(titles[i] for i in (0, -1)), "gain"], gains))
