# emx-onnx-cgen, a generator of C: its code is built as fovea's is. It has no threads.

import ctypes
import sys
from pathlib import Path

import numpy as np

from peers.peer import Base, build_shared, call


class Peer(Base):
    TITLE = "emx-onnx-cgen"
    PACKAGES = ["emx-onnx-cgen", "numpy"]
    DISTRIBUTION = "emx-onnx-cgen"
    NOTE = "generated C, built with the options that fovea's gets"
    ENTRY = "model"

    def missing(self) -> str:
        return "" if self.task.threads == 1 else "one thread only"

    def generate(self) -> None:
        program = Path(sys.executable).with_name("emx-onnx-cgen")
        call([sys.executable, program, "compile", self.task.onnx, self.task.folder / "model.c"])

    def convert(self) -> None:
        """The generated code, and the shape that its output has."""
        library = self.task.folder / "model.so"
        if self.is_current(library):
            return
        import onnx

        (result,) = onnx.load(self.task.onnx, load_external_data=False).graph.output
        shape = [dimension.dim_value for dimension in result.type.tensor_type.shape.dim]
        np.save(self.task.folder / "shape.npy", np.array(shape))
        self.generate()
        build_shared(self.task.folder / "model.c", library)

    def prepare(self) -> None:
        library = ctypes.CDLL(str(self.task.folder / "model.so"))
        weights = self.task.folder / "model.bin"
        if weights.exists():
            library.model_load.restype = ctypes.c_bool
            if not library.model_load(str(weights).encode()):
                raise RuntimeError("it cannot load its weights")
        self.entry = getattr(library, self.ENTRY)
        self.entry.restype = None
        self.result = np.zeros(np.load(self.task.folder / "shape.npy"), np.float32)
        self.arrays = [*self.task.inputs().values(), self.result]
        self.arguments = [array.ctypes.data_as(ctypes.c_void_p) for array in self.arrays]

    def run(self) -> None:
        self.entry(*self.arguments)

    def output(self) -> np.ndarray:
        return self.result
