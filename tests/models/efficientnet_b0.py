# EfficientNet-B0 (Tan and Le 2019) as Hugging Face transformers defines it: 16 blocks, each with a gate of 1x1
# convolutions.

from torch import Tensor, nn
from transformers import EfficientNetConfig, EfficientNetForImageClassification

from inputs import images

RUN = False
KEEP_BATCH_NORM = False


def build() -> nn.Module:
    return EfficientNetForImageClassification(
        EfficientNetConfig(
            width_coefficient=1.0, depth_coefficient=1.0, hidden_dim=1280, image_size=64, num_labels=1000
        )
    )


def inputs(count: int, side: int = 64) -> dict[str, Tensor]:
    return {"pixel_values": images(count, side)}
