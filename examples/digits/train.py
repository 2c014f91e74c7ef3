# Trains the three digit networks (senet, cbam, vit) on scikit-learn's handwritten digits and writes, beside this
# file, what the demo and the tests read: each network as ONNX, PyTorch's outputs and attention maps, the test images.

import argparse
import logging
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import Tensor, nn
from torch.nn import functional as F

SEED = 8
HERE = Path(__file__).parent
PROBED_DIGIT = 21  # index into the test images: the one digit whose attention maps are kept
SIZE_LIMIT = 400_000  # bytes of an ONNX file
TOLERANCE = 1e-5  # PyTorch against ONNX Runtime, absolute, on logits


# --- senet: two convolutions and one squeeze-and-excitation gate -----------------------------------------------------


class ChannelGate(nn.Module):
    """Scales every channel of x [N,C,H,W] by a gate in (0,1) computed from the channel means."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.squeeze = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(channels, channels)
        self.sigmoid = nn.Sigmoid()

    def forward(self, x: Tensor) -> Tensor:
        gate = self.sigmoid(self.fc(self.squeeze(x).flatten(1)))
        return x * gate[:, :, None, None]


class SENet(nn.Module):
    """The convolutions do not pad (8x8, 6x6, 4x4), so that the means are taken over real pixels only."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 64, 3)
        self.conv2 = nn.Conv2d(64, 128, 3)
        self.se = ChannelGate(128)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.head = nn.Linear(128, 10)

    def forward(self, image: Tensor) -> Tensor:
        x = F.relu(self.conv1(image))
        x = F.relu(self.conv2(x))
        x = self.se(x)
        return self.head(self.pool(x).flatten(1))


# --- cbam: residual blocks, each with channel and then spatial attention (Woo et al. 2018) ---------------------------


class ChannelAttention(nn.Module):
    """Channel gate from one MLP, applied to the mean and to the maximum over the map."""

    def __init__(self, channels: int, reduction: int) -> None:
        super().__init__()
        self.mlp = nn.Sequential(
            nn.Conv2d(channels, channels // reduction, 1, bias=False),
            nn.ReLU(),
            nn.Conv2d(channels // reduction, channels, 1, bias=False),
        )
        self.sigmoid = nn.Sigmoid()

    def forward(self, x: Tensor) -> Tensor:
        mean = x.mean(dim=(2, 3), keepdim=True)
        peak = x.amax(dim=(2, 3), keepdim=True)
        return x * self.sigmoid(self.mlp(mean) + self.mlp(peak))


class SpatialAttention(nn.Module):
    """Gate per position, from the mean and the maximum over the channels."""

    def __init__(self, kernel: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2, 1, kernel, padding=kernel // 2, bias=False)
        self.sigmoid = nn.Sigmoid()

    def forward(self, x: Tensor) -> Tensor:
        mean = x.mean(dim=1, keepdim=True)
        peak = x.amax(dim=1, keepdim=True)
        return x * self.sigmoid(self.conv(torch.cat([mean, peak], dim=1)))


class CBAM(nn.Module):
    def __init__(self, channels: int, reduction: int = 4, kernel: int = 7) -> None:
        super().__init__()
        self.channel = ChannelAttention(channels, reduction)
        self.spatial = SpatialAttention(kernel)

    def forward(self, x: Tensor) -> Tensor:
        return self.spatial(self.channel(x))


class ResidualBlock(nn.Module):
    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.cbam = CBAM(outputs)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or inputs != outputs:
            self.shortcut = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs)
            )

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.bn1(self.conv1(x)))
        y = self.cbam(self.bn2(self.conv2(y)))
        return F.relu(y + self.shortcut(x))


class CBAMNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(1, 20, 3, padding=1, bias=False), nn.BatchNorm2d(20), nn.ReLU()
        )
        self.blocks = nn.Sequential(
            ResidualBlock(20, 20, stride=1),
            ResidualBlock(20, 40, stride=2),
            ResidualBlock(40, 40, stride=1),
        )
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.head = nn.Linear(40, 10)

    def forward(self, image: Tensor) -> Tensor:
        x = self.blocks(self.stem(image))
        return self.head(self.pool(x).flatten(1))


# --- vit: sixteen 2x2 patches and a class token, learned positions (Dosovitskiy et al. 2020) -------------------------


