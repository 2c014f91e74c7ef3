"""Decoders of text after Llama: grouped keys, rotary positions, RMS norm and gated layers.
Each word attends to itself and to those before it, in Mistral and Gemma to the nearest of them only."""
from collections.abc import Mapping

import torch
from harness import Built, main
from text import EAGER, HEADS, LAYERS, NO_DIFF, OPEN, SIZES, Text, built, padded, text, words
from torch import Tensor
from transformers import (DynamicCache, Gemma2Config, Gemma2Model, LlamaConfig, LlamaForCausalLM, MistralConfig,
                          MistralModel, Qwen2Config, Qwen2Model)

GROUPED = dict(**SIZES, num_key_value_heads=HEADS // 2, intermediate_size=48, use_cache=False)
LAYER = "model.layers.{}.self_attn"


def llama_model(attention: str, arguments: str, **options) -> Text:
    config = LlamaConfig(**{**GROUPED, **options}, attn_implementation=attention)
    return Text(LlamaForCausalLM(config), arguments, "logits")


@text()
def llama(attention: str) -> Built:
    return built(llama_model(attention, "input_ids attention_mask"), padded(), {"attentions": LAYER})


@text(skip=NO_DIFF)
def llama_unmasked(attention: str) -> Built:
    """All queries share one head of keys; a head's size is not the hidden size over the number of heads."""
    model = llama_model(attention, "input_ids", num_key_value_heads=1, head_dim=6)
    return built(model, (words(2, 6),), {"attentions": LAYER})


@text(opsets=OPEN)
def llama_dynamic(attention: str) -> Built:
    """Exported with open sizes and other words than those it is run with."""
    axes = {0: "batch", 1: "sequence"}
    return built(llama_model(attention, "input_ids attention_mask"), padded(), {"attentions": LAYER},
                 example=padded(3, 5, right=1), dynamic={0: axes, 1: axes})


class Cached(Text):
    """A decoder that goes on with a text: each layer's keys and values [N,H,L,D] are given, and returned longer."""

    def call(self, ids: Tensor, *past: Tensor, **options) -> Mapping:
        cache = DynamicCache()
        for layer in range(LAYERS):
            cache.update(past[2 * layer], past[2 * layer + 1], layer)
        mask = torch.ones(ids.shape[0], past[0].shape[2] + ids.shape[1], dtype=torch.long)
        return self.model(input_ids=ids, attention_mask=mask, cache=cache, use_cache=True, **options)

    def forward(self, ids: Tensor, *past: Tensor) -> tuple[Tensor, ...]:
        output = self.call(ids, *past)
        return output.logits, *(tensor for layer in output.cache.layers for tensor in (layer.keys, layer.values))


@text()
def llama_cached(attention: str) -> Built:
    config = LlamaConfig(**GROUPED, attn_implementation=attention)
    model = Cached(LlamaForCausalLM(config))
    past = [torch.randn(1, HEADS // 2, 5, SIZES["hidden_size"] // HEADS) for _ in range(2 * LAYERS)]
    return built(model, (words(1, 2), *past), {"attentions": LAYER})


@text(skip={"sdpa": {("dynamo", 18): "as exported, a row that is masked whole is not zeros: an error of the exporter"}})
def qwen2(attention: str) -> Built:
    """Padding on the left, so that the padding's own rows are masked whole."""
    model = Text(Qwen2Model(Qwen2Config(**GROUPED, attn_implementation=attention)), "input_ids attention_mask",
                 "last_hidden_state")
    ids, mask = padded(right=0, left=2)
    return built(model, (ids, mask), {"attentions": "layers.{}.self_attn"}, seeing=mask)


@text(skip=NO_DIFF)
def mistral(attention: str) -> Built:
    """Each word attends to the last three only."""
    model = Text(MistralModel(MistralConfig(**GROUPED, sliding_window=3, attn_implementation=attention)), "input_ids",
                 "last_hidden_state")
    return built(model, (words(1, 8),), {"attentions": "layers.{}.self_attn"})


@text(opsets=EAGER)
def gemma2(attention: str) -> Built:
    """Scores are capped by a tanh before they are masked; the first layer attends to the nearest three words only."""
    config = Gemma2Config(**GROUPED, head_dim=8, sliding_window=3, attn_implementation=attention)
    model = Text(Gemma2Model(config), "input_ids attention_mask", "last_hidden_state")
    return built(model, padded(), {"attentions": "layers.{}.self_attn"})


if __name__ == "__main__":
    main()
