# Whole networks from both of PyTorch's exporters: as many blocks are found as the architectures have, each with its
# probes, and with a module's name. The networks are in FOVEA_MODELS, where tests/models/export.py wrote them.

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import NamedTuple

MODELS = Path(os.environ["FOVEA_MODELS"])
EXPORTERS = ["ts", "dynamo"]
# What shows a network's head or its positions, and changes nothing in the blocks counted here: compared where stated.
APART = {"cam", "position"}


class Expected(NamedTuple):
    counts: dict[str, int]  # blocks by family, the main one first
    first: str  # the name of the main family's first block
    last: str
    probes: dict[str, tuple[str, list[int]]]  # axes and shape of the first block's maps


EXPECTED = {
    "se_resnet50": Expected({"se": 16}, "layer1.0.se", "layer4.2.se", {"gate": ("N C", [1, 256])}),
    "mobilenet_v3_large": Expected({"se": 8}, "features.4.block.2", "features.15.block.2", {"gate": ("N C", [1, 72])}),
    "mobilenet_v3_small": Expected({"se": 9}, "features.1.block.1", "features.11.block.2", {"gate": ("N C", [1, 16])}),
    "efficientnet_b0": Expected(
        {"se": 16},
        "efficientnet.encoder.blocks.0.squeeze_excite",
        "efficientnet.encoder.blocks.15.squeeze_excite",
        {"gate": ("N C", [1, 32])},
    ),
    "regnet_y_400mf": Expected(
        {"se": 16},
        "regnet.encoder.stages.0.layers.0.layer.2",
        "regnet.encoder.stages.3.layers.5.layer.2",
        {"gate": ("N C", [1, 48])},
    ),
    "cbam_resnet18": Expected(
        {"cbam": 8},
        "layer1.0.cbam",
        "layer4.1.cbam",
        {"channel": ("N C", [1, 64]), "spatial": ("N 1 H W", [1, 1, 16, 16])},
    ),
    "deit_tiny": Expected(
        {"attention": 12, "position": 1},
        "deit.layers.0.attention",
        "deit.layers.11.attention",
        {"probs": ("N H Lq Lk", [1, 3, 198, 198])},
    ),
    "swin_tiny": Expected(
        {"attention": 12},
        "swin.encoder.layers.0.blocks.0.attention",
        "swin.encoder.layers.3.blocks.1.attention",
        {"probs": ("N H Lq Lk", [64, 3, 49, 49]), "bias": ("H Lq Lk", [3, 49, 49])},
    ),
    "segformer_b0": Expected(
        {"attention": 8},
        "segformer.stages.0.blocks.0.attention",
        "segformer.stages.3.blocks.1.attention",
        {"probs": ("N H Lq Lk", [1, 1, 1024, 16])},
    ),
    "detr_small": Expected(
        {"attention": 9},
        "detr.model.encoder.layers.0.self_attn",
        "detr.model.decoder.layers.2.encoder_attn",
        {"probs": ("N H Lq Lk", [1, 4, 16, 16])},
    ),
    "bert_small": Expected(
        {"attention": 4},
        "bert.encoder.layer.0.attention.self",
        "bert.encoder.layer.3.attention.self",
        {"probs": ("N H Lq Lk", [1, 8, 24, 24])},
    ),
    "llama_260k": Expected(
        {"attention": 5},
        "model.layers.0.self_attn",
        "model.layers.4.self_attn",
        {"probs": ("N H Lq Lk", [1, 8, 16, 16])},
    ),
    "t5_tiny": Expected(
        {"attention": 12},
        "encoder.block.0.layer.0.SelfAttention",
        "decoder.block.3.layer.1.EncDecAttention",
        {"probs": ("N H Lq Lk", [1, 4, 16, 16])},
    ),
}


def faults(name: str, exporter: str) -> list[str]:
    path, expected = MODELS / f"{name}.{exporter}.onnx", EXPECTED[name]
    out = subprocess.run([os.environ["FOVEA"], "inspect", path, "--json"], check=True, capture_output=True, text=True)
    blocks = json.loads(out.stdout)["blocks"]
    counts = Counter(block["family"] for block in blocks if block["family"] not in APART - expected.counts.keys())
    if counts != expected.counts:
        return [f"{path.name}: expected {expected.counts}, found {dict(counts)}"]
    main_family = [block for block in blocks if block["family"] == next(iter(expected.counts))]
    first, last = main_family[0], main_family[-1]
    found = []
    if (first["name"], last["name"]) != (expected.first, expected.last):
        names = f"expected {expected.first} to {expected.last}, found {first['name']} to {last['name']}"
        found.append(f"{path.name}: {names}")
    by_id = {probe["id"]: (probe["axes"], probe["shape"]) for probe in first["probes"]}
    for probe, kind in expected.probes.items():
        if by_id.get(f"{expected.first}.{probe}") != kind:
            found.append(f"{path.name}: expected {expected.first}.{probe} {kind}, found {by_id}")
    return found


def main() -> int:
    all_faults = [fault for name in EXPECTED for exporter in EXPORTERS for fault in faults(name, exporter)]
    print("\n".join(all_faults) or f"{len(EXPECTED) * len(EXPORTERS)} networks are as expected")
    return 1 if all_faults else 0


sys.exit(main())
