# SE-ResNet-50 (Hu et al. 2018): ResNet-50 with a squeeze-and-excitation gate, reduction 16, in every bottleneck.
# The gate is made of Linear layers, the form of the reference PyTorch code; MobileNetV3 has the form with 1x1 Conv.

from torch import Tensor, nn
from torch.nn import functional as F

from inputs import images
from resnet import ResNet, shortcut

RUN = True
KEEP_BATCH_NORM = False
EXPANSION = 4


class SqueezeExcitation(nn.Module):
    def __init__(self, channels: int, reduction: int = 16) -> None:
        super().__init__()
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Sequential(
            nn.Linear(channels, channels // reduction),
            nn.ReLU(inplace=True),
            nn.Linear(channels // reduction, channels),
            nn.Sigmoid(),
        )

    def forward(self, x: Tensor) -> Tensor:
        n, c = x.shape[:2]
        gate = self.fc(self.pool(x).view(n, c)).view(n, c, 1, 1)
        return x * gate


class Bottleneck(nn.Module):
    def __init__(self, inputs: int, width: int, stride: int) -> None:
        super().__init__()
        outputs = width * EXPANSION
        self.conv1 = nn.Conv2d(inputs, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, outputs, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(outputs)
        self.se = SqueezeExcitation(outputs)
        self.downsample = shortcut(inputs, outputs, stride)

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.bn1(self.conv1(x)))
        y = F.relu(self.bn2(self.conv2(y)))
        y = self.se(self.bn3(self.conv3(y)))
        return F.relu(y + (x if self.downsample is None else self.downsample(x)))


def stage(inputs: int, width: int, blocks: int, stride: int) -> nn.Sequential:
    first = Bottleneck(inputs, width, stride)
    return nn.Sequential(first, *(Bottleneck(width * EXPANSION, width, 1) for _ in range(blocks - 1)))


def build() -> nn.Module:
    layers = [
        stage(64, 64, blocks=3, stride=1),
        stage(256, 128, blocks=4, stride=2),
        stage(512, 256, blocks=6, stride=2),
        stage(1024, 512, blocks=3, stride=2),
    ]
    return ResNet(layers, features=2048)


def inputs(count: int, side: int = 224) -> dict[str, Tensor]:
    return {"image": images(count, side)}
