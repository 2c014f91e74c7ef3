"""Encoders of text: BERT, with its padding and without, and models after it.
Each word attends to all words; positions are learned tables, or biases between two words."""
from harness import Built, main
from text import EAGER, HEADS, HIDDEN, LAYERS, OPEN, POSITIONS, SIZES, WORDS, Text, built, padded, text, words
from transformers import (AlbertConfig, AlbertModel, BertConfig, BertModel, DebertaV2Config, DebertaV2Model,
                          DistilBertConfig, DistilBertModel, MPNetConfig, MPNetModel, RobertaConfig, RobertaModel)

ENCODER = dict(**SIZES, intermediate_size=48)
BERT_ATTENTION = {"attentions": "encoder.layer.{}.attention.self"}


def bert_model(attention: str, arguments: str, **options) -> Text:
    config = BertConfig(**ENCODER, type_vocab_size=2, attn_implementation=attention, **options)
    return Text(BertModel(config), arguments, "last_hidden_state pooler_output")


@text()
def bert(attention: str) -> Built:
    model = bert_model(attention, "input_ids attention_mask token_type_ids")
    return built(model, (*padded(), words(2, 7) % 2), BERT_ATTENTION)


@text()
def bert_unmasked(attention: str) -> Built:
    return built(bert_model(attention, "input_ids"), (words(2, 6),), BERT_ATTENTION)


@text(opsets=OPEN)
def bert_dynamic(attention: str) -> Built:
    """Exported with open sizes and other words than those it is run with."""
    axes = {0: "batch", 1: "sequence"}
    return built(bert_model(attention, "input_ids attention_mask"), padded(), BERT_ATTENTION,
                 example=padded(3, 5, right=1), dynamic={0: axes, 1: axes})


@text()
def minilm(attention: str) -> Built:
    """BERT of many small heads, as MiniLM is, for one text: the sizes of batch and of a head's tensors meet ones."""
    sizes = {**ENCODER, "num_attention_heads": 8, "intermediate_size": 64}
    model = BertModel(BertConfig(**sizes, attn_implementation=attention), add_pooling_layer=False)
    return built(Text(model, "input_ids attention_mask", "last_hidden_state"), padded(1, 9, right=4), BERT_ATTENTION)


@text()
def distilbert(attention: str) -> Built:
    config = DistilBertConfig(vocab_size=WORDS, dim=HIDDEN, n_layers=LAYERS, n_heads=HEADS, hidden_dim=48,
                              max_position_embeddings=POSITIONS, attn_implementation=attention)
    model = Text(DistilBertModel(config), "input_ids attention_mask", "last_hidden_state")
    return built(model, padded(), {"attentions": "transformer.layer.{}.attention"})


@text()
def roberta(attention: str) -> Built:
    """Positions are counted from the words that are not padding."""
    config = RobertaConfig(**ENCODER, type_vocab_size=1, attn_implementation=attention)
    model = Text(RobertaModel(config, add_pooling_layer=False), "input_ids attention_mask", "last_hidden_state")
    ids, mask = padded()
    return built(model, (ids * mask + (1 - mask), mask), BERT_ATTENTION)


@text(opsets=EAGER)
def albert(attention: str) -> Built:
    """All layers are one, with one set of weights."""
    config = AlbertConfig(**ENCODER, embedding_size=16, attn_implementation=attention)
    model = Text(AlbertModel(config, add_pooling_layer=False), "input_ids attention_mask", "last_hidden_state")
    return built(model, padded(), {"attentions": None})


@text(opsets=EAGER)
def mpnet(attention: str) -> Built:
    """A bias for relative positions, which the layers share, and a mask: two terms are added."""
    config = MPNetConfig(**ENCODER, attn_implementation=attention)
    model = Text(MPNetModel(config, add_pooling_layer=False), "input_ids attention_mask", "last_hidden_state")
    return built(model, padded(), {"attentions": "encoder.layer.{}.attention.attn"})


@text(opsets=EAGER)
def deberta(attention: str) -> Built:
    """Disentangled attention: words to words, words to positions and positions to words."""
    config = DebertaV2Config(**ENCODER, relative_attention=True, pos_att_type=["p2c", "c2p"],
                             position_biased_input=False, attn_implementation=attention)
    model = Text(DebertaV2Model(config), "input_ids attention_mask", "last_hidden_state")
    return built(model, padded(), BERT_ATTENTION)


if __name__ == "__main__":
    main()
