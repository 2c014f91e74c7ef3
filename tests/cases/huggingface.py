"""Models of Hugging Face transformers as cases: tiny, with random weights, from their configurations alone.
Probabilities and gates are kept from PyTorch's own functions and modules as they run."""
import copy
import sys
from collections.abc import Callable, Sequence

import torch
from harness import ROOT, Block, Built, keep
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from transformers import PreTrainedConfig, PreTrainedModel

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
    """A model that takes tensors and gives some of its outputs."""

    def __init__(self, model: PreTrainedModel, names: Sequence[str], outputs: Sequence[str]) -> None:
        super().__init__()
        self.model = model
        self.names = names
        self.outputs = outputs

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        output = self.model(**dict(zip(self.names, inputs)), return_dict=True)
        return tuple(output[name] for name in self.outputs)

    def maps(self, *inputs: Tensor) -> list[Tensor]:
        """[N,H,Lq,Lk] each, in order of execution: of the "eager" implementation, whichever is exported."""
        net = copy.deepcopy(self)
        net.model.set_attn_implementation("eager")
        with torch.no_grad(), Softmaxes() as softmaxes:
            net(*inputs)
        return softmaxes.kept


def make_net(make: Callable[..., PreTrainedModel], config: PreTrainedConfig, inputs: dict[str, Tensor],
             outputs: Sequence[str]) -> Net:
    """The model with random weights under which activations keep their size: measured on images, where that needs any."""
    model = make(config).eval()
    randomise(model, torch.randn(4, *next(iter(inputs.values())).shape[1:]))
    return Net(model, list(inputs), outputs)


def attention_case(make: Callable[..., PreTrainedModel], config: PreTrainedConfig, inputs: dict[str, Tensor],
                   outputs: Sequence[str], implementation: str = "eager", gone: Sequence[int] = ()) -> Built:
    """A model all of whose softmaxes are attention. gone: those that the exporter has computed, being of constants."""
    net, tensors = make_net(make, config, inputs, outputs), tuple(inputs.values())
    if implementation == "eager":  # else it is "sdpa", where the model has it
        net.model.set_attn_implementation("eager")
    assert net.model.config._attn_implementation == implementation

    def blocks() -> list[Block]:
        return [Block("attention", {"probs": probs}) for i, probs in enumerate(net.maps(*tensors)) if i not in gone]

    return Built(net, tensors, blocks, apart=("position", "cam"))


def gate_case(make: Callable[..., PreTrainedModel], config: PreTrainedConfig, inputs: dict[str, Tensor],
              outputs: Sequence[str], is_gate: Callable[[str], bool]) -> Built:
    """A model with squeeze-and-excitation, whose gates are what the modules give whose names is_gate picks."""
    net = make_net(make, config, inputs, outputs)
    gates = [module for name, module in net.named_modules() if is_gate(name)]
    for module in gates:
        module.register_forward_hook(lambda module, _, gate: keep(module, gate=gate.flatten(1)))
    return Built(net, tuple(inputs.values()), lambda: [Block("se", {"gate": module.gate}) for module in gates],
                 apart=("cam",))
