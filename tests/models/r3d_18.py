# R3D-18 (Tran et al. 2018) as torchvision defines it, with a quarter of its channels: a residual network whose maps have
# three dimensions, of which the first is time.

from torch import Tensor, nn
from torch.nn import functional as F

from inputs import films

RUN = True
KEEP_BATCH_NORM = True
WIDTH = 16


class Block(nn.Module):
    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv3d(inputs, outputs, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm3d(outputs)
        self.conv2 = nn.Conv3d(outputs, outputs, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm3d(outputs)
        self.downsample = None
        if stride > 1:
            self.downsample = nn.Sequential(
                nn.Conv3d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm3d(outputs)
            )

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        return F.relu(y + (x if self.downsample is None else self.downsample(x)))


class R3D(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv3d(3, WIDTH, (3, 7, 7), (1, 2, 2), (1, 3, 3), bias=False), nn.BatchNorm3d(WIDTH), nn.ReLU()
        )
        widths = [WIDTH, WIDTH, 2 * WIDTH, 4 * WIDTH, 8 * WIDTH]
        self.layers = nn.Sequential(
            *[
                nn.Sequential(Block(before, after, 1 if before == after else 2), Block(after, after, 1))
                for before, after in zip(widths, widths[1:])
            ]
        )
        self.avgpool = nn.AdaptiveAvgPool3d(1)
        self.fc = nn.Linear(widths[-1], 400)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.avgpool(self.layers(self.stem(x))).flatten(1))


def build() -> nn.Module:
    return R3D()


def inputs(count: int) -> dict[str, Tensor]:
    return {"frames": films(count, 8, 64)}
