# Whole networks from both of PyTorch's exporters: as many blocks are found as the architectures have, each with its
# probes, and with a module's name. The networks are in FOVEA_MODELS, where tests/models/export.py wrote them.

import json
import os
import subprocess
import sys
from pathlib import Path

MODELS = Path(os.environ["FOVEA_MODELS"])
EXPORTERS = ["ts", "dynamo"]

# Of each network: the family, the number of blocks, the first and the last block's name, and the first block's maps.
EXPECTED = {
    "se_resnet50": ("se", 16, "layer1.0.se", "layer4.2.se", {"gate": ("N C", [1, 256])}),
    "mobilenet_v3_large": ("se", 8, "features.4.block.2", "features.15.block.2", {"gate": ("N C", [1, 72])}),
    "deit_tiny": (
        "attention",
        12,
        "deit.layers.0.attention",
        "deit.layers.11.attention",
        {"probs": ("N H Lq Lk", [1, 3, 198, 198])},
    ),
}


def faults(name: str, exporter: str) -> list[str]:
    path = MODELS / f"{name}.{exporter}.onnx"
    out = subprocess.run([os.environ["FOVEA"], "inspect", path, "--json"], check=True, capture_output=True, text=True)
    blocks = json.loads(out.stdout)["blocks"]
    family, count, first, last, probes = EXPECTED[name]
    if [block["family"] for block in blocks] != [family] * count:
        return [f"{path.name}: expected {count} {family}, found {[block['family'] for block in blocks]}"]
    found = []
    if (blocks[0]["name"], blocks[-1]["name"]) != (first, last):
        found.append(f"{path.name}: expected {first} to {last}, found {blocks[0]['name']} to {blocks[-1]['name']}")
    by_id = {probe["id"]: (probe["axes"], probe["shape"]) for probe in blocks[0]["probes"]}
    for probe, expected in probes.items():
        if by_id.get(f"{first}.{probe}") != expected:
            found.append(f"{path.name}: expected {first}.{probe} {expected}, found {by_id}")
    return found


def main() -> int:
    all_faults = [fault for name in EXPECTED for exporter in EXPORTERS for fault in faults(name, exporter)]
    print("\n".join(all_faults) or f"{len(EXPECTED) * len(EXPORTERS)} networks are as expected")
    return 1 if all_faults else 0


sys.exit(main())
