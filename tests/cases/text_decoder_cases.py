"""Decoders of text with one head of keys for each head of queries: GPT-2, OPT, GPT-NeoX, GPT-J and BLOOM.
Each word attends to itself and those before it; positions are learned, rotary, or a bias that grows with distance."""
from harness import Built, main
from text import EAGER, HEADS, HIDDEN, LAYERS, NO_DIFF, POSITIONS, SIZES, WORDS, Text, built, padded, text, words
from transformers import (BloomConfig, BloomModel, GPT2Config, GPT2LMHeadModel, GPTJConfig, GPTJModel, GPTNeoXConfig,
                          GPTNeoXModel, OPTConfig, OPTModel)


def gpt2_model(attention: str, arguments: str) -> Text:
    config = GPT2Config(vocab_size=WORDS, n_embd=HIDDEN, n_layer=LAYERS, n_head=HEADS, n_positions=POSITIONS,
                        use_cache=False, attn_implementation=attention)
    return Text(GPT2LMHeadModel(config), arguments, "logits")


@text()
def gpt2(attention: str) -> Built:
    return built(gpt2_model(attention, "input_ids attention_mask"), padded(),
                 {"attentions": "transformer.h.{}.attn"})


@text(skip=NO_DIFF)
def gpt2_unmasked(attention: str) -> Built:
    return built(gpt2_model(attention, "input_ids"), (words(2, 6),), {"attentions": "transformer.h.{}.attn"})


@text()
def opt(attention: str) -> Built:
    config = OPTConfig(**SIZES, ffn_dim=48, word_embed_proj_dim=HIDDEN, use_cache=False, attn_implementation=attention)
    model = Text(OPTModel(config), "input_ids attention_mask", "last_hidden_state")
    return built(model, padded(), {"attentions": "decoder.layers.{}.self_attn"})


@text(opsets=EAGER)
def gpt_neox(attention: str) -> Built:
    """A quarter of each head is turned by its position."""
    config = GPTNeoXConfig(**{**SIZES, "num_attention_heads": 2}, intermediate_size=48, use_cache=False,
                           attn_implementation=attention)
    model = Text(GPTNeoXModel(config), "input_ids attention_mask", "last_hidden_state")
    return built(model, padded(), {"attentions": "layers.{}.attention"})


@text(opsets=EAGER)
def gptj(attention: str) -> Built:
    """Rotary positions that turn neighbouring elements."""
    config = GPTJConfig(vocab_size=WORDS, n_embd=HIDDEN, n_layer=LAYERS, n_head=HEADS, rotary_dim=4,
                        n_positions=POSITIONS, use_cache=False, attn_implementation=attention)
    model = Text(GPTJModel(config), "input_ids attention_mask", "last_hidden_state")
    return built(model, padded(), {"attentions": "h.{}.attn"})


@text(opsets=EAGER)
def bloom(attention: str) -> Built:
    """A bias that grows with the distance, made from the mask, and added to heads that are merged with the batch."""
    config = BloomConfig(vocab_size=WORDS, hidden_size=HIDDEN, n_layer=LAYERS, n_head=HEADS, use_cache=False,
                         attn_implementation=attention)
    model = Text(BloomModel(config), "input_ids attention_mask", "last_hidden_state")
    return built(model, padded(), {"attentions": "h.{}.self_attention"})


if __name__ == "__main__":
    main()
