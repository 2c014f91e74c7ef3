# DeiT-tiny (Touvron et al. 2021) as Hugging Face transformers defines it: patches of 16, 12 blocks, 3 heads, width 192.
# Attention is left as the library's default, scaled_dot_product_attention, which the exporters take apart themselves.

from torch import Tensor, nn
from transformers import DeiTConfig, DeiTForImageClassification

from inputs import images

RUN = True
KEEP_BATCH_NORM = False


def build() -> nn.Module:
    return DeiTForImageClassification(
        DeiTConfig(
            hidden_size=192,
            num_hidden_layers=12,
            num_attention_heads=3,
            intermediate_size=768,
            image_size=224,
            patch_size=16,
            num_labels=1000,
        )
    )


def inputs(count: int, side: int = 224) -> dict[str, Tensor]:
    return {"pixel_values": images(count, side)}
