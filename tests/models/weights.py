# Gives a model seeded random weights under which it computes something: activations neither vanish nor explode,
# BatchNorm has statistics that folding must get right, and softmax has rows that are not uniform.

import torch
from torch import Tensor, nn

CONVS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
BATCH_NORMS = (nn.BatchNorm2d, nn.BatchNorm3d)
NORMS = (*BATCH_NORMS, nn.LayerNorm, nn.GroupNorm)


@torch.no_grad()
def randomise(model: nn.Module, *inputs: Tensor) -> None:
    """Sets every parameter of the model, then BatchNorm's statistics from what the inputs give."""
    for module in model.modules():
        for name, parameter in module.named_parameters(recurse=False):
            if isinstance(module, NORMS) and name == "weight":
                parameter.uniform_(0.8, 1.2)
            elif name == "bias":
                parameter.normal_(0, 0.1)
            elif isinstance(module, (*CONVS, nn.Linear)):
                gain = 2.0 if isinstance(module, CONVS) else 1.0  # He et al. 2015: most Conv are followed by ReLU
                parameter.normal_(0, (gain / parameter[0].numel()) ** 0.5)
            elif isinstance(module, nn.RNNBase):
                parameter.normal_(0, 0.1 if name.startswith("bias") else parameter.shape[-1] ** -0.5)
            else:
                parameter.normal_(0, 0.5)  # tokens and positions, added to patches of about unit size
    measure_batch_norm(model, *inputs)


def measure_batch_norm(model: nn.Module, *inputs: Tensor) -> None:
    """Takes the statistics from the inputs, then moves them a little, so that they are not those of any layer."""
    norms = [module for module in model.modules() if isinstance(module, BATCH_NORMS)]
    if not norms:
        return
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.train()
        norm.momentum = 1.0  # the statistics of this batch, with no memory of the initial 0 and 1
    model(*inputs)
    for norm, momentum in zip(norms, momenta):
        norm.eval()
        norm.momentum = momentum
        norm.running_mean.add_(0.1 * norm.running_var.sqrt() * torch.randn_like(norm.running_mean))
        norm.running_var.mul_(torch.empty_like(norm.running_var).uniform_(0.7, 1.4))
