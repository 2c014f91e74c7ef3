# The arithmetic of the page: what becomes of bursts, each the median time of some runs, and of counts.

import math
import statistics


def ratio(peer: list[float], fovea: list[float]) -> tuple[float, float, float]:
    """Peer time / fovea time, round by round: the median, and the quarters below and above it. A peer that dropped out
    early is compared in the rounds that it took part in."""
    ratios = [p / f for p, f in zip(peer, fovea)]
    if len(ratios) < 2:
        return ratios[0], ratios[0], ratios[0]
    low, middle, high = statistics.quantiles(ratios, n=4, method="inclusive")
    return middle, low, high


def milliseconds(bursts: list[float]) -> float:
    return 1000 * statistics.median(bursts)


def share_of_peak(macs: int, seconds: float, peak: float) -> float:
    """Of the floating-point operations that direct convolution needs, two a multiply-add; peak a second."""
    return 2 * macs / seconds / peak


def ticks(low: float, high: float) -> list[float]:
    """1, 2 and 5 times the powers of ten, from the last that is not above low to the first that is not below high."""
    powers = range(math.floor(math.log10(low)) - 1, math.ceil(math.log10(high)) + 2)
    steps = [times * 10.0**power for power in powers for times in (1, 2, 5)]
    first = max(i for i, step in enumerate(steps) if step <= low * (1 + 1e-9))
    last = min(i for i, step in enumerate(steps) if step >= high * (1 - 1e-9))
    return steps[first : last + 1]


def plain(value: float) -> str:
    """Two or three digits that say something, never an exponent."""
    if value >= 100:
        return f"{value:.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"
