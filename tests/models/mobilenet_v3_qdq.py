# MobileNetV3-large (Howard et al. 2019) quantised by ONNX Runtime after the export: QuantizeLinear and DequantizeLinear
# around what is computed, activations of uint8, weights of int8 with a scale for each output channel.

from pathlib import Path

import mobilenet_v3_large
import torch
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from torch import Tensor

from inputs import images

RUN = True
KEEP_BATCH_NORM = False
build = mobilenet_v3_large.build


def inputs(count: int, side: int = 64) -> dict[str, Tensor]:
    return {"image": images(count, side)}


class Images(CalibrationDataReader):
    """A few images, one by one, by which the ranges of activations are found."""

    def __init__(self, side: int) -> None:
        torch.manual_seed(0)
        self.left = [{"image": image[None].numpy()} for image in images(8, side)]

    def get_next(self) -> dict | None:
        return self.left.pop() if self.left else None


def quantise(path: Path, inputs: dict[str, Tensor]) -> None:
    """Puts the quantised model in the place of the one at path."""
    quantize_static(
        path,
        path,
        Images(inputs["image"].shape[-1]),
        quant_format=QuantFormat.QDQ,
        per_channel=True,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
    )
