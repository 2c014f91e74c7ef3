"""Makes the Keras networks of this folder: builds each, exports it with tf2onnx, and writes what Keras itself computes.
The references are taken from Keras run eagerly, so that they depend on no exporter; their keys are fovea's probe ids."""
import os

os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
import tf2onnx
from keras import layers, ops

SEED = 8
HERE = Path(__file__).parent
DIGITS = HERE.parent / "digits" / "test_images.npz"
OPSET = 17
SIZE_LIMIT = 200_000  # bytes of an ONNX file


@dataclass
class Network:
    """A model, the maps that it gives beside its outputs (by probe id), and how long it is trained on the digits."""

    model: keras.Model
    maps: dict[str, keras.KerasTensor]
    inputs: dict[str, np.ndarray]
    epochs: int = 0


# --- layers, as people write them ------------------------------------------------------------------------------------


class SqueezeExcite(layers.Layer):
    """Scales the channels of x [N,H,W,C]; returns the gate [N,1,1,C] too."""

    def __init__(self, channels: int, reduction: int, **settings) -> None:
        super().__init__(**settings)
        self.pool = layers.GlobalAveragePooling2D(keepdims=True, name="pool")
        self.reduce = layers.Dense(channels // reduction, activation="relu", name="reduce")
        self.expand = layers.Dense(channels, activation="sigmoid", name="expand")

    def call(self, x):
        gate = self.expand(self.reduce(self.pool(x)))
        return x * gate, gate


class ChannelAttention(layers.Layer):
    def __init__(self, channels: int, reduction: int, **settings) -> None:
        super().__init__(**settings)
        self.reduce = layers.Dense(channels // reduction, activation="relu", name="reduce")
        self.expand = layers.Dense(channels, name="expand")

    def call(self, x):
        mean = self.expand(self.reduce(ops.mean(x, axis=(1, 2))))
        peak = self.expand(self.reduce(ops.max(x, axis=(1, 2))))
        gate = ops.sigmoid(mean + peak)
        return x * gate[:, None, None, :], gate


class SpatialAttention(layers.Layer):
    def __init__(self, kernel: int, **settings) -> None:
        super().__init__(**settings)
        self.conv = layers.Conv2D(1, kernel, padding="same", use_bias=False, activation="sigmoid", name="conv")

    def call(self, x):
        mean, peak = tf.reduce_mean(x, axis=-1, keepdims=True), tf.reduce_max(x, axis=-1, keepdims=True)
        gate = self.conv(ops.concatenate([mean, peak], axis=-1))
        return x * gate, gate


class CBAM(layers.Layer):
    """Channel, then spatial attention (Woo et al. 2018); returns both gates, [N,C] and [N,H,W,1], too."""

    def __init__(self, channels: int, reduction: int = 4, kernel: int = 7, **settings) -> None:
        super().__init__(**settings)
        self.channel = ChannelAttention(channels, reduction, name="channel")
        self.spatial = SpatialAttention(kernel, name="spatial")

    def call(self, x):
        x, channel = self.channel(x)
        x, spatial = self.spatial(x)
        return x, channel, spatial


class TransformerBlock(layers.Layer):
    """Self-attention and an MLP, each behind a norm. With scores, returns the attention's probabilities [N,H,L,L] too:
    Keras then computes them step by step, which it else leaves to one function."""

    def __init__(self, width: int, heads: int, **settings) -> None:
        super().__init__(**settings)
        self.norm1 = layers.LayerNormalization(epsilon=1e-5, name="norm1")
        self.attention = layers.MultiHeadAttention(heads, width // heads, name="attention")
        self.norm2 = layers.LayerNormalization(epsilon=1e-5, name="norm2")
        self.grow = layers.Dense(2 * width, name="grow")
        self.shrink = layers.Dense(width, name="shrink")

    def call(self, x, scores: bool = False):
        y = self.norm1(x)
        y = self.attention(y, y, return_attention_scores=scores)
        y, probs = y if scores else (y, None)
        x = x + y
        # By tanh: of the exact one TensorFlow makes an Erfc, which tf2onnx does not have.
        x = x + self.shrink(ops.gelu(self.grow(self.norm2(x)), approximate=True))
        return (x, probs) if scores else x


class Positions(layers.Layer):
    """Adds a learned table to tokens [N,L,D]."""

    def build(self, shape) -> None:
        self.table = self.add_weight(shape=shape[1:], initializer=keras.initializers.RandomNormal(stddev=0.2), name="table")

    def call(self, x):
        return x + self.table


# --- networks --------------------------------------------------------------------------------------------------------


def image_model(name: str, image: keras.KerasTensor, x: keras.KerasTensor, maps: dict[str, keras.KerasTensor], epochs: int = 0) -> Network:
    maps["cam_0.map"] = x  # to be weighed, see as_probe()
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    digit = np.load(DIGITS)["images"][21:22].transpose(0, 2, 3, 1)
    return Network(keras.Model([image], layers.Dense(10, name="logits")(x), name=name), maps, {"image": digit}, epochs)


def convolution(x, channels: int, stride: int, name: str):
    x = layers.Conv2D(channels, 3, stride, padding="same", use_bias=False, name=f"{name}_conv")(x)
    x = layers.BatchNormalization(name=f"{name}_bn")(x)
    return layers.ReLU(name=f"{name}_relu")(x)


def cnn() -> Network:
    """Layers of one's own: squeeze-and-excitation, and a residual block with CBAM."""
    image = keras.Input((8, 8, 1), name="image")
    x = convolution(image, 16, 1, "stem")
    x, gate = SqueezeExcite(16, 4, name="se")(x)
    x = convolution(x, 24, 2, "down")
    y = convolution(x, 24, 1, "body")
    y, channel, spatial = CBAM(24, name="cbam")(y)
    x = layers.ReLU(name="sum_relu")(layers.Add(name="sum")([x, y]))
    maps = {"se.gate": gate, "cbam.channel": channel, "cbam.spatial": spatial}
    return image_model("cnn", image, x, maps, epochs=40)


def functional() -> Network:
    """The same blocks without layers of their own, in the spellings that are around."""
    image = keras.Input((8, 8, 1), name="image")
    maps = {}

    x = convolution(image, 12, 1, "stem")
    gate = layers.GlobalAveragePooling2D(name="se_dense_squeeze")(x)
    gate = layers.Dense(3, activation="relu", name="se_dense_reduce")(gate)
    maps["se_dense.gate"] = gate = layers.Dense(12, activation="sigmoid", name="se_dense_expand")(gate)
    gate = layers.Reshape((1, 1, 12), name="se_dense_reshape")(gate)
    x = layers.Multiply(name="se_dense_excite")([x, gate])

    x = convolution(x, 12, 1, "second")
    gate = layers.GlobalAveragePooling2D(keepdims=True, name="se_keep_squeeze")(x)
    gate = layers.Dense(3, activation="swish", name="se_keep_reduce")(gate)
    maps["se_keep.gate"] = gate = layers.Dense(12, activation="hard_sigmoid", name="se_keep_expand")(gate)
    x = layers.Multiply(name="se_keep_excite")([gate, x])

    x = convolution(x, 16, 2, "third")
    gate = layers.GlobalAveragePooling2D(name="se_conv_squeeze")(x)
    gate = layers.Reshape((1, 1, 16), name="se_conv_reshape")(gate)
    gate = layers.Conv2D(4, 1, activation="swish", name="se_conv_reduce")(gate)
    maps["se_conv.gate"] = gate = layers.Conv2D(16, 1, activation="sigmoid", name="se_conv_expand")(gate)
    x = layers.Multiply(name="se_conv_excite")([x, gate])

    x = convolution(x, 16, 1, "fourth")
    reduce = layers.Dense(4, activation="relu", name="cbam_reduce")
    expand = layers.Dense(16, name="cbam_expand")
    mean = expand(reduce(layers.GlobalAveragePooling2D(keepdims=True, name="cbam_mean")(x)))
    peak = expand(reduce(layers.GlobalMaxPooling2D(keepdims=True, name="cbam_max")(x)))
    gate = layers.Add(name="cbam_sum")([mean, peak])
    maps["cbam.channel"] = gate = layers.Activation("sigmoid", name="cbam_gate")(gate)
    x = layers.Multiply(name="cbam_refine")([x, gate])
    mean = ops.mean(x, axis=3, keepdims=True)
    peak = ops.max(x, axis=3, keepdims=True)
    gate = layers.Concatenate(axis=3, name="cbam_concat")([mean, peak])
    maps["cbam.spatial"] = gate = layers.Conv2D(1, 7, padding="same", activation="sigmoid", name="cbam_conv")(gate)
    x = layers.Multiply(name="cbam_out")([x, gate])
    return image_model("functional", image, x, maps)


def transformer() -> Network:
    """A small vision transformer on Keras' MultiHeadAttention."""
    image = keras.Input((8, 8, 1), name="image")
    x = layers.Conv2D(24, 2, 2, name="patches")(image)
    x = Positions(name="positions")(layers.Reshape((16, 24), name="tokens")(x))
    maps = {}
    for i in range(2):
        block = TransformerBlock(24, 3, name=f"block{i}")
        maps[f"block{i}.attention.probs"] = block(x, scores=True)[1]
        x = block(x)
    x = layers.GlobalAveragePooling1D(name="pool")(layers.LayerNormalization(epsilon=1e-5, name="norm")(x))
    model = keras.Model([image], layers.Dense(10, name="logits")(x), name="transformer")
    digit = np.load(DIGITS)["images"][21:22].transpose(0, 2, 3, 1)
    return Network(model, maps, {"image": digit}, epochs=60)


def masked() -> Network:
    """MultiHeadAttention with a mask that is an input, with a causal one, and over another sequence; with its scores
    asked for, and without: Keras then takes other ways."""
    text = keras.Input((7, 16), name="text")
    mask = keras.Input((7, 7), name="mask", dtype="bool")
    memory = keras.Input((5, 12), name="memory")
    maps = {}

    def attend(name: str, x, other, scores: bool, **options):
        attention = layers.MultiHeadAttention(2, 6, value_dim=5, name=name)
        y, maps[f"{name}.probs"] = attention(x, other, return_attention_scores=True, **options)
        return x + (y if scores else attention(x, other, **options))

    x = attend("given", text, text, scores=True, attention_mask=mask)
    x = attend("causal", x, x, scores=True, use_causal_mask=True)
    x = attend("cross", x, memory, scores=True)
    x = attend("given_at_once", x, x, scores=False, attention_mask=mask)
    x = attend("causal_at_once", x, x, scores=False, use_causal_mask=True)
    x = attend("cross_at_once", x, memory, scores=False)
    rng = np.random.default_rng(SEED)
    inputs = {
        "text": rng.standard_normal((1, 7, 16)).astype(np.float32),
        "mask": (rng.random((1, 7, 7)) < 0.6) | np.eye(7, dtype=bool),
        "memory": rng.standard_normal((1, 5, 12)).astype(np.float32),
    }
    return Network(keras.Model([text, mask, memory], x, name="masked"), maps, inputs)


NETWORKS: dict[str, Callable[[], Network]] = {n.__name__: n for n in (cnn, functional, transformer, masked)}


# --- what is written -------------------------------------------------------------------------------------------------


def train(network: Network) -> None:
    """Trains on the digits that examples/digits holds out, long enough for maps that mean something."""
    digits = np.load(DIGITS)
    model = network.model
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(3e-3), loss, metrics=["accuracy"])
    images, labels = digits["images"].transpose(0, 2, 3, 1), digits["labels"]
    history = model.fit(images, labels, batch_size=32, epochs=network.epochs, verbose=0)
    print(f"{model.name}: {history.history['accuracy'][-1]:.0%} of what it was trained on is right")


def disturb(model: keras.Model) -> None:
    """Biases and statistics other than the zeros and ones of a new network, which would hide mistakes."""
    rng = np.random.default_rng(SEED)
    for weight in model.weights:
        if len(weight.shape) == 1:
            noise = rng.uniform(-0.4, 0.4, weight.shape)
            weight.assign(weight + noise.astype(np.float32))


def as_probe(array: np.ndarray, probe: str, model: keras.Model, logits: np.ndarray) -> np.ndarray:
    """A map as fovea gives it: gates [N,C] and [N,1,H,W], where Keras has channels last; the class activation map [N,H,W]
    is the last map, weighed as the winning class does."""
    kind = probe.rsplit(".", 1)[1]
    if kind == "map":
        return array @ model.get_layer("logits").get_weights()[0][:, logits[0].argmax()]
    if kind in ("gate", "channel"):
        return array.reshape(array.shape[0], array.shape[-1])
    return array.transpose(0, 3, 1, 2) if kind == "spatial" else array


def export(network: Network, path: Path) -> tuple[list[str], list[str]]:
    """Writes the model as ONNX with a batch of 1; returns the names of its inputs and outputs there."""
    signature = [tf.TensorSpec(array.shape, array.dtype, name=key) for key, array in network.inputs.items()]

    @tf.function(input_signature=signature)
    def call(*arrays):
        return network.model(list(arrays), training=False)

    proto, _ = tf2onnx.convert.from_function(call, input_signature=signature, opset=OPSET, output_path=str(path))
    return [i.name for i in proto.graph.input], [o.name for o in proto.graph.output]


def make(name: str, folder: Path) -> None:
    keras.utils.set_random_seed(SEED)
    network = NETWORKS[name]()
    if network.epochs > 0:
        train(network)
    else:
        disturb(network.model)
    path = folder / f"{name}.onnx"
    input_names, output_names = export(network, path)
    seen = keras.Model(network.model.inputs, [network.model.output, *network.maps.values()])
    arrays = list(network.inputs.values())
    output, *maps = (tensor.numpy() for tensor in seen(arrays, training=False))
    np.savez(folder / f"{name}_inputs.npz", **dict(zip(input_names, arrays)))
    np.savez(folder / f"{name}_outputs.npz", **{output_names[0]: output})
    tables = {f"{layer.name}.table": layer.get_weights()[0] for layer in network.model.layers if isinstance(layer, Positions)}
    probes = {key: as_probe(array, key, network.model, output) for key, array in zip(network.maps, maps)}
    np.savez(folder / f"{name}_probes.npz", **tables, **probes)
    size = path.stat().st_size
    print(f"{name}: {size:,} bytes; {', '.join(network.maps)}")
    assert size < SIZE_LIMIT, f"{name}: {size} bytes, the limit is {SIZE_LIMIT}"


def main() -> None:
    parser = argparse.ArgumentParser(description="Make the Keras networks and write them with their references.")
    parser.add_argument("networks", nargs="*", metavar="NAME", help=f"{', '.join(NETWORKS)}; all when none is given")
    parser.add_argument("-o", "--output", type=Path, default=HERE, metavar="DIR", help="default: this script's folder")
    arguments = parser.parse_args()
    if unknown := set(arguments.networks) - set(NETWORKS):
        parser.error(f"no such network: {', '.join(sorted(unknown))}")
    arguments.output.mkdir(parents=True, exist_ok=True)
    for name in arguments.networks or NETWORKS:
        make(name, arguments.output)


if __name__ == "__main__":
    main()
