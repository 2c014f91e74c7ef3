# A Llama-style decoder (Touvron et al. 2023) as Hugging Face transformers defines it, of the size of Karpathy's
# stories260K: 5 layers, 8 heads of queries on 4 of keys, rotary positions, RMS norm.

import torch
from torch import Tensor, nn
from transformers import LlamaConfig, LlamaForCausalLM

from inputs import words

RUN = True
KEEP_BATCH_NORM = False
VOCABULARY = 512


class Decoder(LlamaForCausalLM):
    """[N,L] words to [N,L,512] logits, and no other input: one exporter writes those that have a default too."""

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        return super().forward(input_ids=input_ids, attention_mask=attention_mask).logits


def build() -> nn.Module:
    return Decoder(
        LlamaConfig(
            vocab_size=VOCABULARY,
            hidden_size=64,
            intermediate_size=172,
            num_hidden_layers=5,
            num_attention_heads=8,
            num_key_value_heads=4,
            max_position_embeddings=512,
            use_cache=False,
        )
    )


def inputs(count: int) -> dict[str, Tensor]:
    return {"input_ids": words(count, 16, VOCABULARY), "attention_mask": torch.ones(count, 16, dtype=torch.long)}
