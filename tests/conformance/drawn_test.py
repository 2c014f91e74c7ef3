"""The rules for results that are drawn at random: they pass what is drawn as it is to be, and nothing else. The official
cases are small (10 elements of Bernoulli, whose count may be nearly any; 60 of Dropout), so that is shown on large ones."""

import sys

import numpy as np

from cases import Case
from drawn import rule_of

RNG = np.random.default_rng(20)
P = RNG.uniform(0, 1, 20000)
X = RNG.standard_normal((4, 5000)).astype(np.float32)


def judged(name, group, inputs, *outputs):
    rule = rule_of(Case(name, group, 1e-3, 1e-7), dict(enumerate(map(np.asarray, inputs))))
    return "not drawn" if rule is None else rule(list(map(np.asarray, outputs)))


def below(p):
    return (RNG.uniform(size=P.shape) < p).astype(np.float64)


def check(what, found, words=""):
    assert found == words if words == "" else words in found, f"{what}: {found!r}, expected {words!r}"


def check_bernoulli():
    for name, p in (("test_bernoulli", P), ("test_bernoulli_seed_expanded", 1 - P)):
        check(name, judged(name, "Bernoulli", [P], below(p)))
        check(f"{name}, too often", judged(name, "Bernoulli", [P], below(p * 1.05)), "elements are 1")
        check(f"{name}, too seldom", judged(name, "Bernoulli", [P], below(p * 0.95)), "elements are 1")
        check(f"{name}, between", judged(name, "Bernoulli", [P], below(p) / 2), "neither 0 nor 1")
    for certain in (0.0, 1.0):
        y = np.full(10, certain)
        check("certain", judged("test_bernoulli", "Bernoulli", [y], y))
        y = np.append(y[1:], 1 - certain)
        check("impossible", judged("test_bernoulli", "Bernoulli", [np.full(10, certain)], y), "cannot be")


def check_dropout():
    for ratio in (0.1, 0.75):
        kept = RNG.uniform(size=X.shape) >= ratio
        inputs = [X, np.float32(ratio), np.bool_(True)]
        y = X * kept / (1 - ratio)
        some = kept.copy()
        some.flat[np.flatnonzero(kept)[0]] = False

        def dropped(*outputs, inputs=inputs):
            return judged("test_training_dropout", "Dropout", inputs, *outputs)

        check("dropout", dropped(y))
        check("with a mask", dropped(y, kept.astype(np.uint8)))
        check("another mask", dropped(y, some.astype(np.uint8)), "1 of 20000")
        check("not scaled", dropped(X * kept), "neither dropped nor scaled")
        check("a number in the mask", dropped(y, kept.astype(np.uint8) * 2), "neither 0 nor 1")
        other = RNG.uniform(size=X.shape) >= ratio * 0.8
        check("too few dropped", dropped(X * other / (1 - ratio)), "elements are kept")
        check("other ratio", dropped(X * other / (1 - ratio * 0.8)), "neither dropped nor scaled")
    for inputs in ([X], [X, 0.5], [X, 0.5, False], [X, 0.0, True]):
        check("nothing to drop", judged("test_dropout", "Dropout", inputs, X), "not drawn")
    check("another operator", judged("test_relu", "Relu", [X], X), "not drawn")


def main():
    check_bernoulli()
    check_dropout()
    return 0


if __name__ == "__main__":
    sys.exit(main())
