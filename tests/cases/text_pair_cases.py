"""Models of an encoder and a decoder: T5, with relative positions, and BART.
The decoder attends to its own words and, across, to those of the encoder."""
from harness import Built, main
from text import HEADS, HIDDEN, LAYERS, POSITIONS, WORDS, Text, built, padded, text, words
from transformers import BartConfig, BartModel, T5Config, T5EncoderModel, T5Model

ENCODER = {"encoder_attentions": "encoder.block.{}.layer.0.SelfAttention"}
DECODER = {"decoder_attentions": "decoder.block.{}.layer.0.SelfAttention",
           "cross_attentions": "decoder.block.{}.layer.1.EncDecAttention"}


def t5_config(attention: str, **options) -> T5Config:
    return T5Config(vocab_size=WORDS, d_model=HIDDEN, d_kv=8, d_ff=48, num_layers=LAYERS, num_heads=HEADS,
                    relative_attention_num_buckets=8, relative_attention_max_distance=16, use_cache=False,
                    attn_implementation=attention, **options)


@text()
def t5(attention: str) -> Built:
    model = Text(T5Model(t5_config(attention)), "input_ids decoder_input_ids",
                 "last_hidden_state encoder_last_hidden_state")
    return built(model, (words(2, 7), words(2, 5)), ENCODER, DECODER)


@text()
def t5_masked(attention: str) -> Built:
    model = Text(T5Model(t5_config(attention)), "input_ids attention_mask decoder_input_ids", "last_hidden_state")
    return built(model, (*padded(), words(2, 5)), ENCODER, DECODER)


@text()
def t5_gated_encoder(attention: str) -> Built:
    """The encoder of version 1.1: the layers between are gated, with the tanh form of GELU."""
    config = t5_config(attention, feed_forward_proj="gated-gelu")
    model = Text(T5EncoderModel(config), "input_ids attention_mask", "last_hidden_state")
    return built(model, padded(), {"attentions": ENCODER["encoder_attentions"]})


@text()
def bart(attention: str) -> Built:
    config = BartConfig(vocab_size=WORDS, d_model=HIDDEN, encoder_layers=LAYERS, decoder_layers=LAYERS,
                        encoder_attention_heads=HEADS, decoder_attention_heads=HEADS, encoder_ffn_dim=48,
                        decoder_ffn_dim=48, max_position_embeddings=POSITIONS, use_cache=False,
                        attn_implementation=attention)
    model = Text(BartModel(config), "input_ids attention_mask decoder_input_ids", "last_hidden_state")
    return built(model, (*padded(), words(2, 5)),
                 {"encoder_attentions": "encoder.layers.{}.self_attn"},
                 {"decoder_attentions": "decoder.layers.{}.self_attn",
                  "cross_attentions": "decoder.layers.{}.encoder_attn"})


if __name__ == "__main__":
    main()
