"""What scripts/bench makes of its measurements: ratios, medians, shares of the peak, the page's tables and charts."""
import os
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from tempfile import TemporaryDirectory

sys.path.insert(0, os.environ["FOVEA_SOURCE_DIR"] + "/tools/bench")
import charts
from contenders import layers_of
from figures import milliseconds, plain, ratio, share_of_peak, ticks
from installs import program_of
from measure import take_turns
from peers.peer import call
from report import Report
from results import PARTS, Run, collect, keep

SVG = "{http://www.w3.org/2000/svg}"


def close(got, wanted):
    assert abs(got - wanted) < 1e-12 * max(1, abs(wanted)), f"{got}, expected {wanted}"


def test_ratio_is_taken_round_by_round():
    """A machine that slows down for one round slows both; the ratio of the medians would be 3."""
    middle, low, high = ratio([2.0, 60.0, 6.0], [1.0, 30.0, 2.0])
    close(middle, 2.0)
    close(low, 2.0)
    close(high, 2.5)


def test_ratio_of_a_peer_that_dropped_out():
    close(ratio([8.0, 12.0], [1.0, 1.0, 100.0])[0], 10.0)
    assert ratio([8.0], [2.0, 1.0]) == (4.0, 4.0, 4.0)


def test_times_and_shares():
    close(milliseconds([0.004, 0.001, 0.002]), 2.0)
    close(share_of_peak(macs=50, seconds=2.0, peak=100.0), 0.5)


def test_ticks_enclose_the_values():
    assert ticks(0.3, 14) == [0.2, 0.5, 1, 2, 5, 10, 20]
    assert ticks(1, 1) == [1]
    assert ticks(64, 512) == [50, 100, 200, 500, 1000]


def test_plain_numbers():
    assert [plain(x) for x in (0.5, 1.346, 12.34, 1234.5)] == ["0.50", "1.35", "12.3", "1234"]


def test_profile_is_read():
    """As a testbench prints it: steps that do not multiply have no rate."""
    table = """  share        ms   GFLOP/s  step
 75.00%    0.7500     50.00  3. 'conv' (Conv), 'relu' (Relu)
 25.00%    0.2500            4-5. 'pool.1' (MaxPool)
100.00%    1.0000            all steps, the fastest of 9 runs
"""
    assert layers_of(table) == [{"ms": 0.75, "flops": 50e9, "nodes": "'conv' (Conv), 'relu' (Relu)"},
                                {"ms": 0.25, "flops": None, "nodes": "'pool.1' (MaxPool)"}]


def test_memory_is_that_of_the_program_alone():
    """Of a child of this Python, Linux would tell at least as much as this Python has, which here is above 64 MB."""
    ballast = b"x" * (64 << 20)
    with TemporaryDirectory() as folder:
        _, memory = call([program_of("launch", Path(folder)), "/bin/true"]).split()
    assert 100_000 < int(memory) < 16 << 20 < len(ballast), memory


def test_launcher_tells_of_failure():
    with TemporaryDirectory() as folder:
        launcher = program_of("launch", Path(folder))
        for command, status in (["/bin/sh", "-c", "exit 5"], 5), (["/bin/sh", "-c", "kill -9 $$"], 1), (["/none"], 127):
            done = subprocess.run([launcher, *command], capture_output=True)
            assert done.returncode == status and done.stdout == b"", done


def contender(bursts, **more):
    return {"bursts": bursts, "difference": 0.0, "cold": {"seconds": 1.0, "memory": 30_000_000}, **more}


AVX2 = {"peak": 100e9, "layers": [{"window": "3x3", "ms": 1.0, "flops": rate * 1e9, "nodes": "c"} for rate in (90, 84, 95)]}

RESULTS = {
    "machine": {"processor": "P"}, "peak": 1e9, "rounds": 3, "seconds": 0.5, "tolerance": 1e-4, "compiler": "cc -O3", "apart": 0.8, "stalled": 1.2,
    "peers": {"onnxruntime": {"title": "ONNX Runtime", "version": "1", "note": ""},
              "ncnn": {"title": "ncnn <&>", "version": "", "note": ""}},
    "models": {"deit_tiny": {"title": "DeiT-tiny", "macs": 400_000, "threads": {
        "1": {"fovea": contender([0.001, 0.001, 0.001], code=399_000, compile_seconds=16.0, weights=20_000_000,
                                 workspace=1_000_000) | {"cold": {"seconds": 0.1, "memory": 30_000_000}},
              "onnxruntime": contender([0.0016, 0.0012, 0.0014]), "ncnn": {"reason": "no such layer"}},
        "2": {"fovea": contender([0.001], shared=1), "onnxruntime": contender([0.001]), "ncnn": {"reason": "no such layer"}}}}},
    "runs": {"on Monday, commit abc": ["DeiT-tiny"], "on Tuesday, commit abd": ["growth of DeiT-tiny"]},
    "growth": {"deit_tiny": {"title": "DeiT-tiny", "across": "tokens", "sizes": {
        "64": {"fovea": [0.001], "onnxruntime": [0.002]}, "128": {"fovea": [0.002]}}}},
}


def test_convolutions_for_avx2_alone():
    report = Report(RESULTS | {"models": {"se_resnet50": {"title": "SE", "macs": 1, "threads": {}, "avx2": AVX2}}})
    assert report.avx2().splitlines()[-1] == "| SE | 3x3 | 3 | 84 % | 90 % | 95 % |"
    assert [(what, met) for _, what, _, _, met in report.aims()] == [("least share of AVX2's peak, 3x3", False)]
    assert Report(RESULTS).avx2() == ""


