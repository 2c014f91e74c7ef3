# What code built for AVX2 alone has of AVX2's peak, convolution by convolution: a processor with longer vectors runs it
# too, so that one machine shows both.

import platform
from pathlib import Path

import onnx

from contenders import Fovea
from installs import program_of
from measure import Effort
from models import BUILD, Model
from peers.peer import call

MARCH = "x86-64-v3"


def is_here() -> bool:
    return platform.machine() == "x86_64" and "avx2" in Path("/proc/cpuinfo").read_text()


def windows(model: Model) -> dict[str, str]:
    """Of each convolution, by the name of its node, its window: "3x3"."""
    graph = onnx.load(model.file("onnx"), load_external_data=False).graph
    found = {}
    for node in graph.node:
        sizes = [attribute.ints for attribute in node.attribute if attribute.name == "kernel_shape"]
        if node.op_type == "Conv" and sizes:
            found[node.name] = "x".join(map(str, sizes[0]))
    return found


def measure(model: Model, effort: Effort) -> dict:
    """The peak, and of each convolution its window and rate; nothing where there is no AVX2."""
    if not is_here():
        return {}
    peak = float(call([program_of("peak", BUILD / "avx2", MARCH)]))
    fovea, window = Fovea(model, 1, "--profile", march=MARCH), windows(model)
    fovea.set_up()
    layers = fovea.layers(max(3, effort.count(fovea.burst(0, 3))))
    named = [(layer["nodes"].split(" + ")[0], layer) for layer in layers if layer["flops"] is not None]
    return {"peak": peak, "layers": [{**layer, "window": window[name]} for name, layer in named if name in window]}
