# MiniLM-L6 (Wang et al. 2020, six layers, as in sentence-transformers/all-MiniLM-L6-v2) as Hugging Face transformers
# defines BERT: width 384, 12 heads, feed-forward 1536. It is timed only; its vocabulary makes it too large for a test. One
# text alone needs no mask.

from torch import Tensor, nn
from transformers import BertConfig, BertModel

from inputs import words

RUN = True
KEEP_BATCH_NORM = False
VOCABULARY = 30522


class Encoder(nn.Module):
    """The last layer's tokens, [N,L,384]; the pooler, which embeddings do not use, is left out."""

    def __init__(self) -> None:
        super().__init__()
        self.bert = BertModel(
            BertConfig(
                vocab_size=VOCABULARY,
                hidden_size=384,
                num_hidden_layers=6,
                num_attention_heads=12,
                intermediate_size=1536,
                max_position_embeddings=2048,
            ),
            add_pooling_layer=False,
        )

    def forward(self, input_ids: Tensor) -> Tensor:
        return self.bert(input_ids).last_hidden_state


def build() -> nn.Module:
    return Encoder()


def inputs(count: int, length: int = 128) -> dict[str, Tensor]:
    return {"input_ids": words(count, length, VOCABULARY)}
