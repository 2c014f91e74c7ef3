"""Encoders of text: BERT, with its padding and without, and models after it.
Attention over all words; learned positions; post-norm layers with GELU."""
from harness import Built, main
from text import HEADS, HIDDEN, LAYERS, POSITIONS, WORDS, Text, built, padded, text, words
from transformers import BertConfig, BertModel, DistilBertConfig, DistilBertModel, RobertaConfig, RobertaModel

SIZES = dict(vocab_size=WORDS, hidden_size=HIDDEN, num_hidden_layers=LAYERS, num_attention_heads=HEADS,
             intermediate_size=48, max_position_embeddings=POSITIONS)
BERT_ATTENTION = {"attentions": "encoder.layer.{}.attention.self"}


def bert_model(attention: str, arguments: str, **options) -> Text:
    config = BertConfig(**SIZES, type_vocab_size=2, attn_implementation=attention, **options)
    return Text(BertModel(config), arguments, "last_hidden_state pooler_output")


@text()
def bert(attention: str) -> Built:
    model = bert_model(attention, "input_ids attention_mask token_type_ids")
    return built(model, (words(2, 7), padded(2, 7, right=2), words(2, 7) % 2), BERT_ATTENTION)


@text()
def bert_unmasked(attention: str) -> Built:
    return built(bert_model(attention, "input_ids"), (words(2, 6),), BERT_ATTENTION)


@text()
def bert_dynamic(attention: str) -> Built:
    """Exported with open sizes and other words than those it is run with."""
    axes = {0: "batch", 1: "sequence"}
    return built(bert_model(attention, "input_ids attention_mask"), (words(2, 7), padded(2, 7, right=2)), BERT_ATTENTION,
                 example=(words(3, 5), padded(3, 5, right=1)), dynamic={0: axes, 1: axes})


@text()
def minilm(attention: str) -> Built:
    """BERT of many small heads, as MiniLM is, for one text: the sizes of batch and of a head's tensors meet ones."""
    sizes = {**SIZES, "num_attention_heads": 8, "intermediate_size": 64}
    model = BertModel(BertConfig(**sizes, attn_implementation=attention), add_pooling_layer=False)
    return built(Text(model, "input_ids attention_mask", "last_hidden_state"), (words(1, 9), padded(1, 9, right=4)),
                 BERT_ATTENTION)


@text()
def distilbert(attention: str) -> Built:
    config = DistilBertConfig(vocab_size=WORDS, dim=HIDDEN, n_layers=LAYERS, n_heads=HEADS, hidden_dim=48,
                              max_position_embeddings=POSITIONS, attn_implementation=attention)
    model = Text(DistilBertModel(config), "input_ids attention_mask", "last_hidden_state")
    return built(model, (words(2, 7), padded(2, 7, right=2)), {"attentions": "transformer.layer.{}.attention"})


@text()
def roberta(attention: str) -> Built:
    """Positions are counted from the words that are not padding."""
    config = RobertaConfig(**SIZES, type_vocab_size=1, attn_implementation=attention)
    model = Text(RobertaModel(config, add_pooling_layer=False), "input_ids attention_mask", "last_hidden_state")
    mask = padded(2, 7, right=2)
    return built(model, (words(2, 7) * mask + (1 - mask), mask), BERT_ATTENTION)


if __name__ == "__main__":
    main()