class SelfAttention(nn.Module):
    """Multi-head self-attention over x [N,L,D], spelt out so that the probabilities [N,H,L,L] are a tensor."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.scale = (width // heads) ** -0.5
        self.qkv = nn.Linear(width, 3 * width)
        self.softmax = nn.Softmax(dim=-1)
        self.proj = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        n, length, width = x.shape
        qkv = self.qkv(x).reshape(n, length, 3, self.heads, width // self.heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4).unbind(0)
        probs = self.softmax(q @ k.transpose(-2, -1) * self.scale)
        return self.proj((probs @ v).transpose(1, 2).reshape(n, length, width))


class TransformerBlock(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width)
        self.attn = SelfAttention(width, heads)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attn(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class ViT(nn.Module):
    def __init__(self, width: int = 48, depth: int = 3, heads: int = 4, patch: int = 2) -> None:
        super().__init__()
        tokens = (8 // patch) ** 2
        self.patches = nn.Conv2d(1, width, patch, stride=patch)
        self.cls = nn.Parameter(torch.zeros(1, 1, width))
        self.positions = nn.Parameter(0.02 * torch.randn(1, 1 + tokens, width))
        self.blocks = nn.Sequential(*(TransformerBlock(width, heads) for _ in range(depth)))
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, 10)

    def forward(self, image: Tensor) -> Tensor:
        x = self.patches(image).flatten(2).transpose(1, 2)
        x = torch.cat([self.cls.expand(x.shape[0], -1, -1), x], dim=1) + self.positions
        return self.head(self.norm(self.blocks(x))[:, 0])


# --- data and training -----------------------------------------------------------------------------------------------


def load_images() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Training images [1437,1,8,8] in [0,1] and labels, then the held-out fifth, [360,1,8,8], the same way."""
    digits = load_digits()
    images = (digits.images / 16).astype(np.float32)[:, None]
    split = train_test_split(
        images, digits.target.astype(np.int64), test_size=360, stratify=digits.target, random_state=SEED
    )
    train_images, test_images, train_labels, test_labels = map(torch.from_numpy, split)
    return train_images, train_labels, test_images, test_labels


def shift_randomly(images: Tensor) -> Tensor:
    """Moves each image by up to one pixel each way: from 1437 images the networks otherwise learn places by heart."""
    padded = F.pad(images, (1, 1, 1, 1))
    windows = padded.unfold(2, 8, 1).unfold(3, 8, 1)  # [N,1,3,3,8,8]
    dy, dx = torch.randint(0, 3, (2, len(images)))
    return windows[torch.arange(len(images)), :, dy, dx]


