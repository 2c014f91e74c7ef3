# Times a model: checks that all contenders agree with PyTorch, then runs them in turns, round by round. What comes out
# is plain data, which results.py keeps and report.py reads.

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np

from contenders import Fovea, Unusable, Worker
from installs import program_of
from models import Model
from peers.peer import OUTPUT, call

TOLERANCE = 1e-4  # largest difference from PyTorch, of the output's range
SLOW = 8  # times slower than fovea: such a peer is timed in few rounds
FEW = 3
APART = 0.92  # of one core's peak, times the threads: what they reach together at least where each has a core
STALLED = 1.15  # times longer than in its fastest round: what everybody takes in a round that is no measure


@dataclass(frozen=True)
class Effort:
    rounds: int
    seconds: float  # of one contender's burst, about
    colds: int  # cold starts, of which the fastest counts; 0: not measured

    def count(self, once: float) -> int:
        return max(1, min(1000, round(self.seconds / once)))


QUICK = Effort(rounds=3, seconds=0.15, colds=1)
FULL = Effort(rounds=15, seconds=0.5, colds=3)


def check(output: np.ndarray, model: Model) -> float:
    """The largest difference from PyTorch's output, of that output's range."""
    expected = np.load(model.file("expect.npz"))[OUTPUT]
    if output.size != expected.size or not np.isfinite(output).all():
        raise Unusable("its output has another size, or is not finite")
    worst = float(np.abs(output.reshape(expected.shape) - expected).max() / np.ptp(expected))
    if worst > TOLERANCE:
        raise Unusable(f"its output is off by {worst:.1e} of the range")
    return worst


class Entrant:
    """A contender, set up before, that has started and agrees, the medians of its bursts in order of rounds, and why it
    failed, if it did."""

    def __init__(self, contender: Fovea | Worker, model: Model, effort: Effort) -> None:
        self.contender, self.bursts, self.reason = contender, [], ""
        self.first = contender.start()
        self.difference = check(self.first.output, model)
        once = contender.burst(1, 1)
        self.once = min(once, contender.burst(0, effort.count(once)))
        self.count = effort.count(self.once)

    def take_turn(self) -> float | None:
        """The median of a burst; None where it fails, and is out from now on."""
        try:
            return self.contender.burst(2 if self.count > 2 else 0, self.count)
        except RuntimeError as reason:
            self.reason = str(reason)
            return None

    def result(self, effort: Effort) -> dict:
        """What is kept of it; of cold starts the fastest, and its peak memory."""
        if self.reason:
            return {"reason": self.reason}
        kept = {"bursts": self.bursts, "difference": self.difference}
        colds = [self.contender.cold() for _ in range(effort.colds)]
        if colds:
            fastest = min(colds, key=lambda cold: cold.seconds)
            kept["cold"] = {"seconds": fastest.seconds, "memory": fastest.memory}
        return kept


def enter(contender: Fovea | Worker, model: Model, effort: Effort) -> Entrant | str:
    """The entrant, or why there is none."""
    try:
        contender.set_up()
        return Entrant(contender, model, effort)
    except RuntimeError as reason:
        contender.stop()
        return str(reason)


def grow(model: Model, peers: list[str], effort: Effort, say) -> dict:
    """Of one size among others, on one thread: by name the bursts."""
    results = compare(model, peers, 1, effort, say)
    return {name: result["bursts"] for name, result in results.items() if "bursts" in result}


@cache
def peak() -> float:
    """Floating-point operations a second that one core does at most."""
    return peak_together(1)


def peak_together(threads: int) -> float:
    """Those of so many threads, now."""
    return float(call([program_of("peak"), *([] if threads == 1 else [str(threads)])]))


def have_cores(threads: int) -> bool:
    """Whether each thread has a core of its own now, and nobody else a good part of it."""
    return threads == 1 or peak_together(threads) > APART * threads * peak()


