# T5 (Raffel et al. 2020) as Hugging Face transformers defines it, of the size of t5-efficient-tiny but for the
# vocabulary: 4 layers of encoder, with self-attention, and 4 of decoder, with self- and cross-attention.

import torch
from torch import Tensor, nn
from transformers import T5Config, T5ForConditionalGeneration

from inputs import words

RUN = True
KEEP_BATCH_NORM = False
VOCABULARY = 512


class Pair(T5ForConditionalGeneration):
    """The logits alone: the encoder's states would be a further output."""

    def forward(self, input_ids: Tensor, attention_mask: Tensor, decoder_input_ids: Tensor) -> Tensor:
        found = super().forward(input_ids=input_ids, attention_mask=attention_mask, decoder_input_ids=decoder_input_ids)
        return found.logits


def build() -> nn.Module:
    return Pair(
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
