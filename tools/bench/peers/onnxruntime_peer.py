# ONNX Runtime on its CPU provider, all optimisations on, inputs and outputs bound once.

import numpy as np

from peers.peer import OUTPUT, Base


class Peer(Base):
    TITLE = "ONNX Runtime"
    DISTRIBUTION = "onnxruntime"
    NOTE = "all graph optimisations, inputs and outputs bound once"

    def prepare(self) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self.task.threads
        options.inter_op_num_threads = 1
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
        self.session = onnxruntime.InferenceSession(self.task.onnx, options, providers=["CPUExecutionProvider"])
        self.binding = self.session.io_binding()
        for name, value in self.task.inputs().items():
            self.binding.bind_cpu_input(name, value)
        self.binding.bind_output(OUTPUT)

    def run(self) -> None:
        self.session.run_with_iobinding(self.binding)

    def output(self) -> np.ndarray:
        return self.binding.copy_outputs_to_cpu()[0]
