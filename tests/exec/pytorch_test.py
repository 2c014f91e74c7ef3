"""A PyTorch user's way: export, compile, run, capture in PyTorch, diff, for each family from both exporters. Probabilities
agree within 1e-5 and gates within 1e-4; and when a weight of one layer is disturbed in the ONNX file, diff names that
layer's block as the first that diverges. Besides: what capturing recomputes, and how it says what it cannot find."""

import json
import logging
import os
import pathlib
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

SOURCE = pathlib.Path(os.environ["FOVEA_SOURCE_DIR"])
sys.path[:0] = [str(SOURCE / "examples/pytorch"), str(SOURCE / "tests/support")]
import numpy as np
import onnx
import torch
from exporting import export_quickly
from fovea_capture import MissingMaps, can_be_seen_as, capture
from hostile import FOVEA, Checks, finish
from onnx import numpy_helper
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import BertConfig, BertModel, SwinConfig, SwinModel, ViTConfig, ViTModel

CAPTURE = SOURCE / "examples/pytorch/fovea_capture.py"
OPSETS = {"ts": 17, "dynamo": 18}
BIASES = "auto,*.bias"  # besides what is open anyway
checks = Checks()


# --- the models ------------------------------------------------------------------------------------------------------


class Case(NamedTuple):
    model: nn.Module
    inputs: tuple[Tensor, ...]
    probes: list[str]  # ids, in order of execution
    disturbed: Tensor  # a weight
    block: str  # in which that shows first
    exporters: tuple[str, ...] = ("ts", "dynamo")
    places: list[dict[str, Any]] | None = None  # what the manifest says of the tokens, by probe
    opened: str = "auto"  # which probes


class Gate(nn.Module):
    """Squeeze and excitation of convolutions, beside a SiLU that is written out; gate() is a module or a function."""

    def __init__(self, channels: int, gate: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 1)
        self.reduce, self.expand = nn.Conv2d(channels, channels // 2, 1), nn.Conv2d(channels // 2, channels, 1)
        self.gate = gate

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x)
        x = x * torch.sigmoid(x)
        return x * self.gate(self.expand(F.relu(self.reduce(x.mean((2, 3), keepdim=True)))))


