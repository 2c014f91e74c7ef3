# RegNet-Y-400MF (Radosavovic et al. 2020) as Hugging Face transformers defines it: 16 blocks of grouped convolutions,
# each with a gate.

from torch import Tensor, nn
from transformers import RegNetConfig, RegNetForImageClassification

from inputs import images

RUN = False
KEEP_BATCH_NORM = False


def build() -> nn.Module:
    return RegNetForImageClassification(
        RegNetConfig(
            depths=[1, 3, 6, 6], hidden_sizes=[48, 104, 208, 440], groups_width=8, layer_type="y", num_labels=1000
        )
    )


def inputs(count: int) -> dict[str, Tensor]:
    return {"pixel_values": images(count, 64)}
