"""Models of Hugging Face transformers as cases: tiny, with random weights, from their configurations alone.
Probabilities and gates are kept from PyTorch's own functions and modules as they run."""
import sys
from collections.abc import Callable, Sequence

import torch
from harness import ROOT, Block, Built, keep
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from transformers import PreTrainedModel

sys.path.insert(0, str(ROOT / "tests/models"))
from weights import randomise

SOFTMAX = (torch.softmax, nn.functional.softmax, Tensor.softmax)


class Softmaxes(TorchFunctionMode):
    """Keeps what every softmax gives, in order of execution."""

    def __init__(self) -> None:
        super().__init__()
        self.kept: list[Tensor] = []

    def __torch_function__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        if function in SOFTMAX:
            self.kept.append(result.detach())
        return result


class Net(nn.Module):
    """A model that takes tensors and gives some of its outputs. The attention maps are kept from a run of its "eager"
    implementation, whichever is exported."""

    def __init__(self, model: PreTrainedModel, names: Sequence[str], outputs: Sequence[str], implementation: str) -> None:
        super().__init__()
        self.model = model
        self.names = names
        self.outputs = outputs
        self.implementation = implementation

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        output = self.model(**dict(zip(self.names, inputs)), return_dict=True)
        return tuple(output[name] for name in self.outputs)

    def maps(self, *inputs: Tensor) -> list[Tensor]:
        """[N,H,Lq,Lk] each, in order of execution."""
        self.model.set_attn_implementation({"": "eager"})
        with torch.no_grad(), Softmaxes() as softmaxes:
            self(*inputs)
        self.model.set_attn_implementation({"": self.implementation})
        return softmaxes.kept


def attention_case(make: Callable[..., PreTrainedModel], config, inputs: dict[str, Tensor], outputs: Sequence[str],
                   implementation: str = "eager", gone: Sequence[int] = ()) -> Built:
    """A model all of whose softmaxes are attention. gone: those that the exporter has computed, being of constants."""
    model = make(config).eval()
    model.set_attn_implementation({"": implementation})  # a backbone without attention knows no other
    net, tensors = Net(model, list(inputs), outputs, implementation), tuple(inputs.values())
    randomise(model, tensors[0])
    return Built(net, tensors, lambda: [Block("attention", {"probs": probs}) for i, probs in enumerate(net.maps(*tensors))
                                        if i not in gone], apart=("position", "cam"))


def gate_case(make: Callable[..., PreTrainedModel], config, inputs: dict[str, Tensor], outputs: Sequence[str],
              is_gate: Callable[[str], bool]) -> Built:
    """A model with squeeze-and-excitation, whose gates are what the modules give whose names is_gate picks."""
    model = make(config).eval()
    randomise(model, next(iter(inputs.values())))
    for name, module in model.named_modules():
        if is_gate(name):
            module.register_forward_hook(lambda module, _, gate: keep(module, gate=gate.flatten(1)))
    net = Net(model, list(inputs), outputs, "eager")
    gates = [module for name, module in model.named_modules() if is_gate(name)]
    return Built(net, tuple(inputs.values()), lambda: [Block("se", {"gate": module.gate}) for module in gates],
                 apart=("cam",))