class DenseGate(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.fc = nn.Sequential(
            nn.Linear(channels, channels // 2), nn.ReLU(), nn.Linear(channels // 2, channels), nn.Sigmoid()
        )

    def forward(self, x: Tensor) -> Tensor:
        return x * self.fc(F.adaptive_avg_pool2d(x, 1).flatten(1))[:, :, None, None]


def se() -> Case:
    layers = [DenseGate(8), Gate(8, torch.sigmoid), Gate(8, nn.Hardsigmoid()), Gate(8, lambda x: F.relu6(x + 3) / 6)]
    model = nn.Sequential(nn.Conv2d(3, 8, 3), *layers)
    ids = ["1.gate", "2.gate", "3.gate", "4.gate"]
    return Case(model, (torch.randn(1, 3, 8, 8),), ids, model[2].expand.weight, "2")


class Cbam(nn.Module):
    """Both gates are functions, called in one module."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.mlp = nn.Sequential(nn.Conv2d(channels, channels, 1), nn.ReLU(), nn.Conv2d(channels, channels, 1))
        self.conv = nn.Conv2d(2, 1, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        x = x * torch.sigmoid(self.mlp(x.mean((2, 3), keepdim=True)) + self.mlp(x.amax((2, 3), keepdim=True)))
        return x * self.conv(torch.cat([x.mean(1, keepdim=True), x.amax(1, keepdim=True)], 1)).sigmoid()


class CbamNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem, self.first, self.second = nn.Conv2d(3, 8, 3), Cbam(8), Cbam(8)

    def forward(self, x: Tensor) -> Tensor:
        return self.second(F.relu(self.first(self.stem(x))))


def cbam() -> Case:
    model = CbamNet()
    ids = [f"{block}.{gate}" for block in ("first", "second") for gate in ("channel", "spatial")]
    return Case(model, (torch.randn(1, 3, 8, 8),), ids, model.second.mlp[0].weight, "second")


class WindowAttention(nn.Module):
    """Attention in windows of a map [N,H,W,C] that is shifted cyclically, with a bias for each head."""

    def __init__(self, width: int, heads: int, window: int, shift: int) -> None:
        super().__init__()
        self.heads, self.window, self.shift = heads, window, shift
        self.qkv = nn.Linear(width, 3 * width)
        self.bias = nn.Parameter(torch.randn(heads, window**2, window**2))

    def forward(self, x: Tensor) -> Tensor:
        n, h, w, c = x.shape
        s = self.window
        x = torch.roll(x, (-self.shift, -self.shift), (1, 2)) if self.shift else x
        x = x.view(n, h // s, s, w // s, s, c).permute(0, 1, 3, 2, 4, 5).reshape(-1, s * s, c)
        q, k, v = self.qkv(x).reshape(-1, s * s, 3, self.heads, c // self.heads).permute(2, 0, 3, 1, 4).unbind(0)
        probs = F.softmax(q * (c // self.heads) ** -0.5 @ k.transpose(-2, -1) + self.bias, -1)
        x = (
            (probs @ v)
            .transpose(1, 2)
            .reshape(-1, h // s, w // s, s, s, c)
            .permute(0, 1, 3, 2, 4, 5)
            .reshape(n, h, w, c)
        )
        return torch.roll(x, (self.shift, self.shift), (1, 2)) if self.shift else x


class Windows(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, 12, 2, 2)
        self.layers = nn.ModuleList(WindowAttention(12, 3, 4, shift) for shift in (0, 2))

    def forward(self, x: Tensor) -> Tensor:
        x = self.patches(x).permute(0, 2, 3, 1)
        for layer in self.layers:
            x = x + layer(x)
        return x


def windows() -> Case:
    model = Windows()
    ids = ["layers.0.bias", "layers.1.bias", "layers.0.probs", "layers.1.probs"]
    grid = {"grid": [8, 12], "prefix": 0, "suffix": 0, "window": [4, 4]}
    places = [{}, {}, {**grid, "shift": [0, 0]}, {**grid, "shift": [2, 2]}]
    return Case(
        model, (torch.randn(1, 3, 16, 24),), ids, model.layers[1].qkv.weight, "layers.1", places=places, opened=BIASES
    )


class Encoder(nn.Module):
    """PyTorch's own layers, which have a fast path in inference."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.TransformerEncoderLayer(12, 3, 24, batch_first=True) for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = layer(x)
        return x


def encoder() -> Case:
    model = Encoder()
    ids = ["layers.0.self_attn.probs", "layers.1.self_attn.probs"]
    return Case(model, (torch.randn(1, 7, 12),), ids, model.layers[1].self_attn.in_proj_weight, "layers.1.self_attn")


class Tokens(nn.Module):
    """Places of a map between a token of another kind and two more: first all attend to all, then the places to a coarser
    map, as pyramid transformers do it, and last the two, which are no places, to the map."""

    def __init__(self) -> None:
        super().__init__()
        self.patches, self.coarser = nn.Conv2d(3, 12, 2, 2), nn.Conv2d(12, 12, 2, 2)
        self.first, self.last = nn.Parameter(torch.randn(1, 1, 12)), nn.Parameter(torch.randn(1, 2, 12))
        self.layers = nn.ModuleList(Attention() for _ in range(3))

    def forward(self, image: Tensor) -> Tensor:
        x = self.patches(image)
        n, c, h, w = x.shape
        x = torch.cat([self.first.expand(n, -1, -1), x.flatten(2).transpose(1, 2), self.last.expand(n, -1, -1)], 1)
        x = x + self.layers[0](x, x)
        places = x[:, 1:-2]
        coarse = self.coarser(places.transpose(1, 2).reshape(n, c, h, w)).flatten(2).transpose(1, 2)
        places = places + self.layers[1](places, coarse)
        return self.layers[2](x[:, -2:], places)


class Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.q, self.kv = nn.Linear(12, 12), nn.Linear(12, 24)

    def forward(self, x: Tensor, other: Tensor) -> Tensor:
        n, length, c = x.shape
        q = self.q(x).reshape(n, length, 3, c // 3).transpose(1, 2)
        k, v = self.kv(other).reshape(n, -1, 2, 3, c // 3).permute(2, 0, 3, 1, 4).unbind(0)
        return F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(n, length, c)


def tokens() -> Case:
    model = Tokens()
    ids = [f"layers.{i}.probs" for i in range(3)]
    fine, coarse = {"grid": [4, 6], "prefix": 0, "suffix": 0}, {"grid": [2, 3], "prefix": 0, "suffix": 0}
    places = [{**fine, "prefix": 1, "suffix": 2}, {**coarse, "queries": fine}, {**fine, "queries": None}]
    return Case(model, (torch.randn(2, 3, 8, 12),), ids, model.layers[1].kv.weight, "layers.1", places=places)


class First(nn.Module):
    """What a model of transformers gives first, as a tensor; its arguments by name."""

    def __init__(self, model: nn.Module, *names: str) -> None:
        super().__init__()
        self.model, self.names = model, names

    def forward(self, *inputs: Tensor) -> Tensor:
        return self.model(**dict(zip(self.names, inputs)))[0]


SIZES = {"hidden_size": 24, "num_hidden_layers": 2, "num_attention_heads": 3, "intermediate_size": 48}


def vit() -> Case:
    model = ViTModel(ViTConfig(**SIZES, image_size=16, patch_size=4), add_pooling_layer=False)
    weight = model.get_parameter("layers.1.attention.q_proj.weight")
    ids = ["model.embeddings.table", "model.layers.0.attention.probs", "model.layers.1.attention.probs"]
    places = [{}, *[{"grid": [4, 4], "prefix": 1, "suffix": 0}] * 2]
    return Case(
        First(model, "pixel_values"),
        (torch.randn(1, 3, 16, 16),),
        ids,
        weight,
        "model.layers.1.attention",
        places=places,
    )


def swin() -> Case:
    config = SwinConfig(image_size=16, patch_size=2, embed_dim=12, depths=[2, 1], num_heads=[2, 4], window_size=4)
    model = SwinModel(config, add_pooling_layer=False)
    blocks = [f"model.encoder.layers.{i}.blocks.{k}.attention" for i, k in ((0, 0), (0, 1), (1, 0))]
    weight = model.get_parameter("encoder.layers.0.blocks.1.attention.q_proj.weight")
    # The maps are 8 x 8 and 4 x 4, which is one window. dynamo cannot export it: its window masks depend on values.
    grid = {"grid": [8, 8], "prefix": 0, "suffix": 0, "window": [4, 4]}
    places = [{}, {}, {**grid, "shift": [0, 0]}, {**grid, "shift": [2, 2]}, {"grid": [4, 4], "prefix": 0, "suffix": 0}]
    # With a mask for the shift, the biases are no table of their own: the exporter has added both.
    ids = [f"{blocks[0]}.bias", f"{blocks[2]}.bias", *(f"{b}.probs" for b in blocks)]
    return Case(
        First(model, "pixel_values"), (torch.randn(1, 3, 16, 16),), ids, weight, blocks[1], ("ts",), places, BIASES
    )


def bert() -> Case:
    model = BertModel(BertConfig(**SIZES, vocab_size=64, max_position_embeddings=16), add_pooling_layer=False)
    mask = torch.tensor([[1] * 8 + [0] * 2])
    blocks = [f"model.encoder.layer.{i}.attention.self" for i in (0, 1)]
    weight = model.encoder.layer[1].attention.self.key.weight
    inputs = (torch.randint(0, 64, (1, 10)), mask)
    ids = ["model.embeddings.table", *(f"{b}.probs" for b in blocks)]
    return Case(First(model, "input_ids", "attention_mask"), inputs, ids, weight, blocks[1], places=[{}, {}, {}])


# --- the way ---------------------------------------------------------------------------------------------------------


def export(case: Case, path: pathlib.Path, exporter: str) -> None:
    options: dict[str, Any] = {"external_data": False, "verbose": False} if exporter == "dynamo" else {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporters warn that they are old, or of each other
        torch.onnx.export(
            case.model, case.inputs, path, dynamo=exporter == "dynamo", opset_version=OPSETS[exporter], **options
        )


def disturb(path: pathlib.Path, weight: Tensor) -> None:
    """Changes the initializer that holds a weight, as it is or transposed, or for one of several products cut out."""
    model = onnx.load(path)
    wanted = weight.detach().numpy()
    found = 0
    for initializer in model.graph.initializer:
        array = numpy_helper.to_array(initializer)
        if any(array.shape == w.shape and np.array_equal(array, w) for w in (wanted, wanted.T)):
            initializer.CopyFrom(numpy_helper.from_array(array * np.float32(1.25), initializer.name))
            found += 1
    assert found == 1, f"{found} initializers of {path.name} hold the weight"
    onnx.save(model, path)


def fovea(*arguments: Any) -> subprocess.CompletedProcess:
    return subprocess.run([FOVEA, *map(str, arguments)], capture_output=True, text=True)


def tolerances(ids: list[str]) -> list[str]:
    return ["--atol", "1e-5", "--rtol", "0", *(f"--tol={name}:1e-4" for name in ids if not name.endswith(".probs"))]


def check_places(what: str, case: Case, manifest: dict[str, Any]) -> None:
    keys = ("grid", "prefix", "suffix", "window", "shift", "queries")
    said = [{key: probe[key] for key in keys if key in probe} for probe in manifest["probes"]]
    checks.check(f"{what}: places", case.places is None or said == case.places, said)
    layers = [probe["layer"] for probe in manifest["probes"] if probe["operator"]]  # constants are there from the start
    checks.check(f"{what}: layers", layers == sorted(layers), layers)


def check_windows_meaning() -> None:
    """docs/output.md on windows, against what Swin does with a map of numbered places."""
    (rows, columns), (height, width), by = (8, 12), (4, 4), 2
    numbered = torch.arange(rows * columns).reshape(rows, columns).roll((-by, -by), (0, 1))
    cut = (
        numbered.reshape(rows // height, height, columns // width, width)
        .permute(0, 2, 1, 3)
        .reshape(-1, height * width)
    )
    for window in range(cut.shape[0]):
        for token in range(cut.shape[1]):
            row = window // (columns // width) * height + token // width + by
            column = window % (columns // width) * width + token % width + by
            place = row % rows * columns + column % columns
            checks.check("windows", cut[window, token] == place, (window, token, place))


def check_way(name: str, case: Case, exporter: str, folder: pathlib.Path) -> None:
    what, model, inputs = f"{name} by {exporter}", folder / "model.onnx", folder / "in.npz"
    export(case, model, exporter)
    names = [entry.name for entry in onnx.load(model).graph.input]
    np.savez(inputs, **{key: value.numpy() for key, value in zip(names, case.inputs)})
    compiled = fovea("compile", model, "-o", folder, "--probes", case.opened)
    checks.check(f"{what}: compile", compiled.returncode == 0, compiled.stderr)
    check_places(what, case, json.loads((folder / "model.json").read_text()))
    run = fovea("run", model, "--probes", case.opened, "--input", inputs, "--probe-output", folder / "got.npz")
    checks.check(f"{what}: run", run.returncode == 0, run.stderr)
    with torch.no_grad(), capture(case.model, folder / "model.json") as probes:
        case.model(*case.inputs)
    checks.check(f"{what}: missing maps", not probes.missing, probes.report())
    checks.check(f"{what}: probes", list(probes.maps) == case.probes, list(probes.maps))
    probes.save(folder / "torch.npz")
    compared = fovea("diff", folder / "torch.npz", folder / "got.npz", *tolerances(case.probes))
    checks.check(f"{what}: diff", compared.returncode == 0, compared.stdout + compared.stderr)

    disturb(model, case.disturbed)
    run = fovea(
        "run",
        model,
        "--probes",
        case.opened,
        "--input",
        inputs,
        "--probe-output",
        folder / "disturbed.npz",
        "--interpret",
    )
    checks.check(f"{what}, disturbed: run", run.returncode == 0, run.stderr)
    compared = fovea("diff", folder / "torch.npz", folder / "disturbed.npz", "--json", *tolerances(case.probes))
    first = json.loads(compared.stdout)["first_diverging"]
    checks.check(f"{what}, disturbed: first diverging", str(first).rpartition(".")[0] == case.block, compared.stdout)
    checks.check(f"{what}, disturbed: status", compared.returncode == 1, compared.returncode)
    print(f"{what}: {len(case.probes)} maps; with a weight of {case.block} disturbed, {first} is the first to diverge")


# --- what is recomputed, and what is said ----------------------------------------------------------------------------


def probe(name: str, shape: list[int], **other: Any) -> dict[str, Any]:
    given = {
        "id": name,
        "name": name.rpartition(".")[2],
        "family": "attention",
        "scope": "",
        "operator": "Softmax",
        "ordinal": 0,
    }
    return {**given, "shape": shape, **other}


class Attend(nn.Module):
    def __init__(self, **options: Any) -> None:
        super().__init__()
        self.options = options

    def forward(self, q: Tensor, k: Tensor) -> Tensor:
        return F.scaled_dot_product_attention(q, k, k, **self.options)


def check_recomputed() -> None:
    q, k = torch.randn(2, 4, 5, 8), torch.randn(2, 2, 5, 8)
    keep = torch.rand(5, 5) > 0.4
    keep[2] = False  # a row that sees nothing
    bias = torch.randn(2, 1, 5, 5)
    causal = torch.ones(5, 5, dtype=torch.bool).tril()
    for options, mask, scale in (
        ({}, 0, 8**-0.5),
        ({"scale": 0.3}, 0, 0.3),
        ({"is_causal": True}, torch.zeros(5, 5).masked_fill(~causal, -torch.inf), 8**-0.5),
        ({"attn_mask": keep}, torch.zeros(5, 5).masked_fill(~keep, -torch.inf), 8**-0.5),
        ({"attn_mask": bias}, bias, 8**-0.5),
    ):
        for grouped in (False, True):
            keys = k if grouped else k.repeat_interleave(2, 1)
            model = Attend(**options, enable_gqa=grouped)
            manifest = {"probes": [probe("probs", [2, 4, 5, 5])]}
            expected = (q @ k.repeat_interleave(2, 1).transpose(-2, -1) * scale + mask).softmax(-1).nan_to_num(0)
            for grad in (torch.no_grad, torch.enable_grad):  # PyTorch takes other kernels
                with grad(), capture(model, manifest) as probes:
                    model(q, keys)
                worst = float(np.abs(probes.maps["probs"] - expected.numpy()).max())
                checks.check(f"recomputed with {list(options)}, grouped {grouped}", worst < 1e-6, worst)


def check_merged_heads() -> None:
    """nn.MultiheadAttention, asked for its weights, works on [N*H,L,S]; what it returns is the mean over the heads."""
    layer = nn.MultiheadAttention(12, 3, batch_first=True).eval()
    x, memory = torch.randn(2, 5, 12), torch.randn(2, 7, 12)
    with torch.no_grad(), capture(layer, {"probes": [probe("probs", [2, 3, 5, 7])]}) as probes:
        weights = layer(x, memory, memory, average_attn_weights=False)[1]
    checks.check("merged heads", np.array_equal(probes.maps["probs"], weights.numpy()), probes.report())


class Unguarded(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        probs = x.masked_fill(x < 0, -torch.inf).softmax(-1)
        return torch.where(probs.isnan(), 0, probs)


def check_guarded() -> None:
    """Where a guard follows the softmax, the manifest's map is what it makes."""
    x = torch.tensor([[1.0, -1, 0], [-1, -1, -1]])
    probes, said = captured(Unguarded(), x, probe("a.probs", [2, 3], operator="Where"))
    checks.check("guarded", np.array_equal(probes.maps["a.probs"], Unguarded()(x).numpy()), said)


class Twice(nn.Module):
    """Three sigmoids of one shape, of which the manifest means the middle one."""

    def forward(self, x: Tensor) -> Tensor:
        return F.silu(x) + torch.sigmoid(x) * torch.sigmoid(2 * x) + torch.sigmoid_(3 * x)


def captured(model: nn.Module, x: Tensor, *wanted: dict[str, Any]) -> tuple[Any, list[str]]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with torch.no_grad(), capture(model, {"probes": list(wanted)}) as probes:
            model(x)
    return probes, [str(w.message) for w in caught if issubclass(w.category, MissingMaps)]


def check_choice() -> None:
    x = torch.randn(1, 4)
    gate = {"family": "se", "operator": "Sigmoid"}
    probes, said = captured(Twice(), x, probe("a.gate", [1, 4], **gate, ordinal=2))  # the SiLU has the first Sigmoid
    checks.check(
        "chosen by its ordinal", np.array_equal(probes.maps["a.gate"], torch.sigmoid(2 * x).numpy()) and not said, said
    )
    probes, said = captured(Twice(), x, probe("a.gate", [1, 4], **gate, ordinal=-1))
    checks.check("not guessed", not probes.maps and "cannot be told" in "".join(said), said)
    for wanted, reason in (
        (probe("b.gate", [1, 4], **gate, scope="b"), "no sigmoid of shape [1, 4] was made in module 'b'"),
        (
            probe("a.gate", [1, 5], **gate),
            "no sigmoid of shape [1, 5] was made in the model, only [1, 4], [1, 4], [1, 4]",
        ),
        (probe("a.probs", [1, 4]), "no softmax of shape [1, 4]"),
        (probe("conv", [1, 4], family="tensor", operator="Conv"), "made by Conv, which is not captured"),
    ):
        probes, said = captured(Twice(), x, wanted)
        right = probes.missing[0][0] == wanted["id"] and reason in probes.missing[0][1] and reason in "".join(said)
        checks.check(f"missing: {wanted['id']}", right, probes.missing)
    same = [((6, 5, 5), (2, 3, 5, 5)), ((1, 4, 1, 1), (1, 4)), ((4,), (1, 2, 2)), ((), (1, 1))]
    other = [((4, 2), (2, 4)), ((6, 4), (4, 6)), ((2, 3), (6, 2)), ((4,), (5,)), ((6, 10), (4, 15))]
    checks.check("shapes", all(can_be_seen_as(*s) for s in same) and not any(can_be_seen_as(*s) for s in other), "")


def check_command(folder: pathlib.Path) -> None:
    (folder / "mine.py").write_text("import torch\ndef build():\n    return torch.nn.Sequential(torch.nn.Sigmoid())\n")
    np.savez(folder / "in.npz", x=np.float32([[0, 1]]))
    command = [
        sys.executable,
        CAPTURE,
        "--model",
        "mine:build",
        "--manifest",
        "m.json",
        "--input",
        "in.npz",
        "--output",
        "out.npz",
    ]
    good = probe("0.gate", [1, 2], family="se", operator="Sigmoid", scope="0")
    for probes, status in (([good], 0), ([good, {**good, "id": "1.gate", "scope": "1"}], 1)):
        (folder / "m.json").write_text(json.dumps({"inputs": [{"name": "x"}], "probes": probes}))
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
        checks.check(f"command: status {status}", done.returncode == status, done.stderr)
        checks.check("command: what is missing", ("1.gate: no sigmoid" in done.stderr) == (status == 1), done.stderr)
        maps = dict(np.load(folder / "out.npz"))
        checks.check(
            "command: maps", list(maps) == ["0.gate"] and np.allclose(maps["0.gate"], [[0.5, 0.7310586]]), maps
        )


def main() -> None:
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    torch.set_num_threads(1)
    export_quickly()
    for build in (se, cbam, windows, tokens, encoder, vit, swin, bert):
        torch.manual_seed(11)
        case = build()
        case.model.eval()
        for exporter in case.exporters:
            with tempfile.TemporaryDirectory() as folder:
                check_way(build.__name__, case, exporter, pathlib.Path(folder))
    torch.manual_seed(12)
    check_windows_meaning()
    check_recomputed()
    check_merged_heads()
    check_guarded()
    check_choice()
    with tempfile.TemporaryDirectory() as folder:
        check_command(pathlib.Path(folder))
    finish(checks)


main()
