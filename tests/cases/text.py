"""Text models of transformers as cases: tiny, of random weights, in their two ways to compute attention.
The maps they are compared with are those that transformers returns with output_attentions."""
import functools
from collections.abc import Callable, Iterator, Mapping

import torch
from harness import Block, Built, case
from torch import Tensor, nn
from transformers import PreTrainedModel

HEADS, HIDDEN, LAYERS, WORDS, POSITIONS = 4, 32, 2, 100, 24
SIZES = dict(vocab_size=WORDS, hidden_size=HIDDEN, num_hidden_layers=LAYERS, num_attention_heads=HEADS,
             max_position_embeddings=POSITIONS)
# "eager" is MatMul and Softmax; "sdpa" is one function of PyTorch's, for which ONNX has an operator from opset 23 on.
OPSETS = {"eager": {"ts": (14,), "dynamo": (18,)}, "sdpa": {"ts": (17,), "dynamo": (18, 23)}}
EAGER = {"eager": OPSETS["eager"]}
OPEN = {**OPSETS, "sdpa": {"ts": (17,), "dynamo": (18,)}}  # for open sizes, which take the exporter three times as long
# What to skip of decoders without a mask: transformers then looks for packed texts with torch.diff.
NO_DIFF = {attention: {("ts", opset): "the exporter has no torch.diff" for opset in opsets["ts"]}
           for attention, opsets in OPSETS.items()}


class Text(nn.Module):
    """A model of transformers that takes tensors by position, as its arguments called so, and returns some outputs."""

    def __init__(self, model: PreTrainedModel, arguments: str = "", outputs: str = ""):
        super().__init__()
        self.model = model
        self.arguments = arguments.split()
        self.outputs = outputs.split()

    def call(self, *inputs: Tensor, **options) -> Mapping:
        """What transformers returns."""
        return self.model(**dict(zip(self.arguments, inputs)), **options)

    def forward(self, first: Tensor, second: Tensor | None = None, third: Tensor | None = None) -> tuple[Tensor, ...]:
        output = self.call(first, second, third)
        return tuple(output[name] for name in self.outputs)

    def attentions(self, inputs: tuple[Tensor, ...]) -> Mapping[str, tuple[Tensor, ...]]:
        """The probabilities [N,H,Lq,Lk] of each layer, which only the eager way returns."""
        way = self.model.config._attn_implementation
        self.model.set_attn_implementation("eager")
        output = self.call(*inputs, output_attentions=True)
        self.model.set_attn_implementation(way)
        return output


def built(model: Text, inputs: tuple[Tensor, ...], *stages: Mapping[str, str | None], seeing: Tensor | None = None,
          **options) -> Built:
    """A case of a text model. Each stage runs layer by layer; it has the modules of its attentions, with {} for the
    layer, by the field of transformers' output that holds their maps; None where a module serves more than one layer,
    and the exporters count them in their own ways. seeing: [N,Lq], 0 for queries of which every key is masked; sdpa
    gives them zeros where the eager way, whose mask is finite, gives them all keys alike."""

    @torch.no_grad()
    def blocks() -> Iterator[Block]:
        maps = model.attentions(inputs)
        zeroed = seeing is not None and model.model.config._attn_implementation == "sdpa"
        scale = seeing[:, None, :, None] if zeroed else 1
        for stage in stages:
            for layer in range(LAYERS):
                for field, module in stage.items():
                    name = module and f"model.{module.format(layer)}"
                    yield Block("attention", {"probs": maps[field][layer] * scale}, name)

    return Built(model, inputs, lambda: list(blocks()), apart=("position",), **options)


def text(skip: Mapping[str, Mapping[tuple[str, int], str]] = {},
         opsets: Mapping[str, Mapping[str, tuple[int, ...]]] = OPSETS) -> Callable:
    """Makes cases NAME_eager and NAME_sdpa of a function NAME(attention) that builds a text model with this
    attn_implementation. skip and opsets are those of case(), by attention."""

    def register(function: Callable[[str], Built]) -> Callable[[str], Built]:
        for attention, wanted in opsets.items():
            build = functools.partial(function, attention)
            build.__name__ = f"{function.__name__}_{attention}"
            case(opsets=wanted, skip=skip.get(attention, {}))(build)
        return function

    return register


def words(*shape: int) -> Tensor:
    """Random words, none of them one that models give a meaning, such as padding."""
    return torch.randint(3, WORDS, shape)


def padded(batch: int = 2, length: int = 7, right: int = 2, left: int = 0) -> tuple[Tensor, Tensor]:
    """Random words, and their mask, [batch,length] each; the mask has zeros where the last text is padding."""
    mask = torch.ones(batch, length, dtype=torch.long)
    mask[-1, length - right:] = 0
    mask[-1, :left] = 0
    return words(batch, length), mask
