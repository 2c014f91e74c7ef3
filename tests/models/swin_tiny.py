# Swin-tiny (Liu et al. 2021) as Hugging Face transformers defines it: 12 blocks of attention within windows of 7, every
# other one shifted. At 224 the four stages are 56, 28, 14 and 7 wide, whole windows.

from torch import Tensor, nn
from transformers import SwinConfig, SwinForImageClassification

from inputs import images

RUN = False
KEEP_BATCH_NORM = False


def build() -> nn.Module:
    return SwinForImageClassification(
        SwinConfig(
            image_size=224,
            patch_size=4,
            embed_dim=96,
            depths=[2, 2, 6, 2],
            num_heads=[3, 6, 12, 24],
            window_size=7,
            num_labels=1000,
        )
    )


def inputs(count: int) -> dict[str, Tensor]:
    return {"pixel_values": images(count, 224)}
