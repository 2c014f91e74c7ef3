# T5 (Raffel et al. 2020) as Hugging Face transformers defines it, of the size of t5-efficient-tiny but for the
# vocabulary: 4 layers of encoder, with self-attention, and 4 of decoder, with self- and cross-attention.

import torch
from torch import Tensor, nn
from transformers import T5Config, T5ForConditionalGeneration

from inputs import words

RUN = True
KEEP_BATCH_NORM = False
VOCABULARY = 512


def build() -> nn.Module:
    return T5ForConditionalGeneration(
        T5Config(
            vocab_size=VOCABULARY,
            d_model=256,
            d_kv=64,
            d_ff=1024,
            num_layers=4,
            num_heads=4,
            use_cache=False,
        )
    )


def inputs(count: int) -> dict[str, Tensor]:
    return {
        "input_ids": words(count, 16, VOCABULARY),
        "attention_mask": torch.ones(count, 16, dtype=torch.long),
        "decoder_input_ids": words(count, 12, VOCABULARY),
    }
