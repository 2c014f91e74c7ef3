"""Operators of ai.onnx.ml on numbers, and TfIdfVectorizer: compiled and interpreted, what ONNX Runtime gives, or numpy
where that has no kernel for a type. What is contradictory or needs strings is refused. Inputs are random; the seed is
printed, and FOVEA_SEED repeats it."""
import itertools
import os
import pathlib
import sys
import tempfile

import numpy as np
from onnx import numpy_helper

sys.path.insert(0, os.environ["FOVEA_SOURCE_DIR"] + "/tests/support")
from node_cases import Cases  # noqa: E402
from random_seed import random_seed  # noqa: E402

SEED = random_seed()
rng = np.random.default_rng(SEED)
ML = "ai.onnx.ml"
INVALID, UNSUPPORTED = 1, 3


def floats(*shape, dtype=np.float32):
    return rng.standard_normal(shape).astype(dtype)


def tensor(array):
    return numpy_helper.from_array(np.asarray(array), "t")


def ngrams(cases):
    for mode in ("TF", "IDF", "TFIDF"):
        for least, most, skips in ((1, 1, 0), (1, 3, 2), (2, 2, 5), (2, 3, 1), (3, 3, 0)):
            pool, starts, count = [], [], 0
            for size in (1, 2, 3, 4):
                starts.append(len(pool))
                known = np.unique(rng.integers(0, 4, (rng.integers(0, 9), size)), axis=0)
                count += len(known)
                pool += rng.permutation(known).ravel().tolist()
            if count == 0:
                pool, starts, count = [1], [0, 1, 1, 1], 1
            options = {"mode": mode, "min_gram_length": least, "max_gram_length": most, "max_skip_count": skips,
                       "ngram_counts": starts, "ngram_indexes": rng.integers(0, count + 2, count).tolist(),
                       "pool_int64s": pool}
            if rng.integers(2):
                options["weights"] = floats(count).tolist()
            for shape, dtype in (([3, 12], np.int64), ([9], np.int32), ([2, 2], np.int64)):
                x = rng.integers(0, 5, shape).astype(dtype)
                cases.add(f"TfIdfVectorizer {options}", "TfIdfVectorizer", {"x": x}, {}, None, 1e-6, **options)


def labels(cases):
    whole, real = [3, -2, 7, 5], [0.5, float("nan"), -0.0, 2.5]
    x, y = rng.integers(-3, 9, (4, 5)), rng.choice(np.float32([0.5, np.nan, 0.0, 1.5]), (3, 4))
    for given, keys in ((x, {"keys_int64s": whole}), (y, {"keys_floats": real})):
        cases.add(f"LabelEncoder {keys}", "LabelEncoder", {"x": given}, {}, None, 0, np.float32, domain=ML,
                  values_floats=[1.5, 2.5, 3.5, 4.5], default_float=9.5, **keys)
        cases.add(f"LabelEncoder {keys}", "LabelEncoder", {"x": given}, {}, None, 0, np.int64, domain=ML,
                  values_int64s=[1, 2, 3, 4], **keys)
    # Of keys that are the same the last one holds, says the standard; ONNX Runtime takes the first.
    for keys, values in ((np.int64, np.float32), (np.float64, np.int64), (np.int32, np.int16), (np.int16, np.float64)):
        listed, made = np.array([4, 1, 6, 4], keys), np.array([1, 2, 3, 4], values)
        given = rng.integers(0, 8, (5, 3)).astype(keys)
        table = {key: value for key, value in zip(listed.tolist(), made.tolist())}
        expected = np.array([table.get(v, 7) for v in given.ravel().tolist()], values).reshape(given.shape)
        cases.add(f"LabelEncoder {keys} {values}", "LabelEncoder", {"x": given}, {}, expected, 0, values, domain=ML,
                  keys_tensor=tensor(listed), values_tensor=tensor(made), default_tensor=tensor(np.array([7], values)))


def features(cases):
    for shape in ([6], [2, 6], [2, 3, 6]):
        for dtype in (np.float32, np.int64):
            cases.add(f"ArrayFeatureExtractor {shape}", "ArrayFeatureExtractor",
                      {"x": (floats(*shape) * 9).astype(dtype), "places": rng.integers(0, 6, 4)}, {}, None, 0, dtype,
                      domain=ML)
    x = floats(3, 4)
    cases.add("Binarizer", "Binarizer", {"x": x}, {}, None, 0, domain=ML, threshold=float(x[1, 1]))
    for dtype in (np.float64, np.int32, np.int64):
        x = (floats(3, 4) * 3).astype(dtype)
        cases.add(f"Binarizer {dtype}", "Binarizer", {"x": x}, {}, (x > -1.25).astype(dtype), 0, dtype, domain=ML,
                  threshold=-1.25)


