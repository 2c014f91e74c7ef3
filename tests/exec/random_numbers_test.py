"""Random numbers: compiled and interpreted alike, the same in every run, other ones for another seed or another name;
and distributed as they are to be, by the Kolmogorov-Smirnov statistic, counts and correlations of many of them; and
Dropout, which draws what it drops. The numbers follow from seeds that stand in this test, so that it does not fail by
chance."""
import os
import pathlib
import sys
import tempfile
from math import erf

import numpy as np
from onnx import TensorProto, helper

sys.path.insert(0, os.environ["FOVEA_SOURCE_DIR"] + "/tests/support")
from node_cases import Cases  # noqa: E402

COUNT = 200000
LIMIT = 1.95 / COUNT**0.5  # of Kolmogorov and Smirnov's statistic: above it in one of a thousand samples
SHAPE = [4, COUNT // 4]
EPSILON = {t: float(np.finfo(t).eps) for t in (np.float16, np.float32, np.float64)}
PROBABILITIES = np.linspace(0, 1, 11, dtype=np.float32)


def farthest(numbers, distribution):
    """The largest distance between the distribution of numbers and the one that they are to have."""
    expected = distribution(np.sort(numbers.astype(np.float64).ravel()))
    places = np.arange(numbers.size + 1) / numbers.size
    return max(np.abs(places[1:] - expected).max(), np.abs(places[:-1] - expected).max())


def uniform(low, high):
    return lambda x: np.clip((x - low) / (high - low), 0, 1)


def normal(mean, deviation):
    return lambda x: 0.5 + 0.5 * np.vectorize(erf)((x - mean) / (deviation * 2**0.5))


def correlation(a, b):
    return abs(np.corrcoef(a.ravel().astype(np.float64), b.ravel().astype(np.float64))[0, 1])


def make_cases():
    cases = Cases(22)

    def add(op_type, inputs=None, dtype=np.float32, **attributes):
        cases.add("", op_type, inputs or {}, {}, None, 0, dtype, **attributes)
        return cases.nodes[-1].output[0]

    like = {"like": np.zeros(SHAPE, np.int32)}
    logits = {"x": np.log(np.array([[1, 2, 3, 4], [4, 0.5, 0.25, 0.25]], np.float32))}
    names = {
        "uniform": add("RandomUniform", shape=SHAPE, seed=1.0),
        "same": add("RandomUniform", shape=SHAPE, seed=1.0),
        "other": add("RandomUniform", shape=SHAPE, seed=2.0),
        "unnamed": add("RandomUniform", shape=SHAPE),
        "second": add("RandomUniform", shape=SHAPE),
        "range": add("RandomUniform", shape=SHAPE, seed=3.0, low=-2.0, high=5.0, dtype=np.float64),
        "half": add("RandomUniform", shape=SHAPE, seed=4.0, dtype=np.float16),
        "like": add("RandomUniformLike", like, seed=5.0, dtype=np.float32),
        "normal": add("RandomNormal", shape=SHAPE, seed=6.0),
        "wide": add("RandomNormalLike", like, seed=7.0, mean=3.0, scale=0.5, dtype=np.float64),
        "coins": add("Bernoulli", {"x": np.repeat(PROBABILITIES, COUNT // 10)}, np.bool_, seed=8.0),
        "classes": add("Multinomial", logits, np.int32, sample_size=COUNT, seed=9.0),
    }
    for node, name in zip(cases.nodes, names):
        if node.op_type != "RandomUniform" or name in ("range", "half"):
            kind = {"range": TensorProto.DOUBLE, "wide": TensorProto.DOUBLE, "half": TensorProto.FLOAT16,
                    "coins": TensorProto.BOOL, "classes": TensorProto.INT32}.get(name, TensorProto.FLOAT)
            node.attribute.extend([helper.make_attribute("dtype", kind)])
    return cases, names


def judge(got):
    for name, distribution in (("uniform", uniform(0, 1)), ("other", uniform(0, 1)), ("unnamed", uniform(0, 1)),
                               ("range", uniform(-2, 5)), ("like", uniform(0, 1)), ("normal", normal(0, 1)),
                               ("wide", normal(3, 0.5))):
        distance = farthest(got[name], distribution)
        assert distance <= LIMIT, f"{name}: {distance} from its distribution"
        numbers = got[name].ravel()
        for step in (1, 2, 7):
            found = correlation(numbers[:-step], numbers[step:])
            assert found < 5 / COUNT**0.5, f"{name}: numbers {step} apart are correlated"
    assert got["uniform"].min() >= 0 and got["uniform"].max() < 1 and got["half"].max() < 1
    assert abs(got["half"].astype(np.float64).mean() - 0.5) < 0.003
    assert np.array_equal(got["uniform"], got["same"])
    for a, b in (("uniform", "other"), ("uniform", "unnamed"), ("unnamed", "second"), ("uniform", "like")):
        assert correlation(got[a], got[b]) < 5 / COUNT**0.5, f"{a} and {b} are correlated"
    share = got["coins"].reshape(11, -1).mean(1)
    assert share[0] == 0 and share[-1] == 1 and np.abs(share - PROBABILITIES).max() < 5 * 0.5 / (COUNT / 10)**0.5, share
    for row, weights in zip(got["classes"], ([0.1, 0.2, 0.3, 0.4], [0.8, 0.1, 0.05, 0.05])):
        assert np.abs(np.bincount(row, minlength=4) / COUNT - weights).max() < 5 * 0.5 / COUNT**0.5


def make_dropouts():
    """Cases of Dropout, and of each by name: its outputs, input and the part to drop."""
    cases, dropouts = Cases(12), {}
    rng = np.random.default_rng(10)

    def add(name, dtype=np.float32, ratio=0.3, training=True, fixed=True, **attributes):
        x = rng.uniform(1, 2, SHAPE).astype(dtype)
        given = {"ratio": None if ratio is None else np.array(ratio, np.float32), "training": np.array(training)}
        cases.add("", "Dropout", {"x": x, **({} if fixed else given)}, given if fixed else {}, None, 0,
                  [dtype, np.bool_], **attributes)
        dropouts[name] = cases.nodes[-1].output, x, float(np.float32(0.5 if ratio is None else ratio)) * training

    add("seeded", seed=11)
    add("same", seed=11)
    add("other", seed=12)
    add("unnamed")
    add("of the usual ratio", ratio=None)
    add("double", np.float64, 0.75, seed=2**40)
    add("half", np.float16, 0.1)
    add("at run time", fixed=False)
    add("not at run time", training=False, fixed=False)
    add("nothing", ratio=0.0)
    add("nothing at run time", ratio=0.0, fixed=False)
    return cases, dropouts


def judge_dropout(name, x, y, mask, ratio):
    number, kept = x.size, int(mask.sum())
    spread = (number * ratio * (1 - ratio)) ** 0.5
    assert y.dtype == x.dtype and y.shape == mask.shape == x.shape, f"{name}: {y.dtype} {y.shape} {mask.shape}"
    assert abs(kept - number * (1 - ratio)) <= 5 * spread, f"{name}: {kept} of {number} kept, ratio {ratio}"
    assert np.array_equal(mask, y != 0), f"{name}: the mask is another one"
    exact = x.astype(np.float64) / (1 - ratio) * mask
    assert (np.abs(y - exact) <= 2 * EPSILON[x.dtype.type] * exact).all(), f"{name}: what is kept is not scaled"
    deviation = (ratio / (1 - ratio) * (x.astype(np.float64) ** 2).mean() / number) ** 0.5  # of the mean
    off = abs(y.mean(dtype=np.float64) - x.mean(dtype=np.float64))
    assert off <= 5 * deviation + EPSILON[x.dtype.type], f"{name}: the mean is off by {off}"
    assert ratio > 0 or np.array_equal(x, y), f"{name}: not what came in"


def check_dropouts(folder):
    cases, dropouts = make_dropouts()
    runs = [dict(cases.run(folder, *how)) for how in ([], ["--interpret"], ["--threads", "3"])]
    masks = {}
    for name, ((output, mask), x, ratio) in dropouts.items():
        for run in runs:
            judge_dropout(name, x, run[output], run[mask], ratio)
            assert np.array_equal(run[mask], runs[0][mask]), f"{name} drops others in another run"
        masks[name] = runs[0][mask]
    assert np.array_equal(masks["seeded"], masks["same"])
    for a, b in (("seeded", "other"), ("seeded", "unnamed"), ("unnamed", "at run time")):
        assert correlation(masks[a], masks[b]) < 5 / COUNT**0.5, f"{a} and {b} are correlated"


def refusals(folder):
    for words, op_type, inputs, attributes in (
            ("size -1 of shape", "RandomUniform", {}, {"shape": [2, -1]}),
            ("dtype=6", "RandomNormal", {}, {"shape": [2], "dtype": 6}),
            ("give the type of the output", "RandomNormalLike", {"x": np.zeros(3, np.int64)}, {}),
            ("high is inf", "RandomUniform", {}, {"shape": [2], "high": float("inf")}),
            ("no class", "Multinomial", {"x": np.zeros((2, 0), np.float32)}, {}),
            ("sample_size is -2", "Multinomial", {"x": np.zeros((2, 3), np.float32)}, {"sample_size": -2})):
        cases = Cases(22)
        cases.add("", op_type, inputs, {}, None, 0)
        cases.nodes[0].attribute.extend(helper.make_attribute(name, value) for name, value in attributes.items())
        cases.refused(folder, 1, words)
    for words, ratio in (("ratio is 1", 1), ("ratio is nan", np.nan), ("ratio has 2 elements", [0.5, 0.5])):
        cases = Cases(13)
        constants = {"ratio": np.array(ratio, np.float32), "training": np.array(True)}
        cases.add("", "Dropout", {"x": np.ones(3, np.float32)}, constants, None, 0)
        cases.refused(folder, 1, words)


def main():
    cases, names = make_cases()
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        runs = [dict(cases.run(folder, *how)) for how in ([], ["--interpret"], ["--threads", "3"])]
        for name, output in names.items():
            for run in runs[1:]:
                first = runs[0][output]
                different = np.abs(first.astype(np.float64) - run[output]).max()  # by rounding alone
                assert different <= 8 * EPSILON.get(first.dtype.type, 0), f"{name} is another one in another run"
        judge({name: runs[0][output] for name, output in names.items()})
        check_dropouts(folder)
        refusals(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