def test_page_and_aims():
    report = Report(RESULTS)
    verdicts = {(what, aim): met for _, what, aim, _, met in report.aims()}
    assert verdicts == {
        ("against ONNX Runtime, threads: 1", "1.30"): True,
        ("against ONNX Runtime, threads: 2", "1.17"): False,
        ("share of peak", "0.80"): True,
        ("cold start, ONNX Runtime's / fovea's", "5.00"): True,
        ("memory beyond weights and workspace, MB", "8.39"): False,
        ("code, KB", "400"): True,
        ("C compiler, s", "15.0"): False,
    }, verdicts
    with TemporaryDirectory() as folder:
        written = report.charts(Path(folder))
        assert written == ["bench_ratios_1.svg", "bench_ratios_2.svg", "bench_growth_deit_tiny.svg"]
        for name in written:
            ElementTree.parse(Path(folder) / name)
        page = report.page(written)
    assert "| DeiT-tiny | 1.40 (1.30 to 1.50) | - |" in page
    assert "| DeiT-tiny | 0.00 | 80 % | 57 % | - |" in page
    assert "- ncnn <&>: no such layer (DeiT-tiny on 1, DeiT-tiny on 2)" in page
    assert "4 of 7 aims are met." in page
    assert "or everybody was slow: DeiT-tiny 1." in page and "80% of two cores" in page
    assert "\n- DeiT-tiny (on Monday, commit abc)\n- growth of DeiT-tiny (on Tuesday, commit abd)\n" in page
    alone = Report(RESULTS | {"runs": {"on Monday, commit abc": ["DeiT-tiny"]}})
    assert alone.runs() == "Measured in one run (on Monday, commit abc)."
    assert all(f"(images/{name})" in page for name in written)


class Clock:
    """A contender of the tests of rounds, whose bursts are these."""

    def __init__(self, *bursts):
        self.waiting, self.bursts, self.reason, self.once = list(bursts), [], "", 1.0

    def take_turn(self):
        return self.waiting.pop(0)


def test_rounds_in_which_a_core_is_taken_are_taken_anew():
    answers = iter([True, False, True, True, False, True, True, True, True, True, True])
    entrants = [Clock(11, 12, 13, 14), Clock(11, 12, 13)]
    assert take_turns(entrants, 2, lambda: next(answers)) == 0
    assert [entrant.bursts for entrant in entrants] == [[13, 14], [12, 13]]


def test_rounds_are_taken_anew_only_so_often():
    entrant = Clock(1, 2, 3)
    assert take_turns([entrant], 3, lambda: False) == 3
    assert entrant.bursts == [1, 2, 3]


def test_rounds_in_which_everybody_is_slow_are_taken_anew():
    """In the second one is slow alone, and that counts; in the third both are, and so they are when it is taken anew."""
    entrants = [Clock(10, 15, 15, 16, 11), Clock(20, 20, 30, 40, 21)]
    assert take_turns(entrants, 3, lambda: True) == 0
    assert [entrant.bursts for entrant in entrants] == [[10, 15, 11], [20, 20, 21]]


def test_rounds_stay_slow_once_all_are_spent():
    entrants = [Clock(10, 20, 20, 20), Clock(20, 40, 40, 40)]
    assert take_turns(entrants, 2, lambda: True) == 1
    assert entrants[0].bursts == [10, 20]


def test_parts_of_equal_conditions_make_a_page():
    """The newest part decides; one measured with another fovea is left out, and told as missing."""
    old = Run("2001-01-01", "abc", 1e9, {"rounds": 3, "fovea": "first"})
    new = Run("2001-01-02", "abd", 2e9, {"rounds": 3, "fovea": "second"})
    newest = Run("2001-01-03", "abe", 1.5e9, new.conditions)
    runs = [old, *[newest if part.sizes else new for part in PARTS[1:]]]
    with TemporaryDirectory() as folder:
        for part, run in zip(PARTS, runs):
            keep(Path(folder), part, run, {"title": part.title})
        results, missing = collect(Path(folder))
        assert missing == [PARTS[0].name] and results["peak"] == 2e9 and results["rounds"] == 3
        assert list(results["models"]) == [part.model.name for part in PARTS[1:] if not part.sizes]
        assert list(results["growth"]) == [part.model.name for part in PARTS if part.sizes]
        assert results["runs"]["2001-01-03, commit abe"] == [part.title for part in PARTS if part.sizes]
        keep(Path(folder), PARTS[0], newest, {"title": "remeasured"})
        results, missing = collect(Path(folder))
        assert missing == [] and results["models"][PARTS[0].model.name] == {"title": "remeasured"}
    with TemporaryDirectory() as empty:
        try:
            collect(Path(empty))
            raise AssertionError("a page of nothing")
        except ValueError:
            pass


def test_bars_lie_where_their_values_are():
    """Bars start or end at 1, and one of four is as long again, on a logarithmic axis, as one of two."""
    root = ElementTree.fromstring(charts.bars({"a & b": {"two": 2.0, "four": 4.0, "half": 0.5}}, "caption"))
    bars = [r for r in root.iter(f"{SVG}rect") if r.get("height") == str(charts.BAR - 2)]
    start, width = ([float(bar.get(key)) for bar in bars] for key in ("x", "width"))
    assert len(bars) == 3 and abs(width[1] - 2 * width[0]) < 0.3 and abs(width[2] - width[0]) < 0.3
    assert abs(start[2] + width[2] - start[0]) < 0.3


def main():
    tests = [test for name, test in sorted(globals().items()) if name.startswith("test_")]
    for test in tests:
        test()
    print(f"{len(tests)} tests passed")


main()