class Forest:
    """Random trees as TreeEnsemble has them: nodes that lead to two nodes or leaves each."""

    def __init__(self, trees, features, targets, member):
        self.features, self.targets, self.roots = features, targets, []
        self.nodes, self.leaves, self.members = [], [], []
        self.modes = [0, 1, 2, 3, 4, 5] + [6] * member
        for _ in range(trees):
            self.roots.append(self.grow(3))

    def grow(self, depth):
        place = len(self.nodes)
        self.nodes.append(None)
        mode = int(rng.choice(self.modes))
        self.members.append([float(m) for m in rng.integers(0, 5, rng.integers(1, 4))] if mode == 6 else [])
        branches = []
        for _ in range(2):
            if depth == 0 or rng.integers(3) == 0:
                self.leaves.append((float(rng.standard_normal()), int(rng.integers(self.targets))))
                branches.append((len(self.leaves) - 1, 1))
            else:
                branches.append((self.grow(depth - 1), 0))
        self.nodes[place] = (mode, float(rng.integers(0, 5)), int(rng.integers(self.features)), int(rng.integers(2)),
                             *branches)
        return place

    def attributes(self, dtype):
        modes, splits, features, missing, true, false = zip(*self.nodes)
        members = [number for mode, held in zip(modes, self.members) if mode == 6 for number in [*held, np.nan]]
        found = {"tree_roots": self.roots, "n_targets": self.targets, "nodes_featureids": features,
                 "nodes_modes": tensor(np.array(modes, np.uint8)), "nodes_splits": tensor(np.array(splits, dtype)),
                 "nodes_truenodeids": [t[0] for t in true], "nodes_trueleafs": [t[1] for t in true],
                 "nodes_falsenodeids": [f[0] for f in false], "nodes_falseleafs": [f[1] for f in false],
                 "nodes_missing_value_tracks_true": missing,
                 "leaf_targetids": [target for _, target in self.leaves],
                 "leaf_weights": tensor(np.array([weight for weight, _ in self.leaves], dtype))}
        if members:
            found["membership_values"] = tensor(np.array(members, dtype))
        return found


def some_rows(rows, count, dtype):
    x = rng.integers(0, 5, (rows, count)).astype(dtype)
    x[rng.integers(0, 6, x.shape) == 0] = np.nan
    return x


def transformed(scores, transform):
    """NONE, SOFTMAX, LOGISTIC, SOFTMAX_ZERO, as the standard numbers them."""
    if transform == 0:
        return scores
    if transform == 2:
        return 1 / (1 + np.exp(-scores))
    part = np.exp(scores - scores.max(-1, keepdims=True)) * ((scores != 0) | (transform == 1))
    total = part.sum(-1, keepdims=True)
    return part / np.where(total == 0, 1, total)


def trees(cases):
    """ONNX Runtime takes transform 1 for 2 and 2 for 1, and leaves them out of a single target's score."""
    for dtype, tolerance in ((np.float32, 1e-5), (np.float64, 1e-12)):
        for aggregate in range(4):
            for transform in range(4):
                forest = Forest(int(rng.integers(1, 6)), 4, int(rng.integers(1, 4)), member=False)
                inputs = {"x": some_rows(7, 4, dtype)}
                options = {"domain": ML, "aggregate_function": aggregate, **forest.attributes(dtype)}
                plain = Cases(17, [(ML, 5)])
                plain.add("", "TreeEnsemble", inputs, {}, None, 0, dtype, **options)
                plain.expect_of_runtime()
                cases.add(f"TreeEnsemble aggregate {aggregate} transform {transform}", "TreeEnsemble", inputs, {},
                          transformed(plain.expected["output0"][1], transform), tolerance, dtype,
                          post_transform=transform, **options)
    forest = Forest(3, 4, 2, member=True)
    cases.add("TreeEnsemble with sets", "TreeEnsemble", {"x": some_rows(9, 4, np.float32)}, {}, None, 1e-5, domain=ML,
              **forest.attributes(np.float32))


