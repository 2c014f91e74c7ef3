# The networks that are timed, at full size. They are exported on demand into build/bench/models, by the script that the
# tests use, which puts an input and PyTorch's output beside them. What PyTorch's newer exporter writes is timed.

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build/bench"
FOVEA = ROOT / "build/release/fovea"
EXPORT = ROOT / "tests/models/export.py"


@dataclass(frozen=True)
class Model:
    name: str  # of its file in tests/models
    title: str
    size: int  # the side of its image, or how many tokens

    @property
    def label(self) -> str:
        return f"{self.name}-{self.size}"

    @property
    def stem(self) -> Path:
        """Of stem.{dynamo,ts}.onnx and what lies beside them."""
        return BUILD / "models" / str(self.size) / self.name

    def file(self, ending: str) -> Path:
        return self.stem.with_name(f"{self.name}.dynamo.{ending}")

    def resized(self, size: int) -> "Model":
        return Model(self.name, self.title, size)

    def make(self) -> None:
        command = [sys.executable, EXPORT, self.stem.parent, "--only", self.name, "--size", str(self.size)]
        subprocess.run(command, check=True)

    def inspect(self) -> dict:
        """What fovea counts: macs, parameters, memory."""
        command = [FOVEA, "inspect", self.file("onnx"), "--json"]
        return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


MODELS = [
    Model("se_resnet50", "SE-ResNet-50", 224),
    Model("cbam_resnet18", "CBAM-ResNet-18", 224),
    Model("mobilenet_v3_large", "MobileNetV3-large", 224),
    Model("efficientnet_b0_mean", "EfficientNet-B0", 224),
    Model("deit_tiny", "DeiT-tiny", 224),
    Model("minilm", "MiniLM-L6", 128),
]
# How cost grows: each of these at its sizes.
GROWTH = {"cbam_resnet18": [64, 128, 224, 320, 416, 512], "minilm": [64, 128, 256, 512, 1024, 2048]}
