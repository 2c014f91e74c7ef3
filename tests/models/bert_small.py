# BERT-small (Turc et al. 2019: 4 layers, width 512, 8 heads) as Hugging Face transformers defines it, of that size but
# for the vocabulary, as a tagger of words: a mask says where the text ends.

from torch import Tensor, nn
from transformers import BertConfig, BertForTokenClassification

from inputs import padded, words

RUN = True
KEEP_BATCH_NORM = False
VOCABULARY = 1000


def build() -> nn.Module:
    return BertForTokenClassification(
        BertConfig(
            vocab_size=VOCABULARY,
            hidden_size=512,
            num_hidden_layers=4,
            num_attention_heads=8,
            intermediate_size=2048,
            max_position_embeddings=128,
            num_labels=9,
        )
    )


def inputs(count: int, length: int = 24) -> dict[str, Tensor]:
    return {"input_ids": words(count, length, VOCABULARY), "attention_mask": padded(count, length)}
