# ncnn on the processor in float32, from what pnnx makes of the older exporter's file, which it knows better.

import os
import sysconfig
from pathlib import Path

import numpy as np

from peers.peer import Base, call


class Peer(Base):
    TITLE = "ncnn"
    PACKAGES = ["ncnn", "numpy"]
    PACKAGES_ALONE = ["pnnx"]  # its Python side depends on PyTorch, the converter itself does not
    DISTRIBUTION = "ncnn"
    NOTE = "converted by pnnx; float32 storage and arithmetic, no Vulkan"

    def convert(self) -> None:
        """pnnx writes beside the ONNX file, so it is given a link to it."""
        link = self.task.folder / "model.onnx"
        if self.is_current(self.task.folder / "model.ncnn.param"):
            return
        link.unlink(missing_ok=True)
        link.symlink_to(self.task.older_onnx.resolve())
        program = Path(sysconfig.get_path("purelib")) / "pnnx/pnnx"
        program.chmod(0o755)
        call([program, link.name, "fp16=0"], self.task.folder)

    def prepare(self) -> None:
        import ncnn

        self.net = ncnn.Net()
        options = self.net.opt
        options.num_threads = self.task.threads
        options.use_vulkan_compute = False
        for name in ("use_fp16_packed", "use_fp16_storage", "use_fp16_arithmetic", "use_bf16_storage"):
            setattr(options, name, False)
        for load, kind in ((self.net.load_param, "param"), (self.net.load_model, "bin")):
            if load(os.fspath(self.task.folder / f"model.ncnn.{kind}")) != 0:
                raise RuntimeError("ncnn cannot load the converted network")
        self.inputs = [ncnn.Mat(self.as_ncnn(value)).clone() for value in self.task.inputs().values()]

    @staticmethod
    def as_ncnn(value: np.ndarray) -> np.ndarray:
        """Without the batch, and with 32-bit integers."""
        value = value[0]
        return np.ascontiguousarray(value.astype(np.int32) if value.dtype == np.int64 else value)

    def run(self) -> None:
        extractor = self.net.create_extractor()
        for i, value in enumerate(self.inputs):
            extractor.input(f"in{i}", value)
        status, self.result = extractor.extract("out0")
        if status != 0:
            raise RuntimeError("ncnn cannot run the converted network")

    def output(self) -> np.ndarray:
        return np.array(self.result)[np.newaxis]