def listed(forest, kind):
    """The forest as TreeEnsembleClassifier (kind "class") and TreeEnsembleRegressor ("target") have it: nodes with
    names, in some order but for the roots. Each leaf gives each target a number: what none means is said nowhere."""
    names = ("LEQ", "LT", "GTE", "GT", "EQ", "NEQ")
    rows, gifts = [], []

    def visit(tree, place, is_leaf, number, free):
        if is_leaf:
            rows.append((tree, number, "LEAF", 0.0, 0, 0, 0, 0))
            gifts.extend((tree, number, target, float(rng.standard_normal())) for target in range(forest.targets))
            return
        mode, split, feature, missing, true, false = forest.nodes[place]
        below = next(free), next(free)
        rows.append((tree, number, "BRANCH_" + names[mode], split, feature, missing, *below))
        visit(tree, *true, below[0], free)
        visit(tree, *false, below[1], free)

    for tree, root in enumerate(forest.roots):
        start = len(rows)
        visit(tree * 3, root, 0, 0, itertools.count(1))
        rows[start + 1:] = [rows[start + 1 + i] for i in rng.permutation(len(rows) - start - 1)]
    gifts = [gifts[i] for i in rng.permutation(len(gifts))]
    columns = ("treeids", "nodeids", "modes", "values", "featureids", "missing_value_tracks_true", "truenodeids",
               "falsenodeids")
    found = {"nodes_" + name: [v if isinstance(v, (str, float)) else int(v) for v in column]
             for name, column in zip(columns, zip(*rows))}
    return found | {f"{kind}_{name}": [v if isinstance(v, float) else int(v) for v in column]
                    for name, column in zip(("treeids", "nodeids", "ids", "weights"), zip(*gifts))}


def regressors(cases):
    for aggregate in ("SUM", "AVERAGE", "MIN", "MAX"):
        for dtype in (np.float32, np.float64):
            forest = Forest(int(rng.integers(1, 6)), 4, int(rng.integers(1, 4)), member=False)
            base = floats(forest.targets).tolist() if rng.integers(2) else None
            cases.add(f"TreeEnsembleRegressor {aggregate} {dtype}", "TreeEnsembleRegressor",
                      {"x": some_rows(7, 4, dtype)}, {}, None, 1e-5, domain=ML, aggregate_function=aggregate,
                      n_targets=forest.targets, base_values=base, **listed(forest, "target"))


LEAF = {"nodes_treeids": [0], "nodes_nodeids": [0], "nodes_modes": ["LEAF"], "nodes_values": [0.0],
        "nodes_featureids": [0], "nodes_truenodeids": [0], "nodes_falsenodeids": [0], "target_treeids": [0],
        "target_nodeids": [0], "target_ids": [0], "target_weights": [2.5], "n_targets": 1}


def classifiers(cases):
    cases.add("a tree that is a leaf", "TreeEnsembleRegressor", {"x": floats(2, 3)}, {}, None, 0, domain=ML, **LEAF)
    labels = {"classlabels_int64s": [4, -1, 9]}
    for transform in ("NONE", "SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO"):
        forest = listed(Forest(4, 4, 3, member=False), "class")
        inputs = {"x": some_rows(9, 4, np.float32)}
        cases.add(f"TreeEnsembleClassifier {transform}", "TreeEnsembleClassifier", inputs, {}, None, 1e-5,
                  [np.int64, np.float32], domain=ML, post_transform=transform,
                  base_values=floats(3).tolist(), **forest, **labels)
    for transform in ("NONE", "LOGISTIC"):
        for positive in (False, True):
            for only in (0, 1):
                forest = listed(Forest(3, 4, 1, member=False), "class")
                weights = [abs(w) if positive else w for w in forest["class_weights"]]
                if not positive:
                    weights[0] = -abs(weights[0])
                forest |= {"class_weights": weights, "class_ids": [only] * len(weights), "classlabels_int64s": [5, 3]}
                base = floats(1).tolist() if only == 0 else None
                inputs = {"x": some_rows(9, 4, np.float32)}
                label = f"TreeEnsembleClassifier of two {transform} {positive} {only}"
                cases.add(label, "TreeEnsembleClassifier", inputs, {}, None, 1e-5, [np.int64, np.float32], domain=ML,
                          post_transform=transform, base_values=base,
                          **forest)


