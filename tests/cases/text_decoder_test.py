"""Decoders of text: GPT-2 and OPT, and those after Llama: grouped keys, rotary positions, RMS norm, gated layers.
Each word attends to itself and to those before it."""
from harness import Built, main
from text import HEADS, HIDDEN, LAYERS, POSITIONS, WORDS, Text, built, padded, text, words
from transformers import (GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM, MistralConfig, MistralModel, OPTConfig,
                          OPTModel, Qwen2Config, Qwen2Model)

COUNTS = dict(vocab_size=WORDS, hidden_size=HIDDEN, num_hidden_layers=LAYERS, num_attention_heads=HEADS,
              max_position_embeddings=POSITIONS, use_cache=False)
GROUPED = dict(**COUNTS, num_key_value_heads=HEADS // 2, intermediate_size=48)
# Without a mask, transformers looks for packed texts with torch.diff.
NO_DIFF = "the exporter has no torch.diff"
UNMASKED = {"eager": {("ts", 14): NO_DIFF}, "sdpa": {("ts", 17): NO_DIFF}}


def gpt2_model(attention: str, arguments: str) -> Text:
    config = GPT2Config(vocab_size=WORDS, n_embd=HIDDEN, n_layer=LAYERS, n_head=HEADS, n_positions=POSITIONS,
                        use_cache=False, attn_implementation=attention)
    return Text(GPT2LMHeadModel(config), arguments, "logits")


@text()
def gpt2(attention: str) -> Built:
    return built(gpt2_model(attention, "input_ids attention_mask"), (words(2, 7), padded(2, 7, right=2)),
                 {"attentions": "transformer.h.{}.attn"})


@text(skip=UNMASKED)
def gpt2_unmasked(attention: str) -> Built:
    return built(gpt2_model(attention, "input_ids"), (words(2, 6),), {"attentions": "transformer.h.{}.attn"})


@text()
def opt(attention: str) -> Built:
    config = OPTConfig(**COUNTS, ffn_dim=48, word_embed_proj_dim=HIDDEN, attn_implementation=attention)
    model = Text(OPTModel(config), "input_ids attention_mask", "last_hidden_state")
    return built(model, (words(2, 7), padded(2, 7, right=2)), {"attentions": "decoder.layers.{}.self_attn"})


@text()
def llama(attention: str) -> Built:
    model = Text(LlamaForCausalLM(LlamaConfig(**GROUPED, attn_implementation=attention)), "input_ids attention_mask", "logits")
    return built(model, (words(2, 7), padded(2, 7, right=2)), {"attentions": "model.layers.{}.self_attn"})


@text(skip=UNMASKED)
def llama_unmasked(attention: str) -> Built:
    """All queries share one head of keys; a head's size is not the hidden size over the number of heads."""
    config = LlamaConfig(**{**GROUPED, "num_key_value_heads": 1, "head_dim": 6}, attn_implementation=attention)
    return built(Text(LlamaForCausalLM(config), "input_ids", "logits"), (words(2, 6),),
                 {"attentions": "model.layers.{}.self_attn"})


@text()
def llama_dynamic(attention: str) -> Built:
    """Exported with open sizes and other words than those it is run with."""
    model = Text(LlamaForCausalLM(LlamaConfig(**GROUPED, attn_implementation=attention)), "input_ids attention_mask", "logits")
    axes = {0: "batch", 1: "sequence"}
    return built(model, (words(2, 7), padded(2, 7, right=2)), {"attentions": "model.layers.{}.self_attn"},
                 example=(words(3, 5), padded(3, 5, right=1)), dynamic={0: axes, 1: axes})


@text(skip={"sdpa": {("dynamo", 18): "as exported, a row that is masked whole is not zeros: an error of the exporter"}})
def qwen2(attention: str) -> Built:
    """Padding on the left, so that the padding's own rows are masked whole."""
    model = Text(Qwen2Model(Qwen2Config(**GROUPED, attn_implementation=attention)), "input_ids attention_mask",
                 "last_hidden_state")
    mask = padded(2, 7, left=2)
    return built(model, (words(2, 7), mask), {"attentions": "layers.{}.self_attn"}, seeing=mask)


@text(skip=UNMASKED)
def mistral(attention: str) -> Built:
    """Each word attends to the last three only."""
    model = Text(MistralModel(MistralConfig(**GROUPED, sliding_window=3, attn_implementation=attention)), "input_ids",
                 "last_hidden_state")
    return built(model, (words(1, 8),), {"attentions": "layers.{}.self_attn"})


if __name__ == "__main__":
    main()
