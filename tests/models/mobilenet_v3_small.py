# MobileNetV3-small (Howard et al. 2019), of the layers of MobileNetV3-large.

from torch import Tensor, nn

from inputs import images
from mobilenet_v3_large import MobileNetV3, Row

RUN = False
KEEP_BATCH_NORM = False

# table 2 of the paper
BLOCKS: list[Row] = [
    (3, 16, 16, True, "relu", 2),
    (3, 72, 24, False, "relu", 2),
    (3, 88, 24, False, "relu", 1),
    (5, 96, 40, True, "hardswish", 2),
    (5, 240, 40, True, "hardswish", 1),
    (5, 240, 40, True, "hardswish", 1),
    (5, 120, 48, True, "hardswish", 1),
    (5, 144, 48, True, "hardswish", 1),
    (5, 288, 96, True, "hardswish", 2),
    (5, 576, 96, True, "hardswish", 1),
    (5, 576, 96, True, "hardswish", 1),
]


def build() -> nn.Module:
    return MobileNetV3(BLOCKS, 1024)


def inputs(count: int) -> dict[str, Tensor]:
    return {"image": images(count, 64)}