def linear(cases):
    for dtype in (np.float32, np.float64, np.int32, np.int64):
        x = (floats(5, 3) * 3).astype(dtype)
        scales = {"offset": floats(3).tolist(), "scale": floats(3).tolist()}
        cases.add(f"Scaler {dtype}", "Scaler", {"x": x}, {}, None, 1e-6, domain=ML, **scales)
        cases.add(f"Scaler {dtype}", "Scaler", {"x": x}, {}, None, 1e-6, domain=ML, offset=[1.5], scale=[0.25])
        for norm in ("MAX", "L1", "L2"):
            for given in (x, x[0], x * 0):
                cases.add(f"Normalizer {norm} {dtype}", "Normalizer", {"x": given}, {}, None, 1e-6, domain=ML,
                          norm=norm)
    for count in (1, 3):
        x = rng.choice(np.float32([1, 2, np.nan]), (4, 3))
        for replaced in (2.0, float("nan")):
            clean = x if replaced != replaced else np.nan_to_num(x)
            cases.add("Imputer", "Imputer", {"x": clean}, {}, None, 0, domain=ML, replaced_value_float=replaced,
                      imputed_value_floats=floats(count).tolist())
        cases.add("Imputer", "Imputer", {"x": rng.integers(0, 3, (4, 3))}, {}, None, 0, np.int64, domain=ML,
                  replaced_value_int64=2, imputed_value_int64s=[7, 8, 9][:count])
    for dtype in (np.int64, np.float32, np.float64):
        x = rng.integers(0, 6, (2, 4)).astype(dtype)
        cases.add(f"OneHotEncoder {dtype}", "OneHotEncoder", {"x": x}, {}, None, 0, domain=ML, cats_int64s=[3, 1, 5])
    for transform in ("NONE", "LOGISTIC", "SOFTMAX"):
        options = {"domain": ML, "post_transform": transform}
        cases.add(f"LinearRegressor {transform}", "LinearRegressor", {"x": floats(4, 3)}, {}, None, 1e-5, targets=2,
                  coefficients=floats(6).tolist(), intercepts=floats(2).tolist(), **options)
        for dtype, classes in ((np.float32, [5, 2, 9]), (np.int64, [5, 2]), (np.float64, [5, 2])):
            cases.add(f"LinearClassifier {transform} {dtype}", "LinearClassifier",
                      {"x": (floats(4, 3) * 2).astype(dtype)}, {}, None, 1e-5, [np.int64, np.float32],
                      classlabels_ints=classes, coefficients=floats(3 * len(classes)).tolist(),
                      intercepts=floats(len(classes)).tolist(), **options)
        if transform != "SOFTMAX":
            cases.add(f"LinearClassifier of one row {transform}", "LinearClassifier", {"x": floats(6, 3)}, {}, None,
                      1e-5, [np.int64, np.float32], classlabels_ints=[5, 2], coefficients=floats(3).tolist(),
                      intercepts=[0.25], **options)


def samples(folder):
    """A number of rows that the caller chooses: each is a sample."""
    cases = Cases(17, [(ML, 3)])
    pair = [np.int64, np.float32]
    cases.add("rows of trees", "TreeEnsembleClassifier", {"x": some_rows(3, 4, np.float32)}, {}, None, 1e-5, pair,
              domain=ML, classlabels_int64s=[4, 5, 6], **listed(Forest(3, 4, 3, member=False), "class"))
    cases.add("rows of a line", "LinearClassifier", {"x": floats(3, 4)}, {}, None, 1e-5, pair, domain=ML,
              classlabels_ints=[4, 5], coefficients=floats(4).tolist(), intercepts=[0.1])
    cases.add("rows of labels", "LabelEncoder", {"x": rng.integers(0, 4, (3, 2))}, {}, None, 0, np.int64, domain=ML,
              keys_int64s=[1, 2], values_int64s=[7, 8])
    cases.add("rows of words", "TfIdfVectorizer", {"x": rng.integers(0, 4, (3, 5))}, {}, None, 0, mode="TF",
              min_gram_length=1, max_gram_length=1, max_skip_count=0, ngram_counts=[0], ngram_indexes=[0, 1],
              pool_int64s=[2, 3])
    cases.expect_of_runtime()
    model = cases.model()
    for given in model.graph.input:
        rows = given.type.tensor_type.shape.dim[0]
        rows.ClearField("dim_value")
        rows.dim_param = "N"
    cases.model = lambda: model
    cases.check(folder, [["--dim", "N=1..8"]])


