# OpenVINO's CPU plugin in float32, inputs handed over without a copy.

import numpy as np

from peers.peer import OUTPUT, Base


class Peer(Base):
    TITLE = "OpenVINO"
    PACKAGES = ["openvino"]
    DISTRIBUTION = "openvino"
    NOTE = "float32 as precision hint, latency as performance hint, inputs shared"

    def prepare(self) -> None:
        import openvino

        options = {
            "INFERENCE_PRECISION_HINT": "f32",
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_NUM_THREADS": self.task.threads,
        }
        self.request = openvino.Core().compile_model(self.task.onnx, "CPU", options).create_infer_request()
        self.arrays = self.task.inputs()
        for name, value in self.arrays.items():
            self.request.set_tensor(name, openvino.Tensor(value, shared_memory=True))

    def run(self) -> None:
        self.request.infer()

    def output(self) -> np.ndarray:
        return self.request.get_tensor(OUTPUT).data.copy()
