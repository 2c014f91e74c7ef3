"""Captures from a running PyTorch model the maps that a compiled model's probes show, under the same names.
`with capture(model, "model.json") as probes: model(x)`, then `probes.save("torch.npz")`; as a command see --help."""

import argparse
import importlib
import json
import math
import sys
import warnings
import zipfile
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.weak import WeakTensorKeyDictionary

# What PyTorch runs, by what fovea's manifest calls the operator that makes a map.
KINDS = {
    "Sigmoid": "sigmoid",
    "HardSigmoid": "hardsigmoid",
    "Clip": "hardsigmoid",  # clip(x / 6 + 0.5, 0, 1)
    "Div": "hardsigmoid",  # clip(x + 3, 0, 6) / 6
    "Mul": "hardsigmoid",
    "Softmax": "softmax",
    "GlobalAveragePool": "mean",
    "ReduceMean": "mean",
}
OPERATIONS = {
    "sigmoid": "sigmoid",
    "hardsigmoid": "hardsigmoid",
    "_softmax": "softmax",
    "_safe_softmax": "softmax",
    "mean": "mean",
    "adaptive_avg_pool2d": "mean",
    "_adaptive_avg_pool2d": "mean",
}
# Operations that are exported with a Sigmoid in them, which is no map: only counted.
WITH_A_SIGMOID = {"silu", "glu"}
# Operations whose results do not depend on what is in the tensors that they are given.
OF_SHAPES = {"zeros_like", "ones_like", "full_like", "empty_like", "new_zeros", "new_ones", "new_full", "new_empty"}
# A manifest's ordinal counts these as PyTorch does, one operation for one node.
COUNTED_ALIKE = {"Sigmoid", "HardSigmoid", "Softmax"}
# How messages call a kind, where not by itself.
NAMES = {"probs": "softmax", "logits": "input of a softmax"}


class MissingMaps(UserWarning):
    """Some of the manifest's maps were not found."""


class Event(NamedTuple):
    """One operation that may have made a map: in which module, the how manieth of its kind there, and the map."""

    scope: str
    ordinal: int
    value: Tensor


def kind_of(probe: dict[str, Any]) -> str | None:
    """The kind of operation that makes a probe's map; None where this script knows none."""
    if probe["family"] != "tensor" and probe["name"] in ("probs", "logits"):
        return probe["name"]  # what goes into a softmax, and what comes out
    if probe["operator"] == "":
        return "table"  # a constant, which something is added to or multiplied with
    kind = KINDS.get(probe["operator"])
    return "probs" if kind == "softmax" else kind


def can_be_seen_as(shape: Sequence[int], wanted: Sequence[int]) -> bool:
    """Whether one shape becomes the other by merging or splitting neighbouring axes, so that [N*H,L,S] is [N,H,L,S]
    and [N,C,1,1] is [N,C]."""
    a, b = [[size for size in sizes if size != 1] for sizes in (shape, wanted)]
    while a and b:
        left, right = [a.pop(0)], [b.pop(0)]
        while (difference := math.prod(left) - math.prod(right)) != 0:
            shorter, rest = (left, a) if difference < 0 else (right, b)
            if not rest:
                return False
            shorter.append(rest.pop(0))
        if len(left) > 1 and len(right) > 1:
            return False
    return not a and not b


