"""Makes PyTorch's exporters quicker in a program that exports many modules: what the newer one would find out anew for each
export, for about a second, it finds out once, and little is searched for garbage."""
import functools
import gc

import torch._export.utils
import torch.export.decomp_utils
import torch.export.exported_program
from torch.onnx._internal.exporter._registration import ONNXRegistry


def export_quickly() -> None:
    """Keeps the translations of an opset, and which of PyTorch's functions are made of others. Exports that add such must not
    be among those."""
    ONNXRegistry.from_torchlib = staticmethod(functools.cache(ONNXRegistry.from_torchlib))
    composites = functools.cache(torch._export.utils._collect_all_valid_cia_ops)
    for module in (torch._export.utils, torch.export.decomp_utils, torch.export.exported_program):
        module._collect_all_valid_cia_ops = composites
    gc.freeze()  # PyTorch itself
    gc.set_threshold(200_000, 20, 20)
