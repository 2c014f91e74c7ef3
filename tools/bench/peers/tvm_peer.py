# Apache TVM: the ONNX file through Relax and LLVM, for this processor.

import os
from pathlib import Path

import numpy as np

from peers.peer import Base


class Peer(Base):
    TITLE = "TVM"
    PACKAGES = ["apache-tvm", "onnx", "numpy"]
    DISTRIBUTION = "apache-tvm"
    NOTE = "default schedules, LLVM for this processor, not tuned"

    def library(self) -> Path:
        return self.task.folder / "model.so"

    def convert(self) -> None:
        if self.is_current(self.library()):
            return
        import onnx
        import tvm
        from tvm.relax.frontend.onnx import from_onnx

        processor = tvm.get_global_func("target.llvm_get_system_cpu")()
        target = tvm.target.Target({"kind": "llvm", "mcpu": str(processor)})
        module = from_onnx(onnx.load(self.task.onnx), keep_params_in_input=False)
        tvm.compile(module, target=target).export_library(os.fspath(self.library()))

    def prepare(self) -> None:
        os.environ["TVM_NUM_THREADS"] = str(self.task.threads)
        import tvm
        from tvm import relax

        machine = relax.VirtualMachine(tvm.runtime.load_module(os.fspath(self.library())), tvm.cpu())
        self.main = machine["main"]
        self.arguments = [tvm.runtime.tensor(value) for value in self.task.inputs().values()]

    def run(self) -> None:
        self.result = self.main(*self.arguments)

    def output(self) -> np.ndarray:
        return (self.result if hasattr(self.result, "numpy") else self.result[0]).numpy()