def take_round(entrants: list[Entrant], number: int, are_apart: Callable[[], bool], is_needed: bool):
    """Everybody once, in odd rounds backwards; who is far slower than the first takes part in the first ones alone.
    Returns the bursts by place, and whether no core was taken before some turn or at the end; once one was, the others
    have their turns only where the round is needed all the same."""
    due = [i for i, one in enumerate(entrants) if not one.reason and (number < FEW or one.once < SLOW * entrants[0].once)]
    bursts, is_good = {}, True
    for i in due[:: 1 if number % 2 == 0 else -1]:
        is_good = is_good and are_apart()
        if not is_good and not is_needed:
            return bursts, False
        burst = entrants[i].take_turn()
        if burst is not None:
            bursts[i] = burst
    return bursts, is_good and are_apart()


def stalled(rounds: dict[int, dict[int, float]]) -> list[int]:
    """The rounds in which everybody was slow, of those who took part in all. A virtual machine can have such minutes,
    with each core as fast as ever."""
    always = set.intersection(*map(set, rounds.values()))
    fastest = {i: min(bursts[i] for bursts in rounds.values()) for i in always}
    slow = [number for number, bursts in rounds.items() if all(bursts[i] > STALLED * fastest[i] for i in always)]
    return sorted(slow) if len(always) > 1 else []


def take_turns(entrants: list[Entrant], count: int, are_apart: Callable[[], bool]) -> int:
    """Rounds, of which those are taken anew in which a core was taken or everybody was slow, as many times as there are
    rounds; returns how many such are kept all the same."""
    rounds, taken, waiting, left = {}, set(), list(range(count)), count
    while waiting:
        number = waiting.pop(0)
        bursts, is_good = take_round(entrants, number, are_apart, left == 0)
        if not is_good and left > 0:
            left -= 1
            waiting.insert(0, number)
            continue
        rounds[number] = bursts
        (taken.discard if is_good else taken.add)(number)
        if not waiting:
            waiting = stalled(rounds)[:left]
            left -= len(waiting)
    for i, entrant in enumerate(entrants):
        entrant.bursts = [rounds[number][i] for number in range(count) if i in rounds[number]]
    return len(taken | set(stalled(rounds)))


def compare(model: Model, peers: list[str], threads: int, effort: Effort, say) -> dict:
    """Times of fovea and its peers on one model; by name the bursts, or why there are none."""
    results, entrants = {}, []
    try:
        for contender in [Fovea(model, threads), *(Worker(name, model, threads) for name in peers)]:
            say(f"{model.title}, threads: {threads}: {contender.name} gets ready")
            entrant = enter(contender, model, effort)
            if isinstance(entrant, str):
                results[contender.name] = {"reason": entrant}
                say(f"{model.title}, threads: {threads}: {contender.name}: {entrant}")
            else:
                entrants.append(entrant)
        say(f"{model.title}, threads: {threads}: {effort.rounds} rounds")
        shared = take_turns(entrants, effort.rounds, lambda: have_cores(threads))
        for entrant in entrants:
            results[entrant.contender.name] = entrant.result(effort)
    finally:
        for entrant in entrants:
            entrant.contender.stop()
    if "bursts" in results["fovea"]:
        results["fovea"] |= sizes_of(entrants[0].contender) | {"shared": shared}
    return results


def profile(model: Model, effort: Effort) -> list[dict]:
    """Of each step of fovea's code what layers_of() says; nothing where fovea does not run."""
    fovea = Fovea(model, 1, "--profile")
    try:
        fovea.set_up()
        return fovea.layers(max(3, effort.count(fovea.burst(0, 3))))
    except RuntimeError:
        return []


def sizes_of(fovea: Fovea) -> dict:
    memory = fovea.manifest["memory"]
    return {
        "code": fovea.code_bytes,
        "compile_seconds": fovea.compile_seconds,
        "weights": memory["weights_bytes"],
        "workspace": memory["workspace_bytes"],
    }
