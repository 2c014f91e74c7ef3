"""Squeeze and excitation, as tests of what is made of its parts need it."""
import numpy as np
from onnx import helper, numpy_helper


def weight(random, name, *shape):
    return numpy_helper.from_array((random.standard_normal(shape) / 3).astype(np.float32), name)


def squeeze_excitation(random, channels, output):
    """`output` = map * gates(map): the nodes, and their weights."""
    nodes = [helper.make_node("GlobalAveragePool", ["map"], ["squeeze"]),
             helper.make_node("Conv", ["squeeze", "reduce"], ["few"]), helper.make_node("Relu", ["few"], ["some"]),
             helper.make_node("Conv", ["some", "expand"], ["many"]), helper.make_node("Sigmoid", ["many"], ["gates"]),
             helper.make_node("Mul", ["map", "gates"], [output])]
    return nodes, [weight(random, "reduce", 8, channels, 1, 1), weight(random, "expand", channels, 8, 1, 1)]