def refusals(folder):
    x, whole = np.ones((2, 3), np.float32), np.ones((2, 3), np.int64)
    gram = {"mode": "TF", "min_gram_length": 1, "max_gram_length": 2, "max_skip_count": 0, "ngram_counts": [0, 1],
            "ngram_indexes": [0, 1], "pool_int64s": [1, 2, 3]}
    tree = {"tree_roots": [0], "n_targets": 1, "nodes_featureids": [0], "nodes_modes": tensor(np.uint8([0])),
            "nodes_splits": tensor(np.float32([0])), "nodes_truenodeids": [0], "nodes_trueleafs": [1],
            "nodes_falsenodeids": [0], "nodes_falseleafs": [1], "leaf_targetids": [0],
            "leaf_weights": tensor(np.float32([1]))}
    two = {**LEAF, **{name: value * 2 for name, value in LEAF.items() if name.startswith("nodes_")},
           "target_nodeids": [1], "nodes_nodeids": [0, 1], "nodes_modes": ["BRANCH_LT", "LEAF"],
           "nodes_truenodeids": [1, 0], "nodes_falsenodeids": [1, 0]}
    line = {"classlabels_ints": [1, 2], "coefficients": [1.0] * 6}
    pair = {"keys_int64s": [1], "values_int64s": [2]}
    for status, words, op_type, given, preset, changes in (
            (INVALID, "n-grams of 2 to 1", "TfIdfVectorizer", whole, gram,
             {"min_gram_length": 2, "max_gram_length": 1}),
            (INVALID, "n-grams of 0", "TfIdfVectorizer", whole, gram, {"min_gram_length": 0}),
            (INVALID, "n-grams of 1 to 3", "TfIdfVectorizer", whole, gram, {"max_gram_length": 3}),
            (INVALID, "max_skip_count is -1", "TfIdfVectorizer", whole, gram, {"max_skip_count": -1}),
            (INVALID, "ngram_counts puts the 2-grams from 2 to 3", "TfIdfVectorizer", whole, gram,
             {"ngram_counts": [0, 2]}),
            (INVALID, "ngram_counts puts the 1-grams from 4", "TfIdfVectorizer", whole, gram, {"ngram_counts": [4, 1]}),
            (INVALID, "1 columns for 2", "TfIdfVectorizer", whole, gram, {"ngram_indexes": [0]}),
            (INVALID, "-5, which is no column", "TfIdfVectorizer", whole, gram, {"ngram_indexes": [0, -5]}),
            (INVALID, "3 weights for 2", "TfIdfVectorizer", whole, gram, {"weights": [1.0, 2.0, 3.0]}),
            (INVALID, "mode is", "TfIdfVectorizer", whole, gram, {"mode": "IDFTF"}),
            (INVALID, "twice", "TfIdfVectorizer", whole, gram, {"ngram_counts": [0, 3], "pool_int64s": [1, 2, 2],
                                                                "ngram_indexes": [0, 1, 2]}),
            (UNSUPPORTED, "strings", "TfIdfVectorizer", whole, gram,
             {"pool_int64s": None, "pool_strings": ["a", "b", "c"]}),
            (INVALID, "2 lists of keys", "LabelEncoder", whole, pair, {"keys_floats": [1.0]}),
            (INVALID, "0 lists of values", "LabelEncoder", whole, pair, {"values_int64s": None}),
            (INVALID, "1 keys and 2 values", "LabelEncoder", whole, pair, {"values_int64s": [1, 2]}),
            (INVALID, "its keys int64", "LabelEncoder", x, pair, {}),
            (UNSUPPORTED, "its keys are strings", "LabelEncoder", whole, pair,
             {"keys_int64s": None, "keys_strings": ["a"]}),
            (INVALID, "default_tensor", "LabelEncoder", whole, pair, {"default_tensor": tensor(np.float32([1]))}),
            (INVALID, "feature 3 of 3", "TreeEnsemble", x, tree, {"nodes_featureids": [3]}),
            (INVALID, "feature -1", "TreeEnsemble", x, tree, {"nodes_featureids": [-1]}),
            (INVALID, "circle", "TreeEnsemble", x, tree, {"nodes_trueleafs": [0]}),
            (INVALID, "no node 1", "TreeEnsemble", x, tree, {"nodes_trueleafs": [0], "nodes_truenodeids": [1]}),
            (INVALID, "no leaf 9", "TreeEnsemble", x, tree, {"nodes_falsenodeids": [9]}),
            (INVALID, "no target 1", "TreeEnsemble", x, tree, {"leaf_targetids": [1]}),
            (INVALID, "no node -1", "TreeEnsemble", x, tree, {"tree_roots": [-1]}),
            (INVALID, "nodes_trueleafs has 2", "TreeEnsemble", x, tree, {"nodes_trueleafs": [1, 1]}),
            (INVALID, "has no set", "TreeEnsemble", x, tree, {"nodes_modes": tensor(np.uint8([6]))}),
            (INVALID, "mode 7", "TreeEnsemble", x, tree, {"nodes_modes": tensor(np.uint8([7]))}),
            (INVALID, "aggregate_function is 4", "TreeEnsemble", x, tree, {"aggregate_function": 4}),
            (UNSUPPORTED, "PROBIT", "TreeEnsemble", x, tree, {"post_transform": 4}),
            (INVALID, "no leaves", "TreeEnsembleRegressor", x, LEAF, {"nodes_modes": ["BRANCH_LT"]}),
            (INVALID, "no mode", "TreeEnsembleRegressor", x, two, {"nodes_modes": ["LESS", "LEAF"]}),
            (INVALID, "has no node 7", "TreeEnsembleRegressor", x, two, {"nodes_truenodeids": [7, 0]}),
            (INVALID, "circle", "TreeEnsembleRegressor", x, two, {"nodes_truenodeids": [0, 0]}),
            (INVALID, "two nodes 0", "TreeEnsembleRegressor", x, two, {"nodes_nodeids": [0, 0]}),
            (INVALID, "is no leaf", "TreeEnsembleRegressor", x, two, {"target_nodeids": [0]}),
            (INVALID, "no target 1", "TreeEnsembleRegressor", x, two, {"target_ids": [1]}),
            (INVALID, "needs n_targets", "TreeEnsembleRegressor", x, two, {"n_targets": None}),
            (INVALID, "base_values has 2", "TreeEnsembleRegressor", x, two, {"base_values": [1.0, 2.0]}),
            (INVALID, "2 nodes and 1 modes", "TreeEnsembleRegressor", x, two, {"nodes_modes": ["LEAF"]}),
            (UNSUPPORTED, "labels are strings", "LinearClassifier", x, line, {"classlabels_strings": ["a", "b"]}),
            (INVALID, "4 coefficients", "LinearClassifier", x, line, {"coefficients": [1.0] * 4}),
            (INVALID, "3 intercepts", "LinearClassifier", x, line, {"intercepts": [1.0] * 3}),
            (INVALID, "post_transform is", "LinearClassifier", x, line, {"post_transform": "TANH"}),
            (INVALID, "offset has 2", "Scaler", x, {}, {"offset": [1.0, 2.0], "scale": [1.0, 2.0]}),
            (INVALID, "norm is", "Normalizer", x, {}, {"norm": "L3"}),
            (INVALID, "imputed_value_floats is missing", "Imputer", x, {}, {"imputed_value_int64s": [1]})):
        cases = Cases(17, [(ML, 3 if op_type == "TreeEnsembleRegressor" else 5)])
        options = {name: value for name, value in {**preset, **changes}.items() if value is not None}
        domain = {} if op_type == "TfIdfVectorizer" else {"domain": ML}
        dtype = {"LabelEncoder": np.int64, "LinearClassifier": [np.int64, np.float32]}.get(op_type, np.float32)
        cases.add("", op_type, {"x": given}, {}, None, 0, dtype, **domain, **options)
        cases.refused(folder, status, words)


def main():
    cases = Cases(17, [(ML, 5)])
    older = Cases(17, [(ML, 3)])
    for add in (ngrams, labels, features, trees):
        add(cases)
    for add in (regressors, classifiers, linear):
        add(older)
    cases.expect_of_runtime()
    older.expect_of_runtime()
    with tempfile.TemporaryDirectory() as folder:
        cases.check(pathlib.Path(folder))
        older.check(pathlib.Path(folder))
        samples(pathlib.Path(folder))
        refusals(pathlib.Path(folder))
    return 0


if __name__ == "__main__":
    sys.exit(main())
