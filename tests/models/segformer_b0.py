# SegFormer-B0 (Xie et al. 2021) as Hugging Face transformers defines it: four stages of attention whose keys are reduced,
# and a decoder of linear layers over the maps of all four.

from torch import Tensor, nn
from transformers import SegformerConfig, SegformerForSemanticSegmentation

from inputs import images

RUN = True
KEEP_BATCH_NORM = False


def build() -> nn.Module:
    return SegformerForSemanticSegmentation(
        SegformerConfig(
            hidden_sizes=[32, 64, 160, 256],
            depths=[2, 2, 2, 2],
            num_attention_heads=[1, 2, 5, 8],
            sr_ratios=[8, 4, 2, 1],
            decoder_hidden_size=256,
            num_labels=150,
        )
    )


def inputs(count: int, side: int = 128) -> dict[str, Tensor]:
    return {"pixel_values": images(count, side)}
