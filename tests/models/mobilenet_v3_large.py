# MobileNetV3-large (Howard et al. 2019), with torchvision's layers, module names and BatchNorm epsilon:
# depthwise convolutions, hardswish, and squeeze-and-excitation gates of 1x1 convolutions with HardSigmoid.

from functools import partial

from torch import Tensor, nn

from inputs import images

RUN = True
KEEP_BATCH_NORM = True

# kernel, expanded channels, output channels, gate, activation, stride
Row = tuple[int, int, int, bool, str, int]
# table 1 of the paper
BLOCKS: list[Row] = [
    (3, 16, 16, False, "relu", 1),
    (3, 64, 24, False, "relu", 2),
    (3, 72, 24, False, "relu", 1),
    (5, 72, 40, True, "relu", 2),
    (5, 120, 40, True, "relu", 1),
    (5, 120, 40, True, "relu", 1),
    (3, 240, 80, False, "hardswish", 2),
    (3, 200, 80, False, "hardswish", 1),
    (3, 184, 80, False, "hardswish", 1),
    (3, 184, 80, False, "hardswish", 1),
    (3, 480, 112, True, "hardswish", 1),
    (3, 672, 112, True, "hardswish", 1),
    (5, 672, 160, True, "hardswish", 2),
    (5, 960, 160, True, "hardswish", 1),
    (5, 960, 160, True, "hardswish", 1),
]
ACTIVATIONS = {"relu": nn.ReLU, "hardswish": nn.Hardswish}

BatchNorm = partial(nn.BatchNorm2d, eps=0.001, momentum=0.01)


def round_to_eight(channels: float) -> int:
    """The nearest multiple of 8, but never more than a tenth below what was asked for."""
    rounded = max(8, int(channels + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * channels else rounded


def conv_bn(
    inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1, activation: str | None = None
) -> nn.Sequential:
    layers = [
        nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, groups=groups, bias=False),
        BatchNorm(outputs),
    ]
    if activation:
        layers.append(ACTIVATIONS[activation](inplace=True))
    return nn.Sequential(*layers)


class SqueezeExcitation(nn.Module):
    def __init__(self, channels: int, squeezed: int) -> None:
        super().__init__()
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc1 = nn.Conv2d(channels, squeezed, 1)
        self.fc2 = nn.Conv2d(squeezed, channels, 1)
        self.activation = nn.ReLU()
        self.scale_activation = nn.Hardsigmoid()

    def forward(self, x: Tensor) -> Tensor:
        gate = self.activation(self.fc1(self.avgpool(x)))
        return self.scale_activation(self.fc2(gate)) * x


class InvertedResidual(nn.Module):
    def __init__(
        self, inputs: int, kernel: int, expanded: int, outputs: int, gate: bool, activation: str, stride: int
    ) -> None:
        super().__init__()
        self.use_res_connect = stride == 1 and inputs == outputs
        layers: list[nn.Module] = []
        if expanded != inputs:
            layers.append(conv_bn(inputs, expanded, 1, activation=activation))
        layers.append(conv_bn(expanded, expanded, kernel, stride, groups=expanded, activation=activation))
        if gate:
            layers.append(SqueezeExcitation(expanded, round_to_eight(expanded / 4)))
        layers.append(conv_bn(expanded, outputs, 1))
        self.block = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        y = self.block(x)
        return y + x if self.use_res_connect else y


class MobileNetV3(nn.Module):
    """Of the paper's tables: the rows of blocks, and the width of the layer before the last."""

    def __init__(self, blocks: list[Row], width: int) -> None:
        super().__init__()
        layers: list[nn.Module] = [conv_bn(3, 16, 3, stride=2, activation="hardswish")]
        channels = 16
        for kernel, expanded, outputs, gate, activation, stride in blocks:
            layers.append(InvertedResidual(channels, kernel, expanded, outputs, gate, activation, stride))
            channels = outputs
        layers.append(conv_bn(channels, 6 * channels, 1, activation="hardswish"))
        self.features = nn.Sequential(*layers)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Sequential(
            nn.Linear(6 * channels, width),
            nn.Hardswish(inplace=True),
            nn.Dropout(0.2, inplace=True),
            nn.Linear(width, 1000),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.avgpool(self.features(x)).flatten(1))


def build() -> nn.Module:
    return MobileNetV3(BLOCKS, 1280)


def inputs(count: int, side: int = 224) -> dict[str, Tensor]:
    return {"image": images(count, side)}