def train(model: nn.Module, images: Tensor, labels: Tensor, epochs: int, peak_rate: float) -> None:
    """Trains for a fixed number of epochs. The held-out images take no part, not even in choosing when to stop."""
    batch = 64
    steps = epochs * (len(images) // batch)
    optimiser = torch.optim.AdamW(model.parameters(), lr=peak_rate, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, peak_rate, total_steps=steps)
    model.train()
    for _ in range(epochs):
        order = torch.randperm(len(images))
        for index in order[: len(order) // batch * batch].split(batch):
            loss = F.cross_entropy(model(shift_randomly(images[index])), labels[index], label_smoothing=0.1)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
    model.eval()


# --- what is written -------------------------------------------------------------------------------------------------


def export(model: nn.Module, image: Tensor, path: Path, dynamo: bool) -> None:
    """Writes the model as ONNX: batch 1, static shapes, weights inside, the exporter's own node and tensor names."""
    names = dict(input_names=["image"], output_names=["logits"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporters warn that they are old, or of each other
        if not dynamo:
            torch.onnx.export(model, (image,), path, dynamo=False, opset_version=17, **names)
            return
        proto = torch.onnx.export(model, (image,), dynamo=True, verbose=False, **names).model_proto
    for node in proto.graph.node:
        # The traces name source files by absolute path; without them the file is the same wherever it is made.
        kept = [entry for entry in node.metadata_props if entry.key != "pkg.torch.onnx.stack_trace"]
        del node.metadata_props[:]
        node.metadata_props.extend(kept)
    onnx.save(proto, path)


def attention_maps(model: nn.Module, image: Tensor) -> dict[str, np.ndarray]:
    """The maps for one image, seen by forward hooks in eager PyTorch, under fovea's probe ids; and the positions."""
    maps: dict[str, np.ndarray] = {}
    last: list[Tensor] = []

    def keep(probe: str, rank: int) -> Callable:
        def hook(module: nn.Module, inputs: tuple, output: Tensor) -> None:
            maps[probe] = output.reshape(output.shape[:rank]).numpy()  # [N,C,1,1] is kept as [N,C]

        return hook

    hooks = []
    if isinstance(model, ViT):
        maps["position_0.table"] = model.positions.detach().numpy()
    for name, module in model.named_modules():
        if isinstance(module, ChannelGate):
            hooks.append(module.sigmoid.register_forward_hook(keep(f"{name}.gate", rank=2)))
        elif isinstance(module, CBAM):
            hooks.append(module.channel.sigmoid.register_forward_hook(keep(f"{name}.channel", rank=2)))
            hooks.append(module.spatial.sigmoid.register_forward_hook(keep(f"{name}.spatial", rank=4)))
        elif isinstance(module, SelfAttention):
            hooks.append(module.softmax.register_forward_hook(keep(f"{name}.probs", rank=4)))
    if isinstance(getattr(model, "pool", None), nn.AdaptiveAvgPool2d):
        hooks.append(model.pool.register_forward_pre_hook(lambda pool, inputs: last.append(inputs[0])))
    with torch.no_grad():
        logits = model(image)
        for x in last:  # the class activation map: what each place adds to the winning class
            maps["cam_0.map"] = torch.einsum("nchw,nc->nhw", x, model.head.weight[logits.argmax(1)]).numpy()
    for hook in hooks:
        hook.remove()
    return maps


def onnxruntime_logits(path: Path, images: Tensor) -> np.ndarray:
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return np.concatenate([session.run(["logits"], {"image": image[None].numpy()})[0] for image in images])


def make(
    name: str, model: nn.Module, epochs: int, peak_rate: float, dynamo: bool, wanted: float, folder: Path
) -> None:
    """Trains one network, writes its files, and stops with an error where it falls short of what is promised."""
    train_images, train_labels, test_images, test_labels = load_images()
    train(model, train_images, train_labels, epochs, peak_rate)

    with torch.no_grad():
        # One image at a time, as the exported network runs.
        logits = torch.cat([model(image[None]) for image in test_images])
    right = int((logits.argmax(1) == test_labels).sum())
    accuracy = right / len(test_labels)

    image = test_images[PROBED_DIGIT : PROBED_DIGIT + 1]
    path = folder / f"{name}.onnx"
    export(model, image, path, dynamo)
    onnx.checker.check_model(onnx.load(path), full_check=True)
    difference = float(np.abs(onnxruntime_logits(path, test_images) - logits.numpy()).max())
    maps = attention_maps(model, image)

    np.savez(folder / f"{name}_inputs.npz", image=image.numpy())
    np.savez(folder / f"{name}_outputs.npz", logits=logits[PROBED_DIGIT : PROBED_DIGIT + 1].numpy())
    np.savez(folder / f"{name}_probes.npz", **maps)
    np.savez(folder / f"{name}_test_logits.npz", logits=logits.numpy())

    size = path.stat().st_size
    exporter = "dynamo" if dynamo else "TorchScript"
    print(
        f"{name:6} {right}/{len(test_labels)} right ({100 * accuracy:.2f} %)   {size:,} bytes   "
        f"{exporter} exporter   ONNX Runtime differs by {difference:.1e}"
    )
    for probe, values in maps.items():
        print(f"       {probe} {list(values.shape)}")
    assert accuracy >= wanted, f"{name}: accuracy {accuracy:.4f}, wanted {wanted}"
    assert size < SIZE_LIMIT, f"{name}: {size} bytes, the limit is {SIZE_LIMIT}"
    assert difference < TOLERANCE, f"{name}: ONNX Runtime differs from PyTorch by {difference}"


NETWORKS: dict[str, dict] = {
    "senet": dict(build=SENet, epochs=150, peak_rate=5e-3, dynamo=False, wanted=0.97),
    "cbam": dict(build=CBAMNet, epochs=40, peak_rate=3e-3, dynamo=True, wanted=0.97),
    "vit": dict(build=ViT, epochs=100, peak_rate=2e-3, dynamo=False, wanted=0.95),
}


def main() -> None:
    parser = argparse.ArgumentParser(description="Train the digit networks and write them with their references.")
    parser.add_argument("networks", nargs="*", metavar="NAME", help="senet, cbam, vit; all three when none is given")
    parser.add_argument("-o", "--output", type=Path, default=HERE, metavar="DIR", help="default: this script's folder")
    arguments = parser.parse_args()
    if unknown := set(arguments.networks) - set(NETWORKS):
        parser.error(f"no such network: {', '.join(sorted(unknown))}")
    arguments.output.mkdir(parents=True, exist_ok=True)

    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    torch.set_num_threads(2)  # sums are split by thread, so the count is part of the result
    torch.use_deterministic_algorithms(True)
    _, _, test_images, test_labels = load_images()
    np.savez(arguments.output / "test_images.npz", images=test_images.numpy(), labels=test_labels.numpy())
    firsts = [int((test_labels == digit).nonzero()[0]) for digit in range(10)]
    np.savez(arguments.output / "samples.npz", image=test_images[[PROBED_DIGIT, *firsts]].numpy())
    for name in arguments.networks or NETWORKS:
        settings = dict(NETWORKS[name])
        torch.manual_seed(SEED)  # each network starts from the seed, so that each can be made alone
        make(name, settings.pop("build")(), folder=arguments.output, **settings)


if __name__ == "__main__":
    main()
