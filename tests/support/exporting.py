"""Makes PyTorch's exporters quicker in a program that exports many modules: what the newer one would find out anew for each
export, for about a second, it finds out once, a rule that rewrites one operator is not tried on others, and little is
searched for garbage."""
import functools
import gc
from collections.abc import Callable

import torch._export.utils
import torch.export.decomp_utils
import torch.export.exported_program
from onnxscript.rewriter import RewriteRule
from torch.onnx._internal.exporter._registration import ONNXRegistry


def try_at_its_operator(try_rewrite: Callable) -> Callable:
    """A rule's try_rewrite() that asks first what it asks of a node first, without all that is set up before it asks."""

    def tried(rule: RewriteRule, model, graph, node, **options):
        if rule._target_pattern.output_nodes[0].op.matches(node.op_type):
            return try_rewrite(rule, model, graph, node, **options)
        return None

    return tried


def export_quickly() -> None:
    """Keeps the translations of an opset, and which of PyTorch's functions are made of others. Exports that add such must not
    be among those."""
    ONNXRegistry.from_torchlib = staticmethod(functools.cache(ONNXRegistry.from_torchlib))
    composites = functools.cache(torch._export.utils._collect_all_valid_cia_ops)
    for module in (torch._export.utils, torch.export.decomp_utils, torch.export.exported_program):
        module._collect_all_valid_cia_ops = composites
    RewriteRule.try_rewrite = try_at_its_operator(RewriteRule.try_rewrite)
    gc.freeze()  # PyTorch itself
    gc.set_threshold(200_000, 20, 20)
