"""Makes PyTorch's newer exporter quicker where it exports many modules: it would make the table of its operators' translations
anew for each, which takes nearly a second."""
import functools

from torch.onnx._internal.exporter._registration import ONNXRegistry


def keep_tables() -> None:
    """The table for an opset is made once. Exports that add translations of their own must not be among those."""
    ONNXRegistry.from_torchlib = staticmethod(functools.cache(ONNXRegistry.from_torchlib))
