"""Random numbers: compiled and interpreted alike, the same in every run, other ones for another seed or another name;
and distributed as they are to be, by the Kolmogorov-Smirnov statistic, counts and correlations of many of them. The
numbers follow from seeds that stand in this test, so that it does not fail by chance."""
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
        refusals(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
