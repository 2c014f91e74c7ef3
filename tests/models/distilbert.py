# DistilBERT (Sanh et al. 2019: 6 layers, width 768, 12 heads) as Hugging Face transformers defines it, of that size
# but for the vocabulary, as a tagger of words: a mask says where the text ends.

from torch import Tensor, nn
from transformers import DistilBertConfig, DistilBertForTokenClassification

from inputs import padded, words

RUN = True
KEEP_BATCH_NORM = False
VOCABULARY = 1000


def build() -> nn.Module:
    return DistilBertForTokenClassification(
        DistilBertConfig(
            vocab_size=VOCABULARY,
            dim=768,
            n_layers=6,
            n_heads=12,
            hidden_dim=3072,
            max_position_embeddings=128,
            num_labels=9,
        )
    )


def inputs(count: int, length: int = 16) -> dict[str, Tensor]:
    return {"input_ids": words(count, length, VOCABULARY), "attention_mask": padded(count, length)}