def attention_maps(operation: Any, arguments: Sequence[Any], keywords: dict[str, Any]) -> tuple[Tensor, Tensor]:
    """Logits and probabilities [N,H,L,S] of one of PyTorch's fused attentions, made again from what it was given.
    A row that is masked whole gives zeros."""
    named = dict(zip((argument.name for argument in operation._schema.arguments), arguments)) | keywords
    query, key = named["query"], named["key"]
    key = key.repeat_interleave(query.shape[-3] // key.shape[-3], -3)  # grouped heads
    scale = named.get("scale")
    logits = query @ key.transpose(-2, -1) * (1 / math.sqrt(query.shape[-1]) if scale is None else scale)
    mask = named.get("attn_mask", named.get("attn_bias"))
    if mask is not None:
        logits = logits.masked_fill(~mask, -math.inf) if mask.dtype == torch.bool else logits + mask
    if named.get("is_causal"):
        seen = torch.ones(logits.shape[-2:], dtype=torch.bool, device=logits.device).tril()
        logits = logits.masked_fill(~seen, -math.inf)
    nothing_seen = (logits == -math.inf).all(-1, keepdim=True)
    return logits, logits.softmax(-1).masked_fill(nothing_seen, 0)


class Recorder(TorchDispatchMode):
    """Sees every operation, and keeps the results that may be wanted."""

    def __init__(self, wanted: dict[str, list[dict[str, Any]]]) -> None:
        super().__init__()
        self.wanted = wanted  # probes, by kind
        self.scopes: list[str] = []  # the modules that are running, the innermost last
        self.forget()

    def forget(self) -> None:
        self.events: dict[str, list[Event]] = defaultdict(list)  # by kind
        self.counts: Counter[tuple[str, str]] = Counter()  # by kind and scope
        self.clipped: Tensor | None = None  # the last clip(x, 0, 6)
        self.dependent: WeakTensorKeyDictionary = WeakTensorKeyDictionary()  # what depends on the inputs

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        keywords = kwargs or {}
        result = func(*args, **keywords)
        name = func.overloadpacket.__name__
        plain = name if name.startswith("_") else name.rstrip("_")  # sigmoid_ is sigmoid
        kind = OPERATIONS.get(plain) or self.hard_sigmoid(plain, args, keywords, result)
        if name.startswith("_scaled_dot_product"):
            logits, probs = attention_maps(func, args, keywords)
            self.record_softmax(logits, probs)
            self.record_tables([*args, *keywords.values()])  # the mask may be a table of biases
        elif kind == "softmax":
            self.record_softmax(args[0], result)
        elif kind is not None:
            self.record(kind, result, self.next(kind))
        elif plain in WITH_A_SIGMOID:
            self.next("sigmoid")
        if plain in ("add", "mul"):
            self.record_tables(args)
        if plain not in OF_SHAPES and any(self.depends(value) for value in tree_leaves((args, keywords))):
            self.note_dependent(result)
        return result

    def note_dependent(self, values: Any) -> None:
        for value in tree_leaves(values):
            if isinstance(value, Tensor):
                self.dependent[value] = True

    def depends(self, value: Any) -> bool:
        return isinstance(value, Tensor) and value in self.dependent

    def record_tables(self, operands: Sequence[Any]) -> None:
        """Keeps what is the same for every input, where it meets what depends on the inputs."""
        if not self.wanted["table"] or not any(self.depends(value) for value in operands):
            return
        for value in operands:
            if isinstance(value, Tensor) and not self.depends(value) and value.dim() > 1:
                self.record("table", value, self.next("table"))

    def hard_sigmoid(self, name: str, args: tuple, keywords: dict, result: Any) -> str | None:
        """Spots clip(x + 3, 0, 6) / 6 when it is divided, and clip(x, 0, 1)."""
        if name in ("hardtanh", "clamp"):
            limits = [*args[1:3], *(keywords[key] for key in ("min", "max") if key in keywords)]
            if limits == [0, 6]:
                self.clipped = result
            return "hardsigmoid" if limits == [0, 1] else None
        if name not in ("div", "mul") or self.clipped is None or len(args) != 2 or not isinstance(args[0], Tensor):
            return None
        same = args[0].data_ptr() == self.clipped.data_ptr() and args[0].shape == self.clipped.shape
        factor = args[1].item() if isinstance(args[1], Tensor) and args[1].numel() == 1 else args[1]
        if not same or isinstance(factor, Tensor):
            return None
        return "hardsigmoid" if math.isclose(factor, 6 if name == "div" else 1 / 6, rel_tol=1e-6) else None

    def next(self, kind: str) -> int:
        """Counts an operation in its module; returns how many of its kind came before."""
        key = (kind, self.scope)
        self.counts[key] += 1
        return self.counts[key] - 1

    @property
    def scope(self) -> str:
        return self.scopes[-1] if self.scopes else ""

    def record_softmax(self, logits: Tensor, probs: Tensor) -> None:
        ordinal = self.next("softmax")
        self.record("logits", logits, ordinal)
        self.record("probs", probs, ordinal)

    def record(self, kind: str, value: Any, ordinal: int) -> None:
        """Keeps a copy, since what follows may work in place, if a probe could be meant."""
        if isinstance(value, Tensor) and any(is_in(self.scope, probe["scope"]) for probe in self.wanted[kind]):
            self.events[kind].append(Event(self.scope, ordinal, value.detach().clone()))


def is_in(scope: str, outer: str) -> bool:
    return outer == "" or scope == outer or scope.startswith(outer + ".")


class Probes:
    """The maps of the model's last run, by probe id, in the manifest's order; and those that were not found."""

    def __init__(self, manifest: dict[str, Any]) -> None:
        self.manifest = manifest
        self.maps: dict[str, np.ndarray] = {}
        self.missing: list[tuple[str, str]] = []  # id, reason

    def save(self, path: str | Path) -> None:
        """Writes an npz file for `fovea diff`."""
        with zipfile.ZipFile(path, "w") as archive:
            for name, value in self.maps.items():
                with archive.open(f"{name}.npy", "w", force_zip64=True) as entry:
                    np.lib.format.write_array(entry, value, allow_pickle=False)

    def report(self) -> str:
        """Says what was not found, one line a probe; "" where all was."""
        if not self.missing:
            return ""
        head = f"{len(self.missing)} of {len(self.manifest['probes'])} maps were not found:"
        return "\n".join([head, *(f"  {name}: {reason}" for name, reason in self.missing)])

    def settle(self, events: dict[str, list[Event]]) -> None:
        """Gives each probe its event."""
        self.maps, self.missing = {}, []
        groups: dict[tuple, list[dict[str, Any]]] = defaultdict(list)
        for probe in self.manifest["probes"]:
            groups[kind_of(probe), probe["scope"], tuple(probe["shape"])].append(probe)
        found: dict[str, Event] = {}
        reasons: dict[str, str] = {}
        for (kind, scope, shape), probes in groups.items():
            chosen = choose(kind, scope, shape, probes, events.get(kind, []))
            for probe, choice in zip(probes, chosen):
                (found if isinstance(choice, Event) else reasons)[probe["id"]] = choice
        for probe in self.manifest["probes"]:
            if probe["id"] in reasons:
                self.missing.append((probe["id"], reasons[probe["id"]]))
                continue
            value = found[probe["id"]].value.cpu()
            value = value.float() if value.dtype == torch.bfloat16 else value  # which NumPy does not have
            if probe["operator"] == "Where" and probe["name"] == "probs":
                value = value.nan_to_num(nan=0.0)  # the guard for rows that are masked whole, which comes after softmax
            self.maps[probe["id"]] = value.reshape(probe["shape"]).numpy()


def has_different_rows(value: Tensor) -> bool:
    rows = value.reshape(-1, value.shape[-1])
    return not torch.equal(rows, rows[:1].expand_as(rows))


def choose(
    kind: str | None, scope: str, shape: tuple[int, ...], probes: list[dict[str, Any]], events: list[Event]
) -> list[Event | str]:
    """For probes of one kind, module and shape, in order of execution: their events, or why there is none."""
    if kind is None:
        return [f"made by {probe['operator'] or 'no node'}, which is not captured" for probe in probes]
    name = NAMES.get(kind, kind)
    where = f"module {scope!r}" if scope else "the model"
    inside = [event for event in events if event.scope == scope] or [e for e in events if is_in(e.scope, scope)]
    fitting = [event for event in inside if can_be_seen_as(event.value.shape, shape)]
    if not fitting:
        shapes = ", ".join(str(list(event.value.shape)) for event in inside)
        reason = f"no {name} of shape {list(shape)} was made in {where}" + (f", only {shapes}" if shapes else "")
        return [reason] * len(probes)
    if kind == "table" and len(fitting) > len(probes):
        fitting = [event for event in fitting if has_different_rows(event.value)]  # the others are no tables
    if len(fitting) == len(probes):
        return list(fitting)
    by_ordinal = {event.ordinal: event for event in fitting if event.scope == scope}
    if all(probe["operator"] in COUNTED_ALIKE for probe in probes):
        if all(probe["ordinal"] in by_ordinal for probe in probes):
            return [by_ordinal[probe["ordinal"]] for probe in probes]
    reason = f"{where} made {len(fitting)} {name} of shape {list(shape)} where the manifest has {len(probes)}"
    return [f"{reason}: it cannot be told which is meant"] * len(probes)


@contextmanager
def tracked_scopes(model: nn.Module, recorder: Recorder, prefix: str) -> Iterator[None]:
    """Tells the recorder which module runs."""
    hooks = []

    def enter(name: str) -> Any:
        def hook(module: nn.Module, inputs: Any, keywords: Any) -> None:
            if module is model:
                recorder.forget()
                recorder.scopes.clear()
                recorder.note_dependent((inputs, keywords))
            recorder.scopes.append(name)

        return hook

    def leave(module: nn.Module, inputs: Any, output: Any) -> None:
        recorder.scopes.pop()

    for name, module in model.named_modules():
        path = ".".join(part for part in (prefix, name) if part)
        hooks.append(module.register_forward_pre_hook(enter(path), with_kwargs=True))
        hooks.append(module.register_forward_hook(leave))
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


@contextmanager
def without_fast_path() -> Iterator[None]:
    """nn.MultiheadAttention and nn.TransformerEncoderLayer as the operations that they are exported as."""
    before = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(before)


@contextmanager
def capture(model: nn.Module, manifest: str | Path | dict[str, Any], prefix: str = "") -> Iterator[Probes]:
    """Captures, while the model runs inside `with`, the maps that the manifest (NAME.json) has probes for.

    prefix: the model's path in the module that was exported, if that was a wrapper around it.
    Warns at the end of what it could not find; probes.missing lists it."""
    if not isinstance(manifest, dict):
        manifest = json.loads(Path(manifest).read_text(encoding="utf-8"))
    wanted: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for probe in manifest["probes"]:
        wanted[kind_of(probe) or ""].append(probe)
    probes, recorder = Probes(manifest), Recorder(wanted)
    with tracked_scopes(model, recorder, prefix), without_fast_path(), recorder:
        yield probes
    probes.settle(recorder.events)
    if probes.missing:
        warnings.warn(probes.report(), MissingMaps, stacklevel=3)


def build_model(spelling: str) -> nn.Module:
    """The module that "package.module:function" makes, or is."""
    name, _, attribute = spelling.partition(":")
    sys.path.insert(0, "")
    made = getattr(importlib.import_module(name), attribute)
    return (made if isinstance(made, nn.Module) else made()).eval()


def read_inputs(path: str, manifest: dict[str, Any]) -> list[Tensor]:
    """The model's inputs in their order, by their names in the ONNX model."""
    with np.load(path) as arrays:
        names = [entry["name"] for entry in manifest["inputs"]]
        if lacking := [name for name in names if name not in arrays]:
            raise SystemExit(f"{path} has no {', '.join(lacking)}; it has {', '.join(arrays)}")
        return [torch.from_numpy(arrays[name]) for name in names]


def main() -> int:
    parser = argparse.ArgumentParser(description="Save the maps of a PyTorch model under fovea's probe ids.")
    parser.add_argument(
        "--model", required=True, metavar="MODULE:FUNCTION", help="what makes the model, without arguments"
    )
    parser.add_argument("--state-dict", metavar="FILE.pt", help="weights to load into it")
    parser.add_argument("--manifest", required=True, metavar="NAME.json", help="what fovea compile wrote")
    parser.add_argument("--input", required=True, metavar="IN.npz", help="inputs, named as in the ONNX model")
    parser.add_argument("--output", required=True, metavar="OUT.npz", help="where the maps go")
    parser.add_argument("--prefix", default="", help="the model's path in the module that was exported")
    arguments = parser.parse_args()
    model = build_model(arguments.model)
    if arguments.state_dict:
        model.load_state_dict(torch.load(arguments.state_dict, weights_only=True))
    manifest = json.loads(Path(arguments.manifest).read_text(encoding="utf-8"))
    inputs = read_inputs(arguments.input, manifest)
    with warnings.catch_warnings(), torch.no_grad(), capture(model, manifest, arguments.prefix) as probes:
        warnings.simplefilter("ignore", MissingMaps)  # they are reported below
        model(*inputs)
    probes.save(arguments.output)
    if probes.missing:
        print(probes.report(), file=sys.stderr)
    return 1 if probes.missing else 0


if __name__ == "__main__":
    sys.exit(main())
