"""CBAM in the spellings of PyTorch code, both halves and either alone, and BAM, which joins the halves before the gate.
Near misses among them: two MLPs that are not one, a spatial gate of the mean alone."""
import torch
from between import between, one
from harness import Block, Built, case, keep, main
from torch import Tensor, nn
from torch.nn import functional as F


class ChannelAttention(nn.Module):
    """One MLP of convolutions for the mean and for the maximum."""

    def __init__(self, channels: int = 16):
        super().__init__()
        self.avg_pool, self.max_pool = nn.AdaptiveAvgPool2d(1), nn.AdaptiveMaxPool2d(1)
        self.fc = nn.Sequential(nn.Conv2d(channels, channels // 4, 1, bias=False), nn.ReLU(),
                                nn.Conv2d(channels // 4, channels, 1, bias=False))
        self.sigmoid = nn.Sigmoid()

    def forward(self, x: Tensor) -> Tensor:
        gate = self.sigmoid(self.fc(self.avg_pool(x)) + self.fc(self.max_pool(x)))
        keep(self, channel=gate.flatten(1))
        return gate


class SpatialAttention(nn.Module):
    def __init__(self, kernel: int = 7):
        super().__init__()
        self.conv1 = nn.Conv2d(2, 1, kernel, padding=kernel // 2, bias=False)
        self.sigmoid = nn.Sigmoid()

    def join(self, x: Tensor) -> Tensor:
        return torch.cat([torch.mean(x, dim=1, keepdim=True), torch.max(x, dim=1, keepdim=True)[0]], dim=1)

    def forward(self, x: Tensor) -> Tensor:
        gate = self.sigmoid(self.conv1(self.join(x)))
        keep(self, spatial=gate)
        return gate


class CBAM(nn.Module):
    def __init__(self, ca: nn.Module, sa: nn.Module):
        super().__init__()
        self.ca, self.sa = ca, sa

    def forward(self, x: Tensor) -> Tensor:
        x = self.ca(x) * x
        return self.sa(x) * x


def both(net: nn.Module) -> Built:
    return between(net, lambda: [Block("cbam", {"channel": net.ca.channel, "spatial": net.sa.spatial}, "block")])


@case()
def cbam_convolutions() -> Built:
    return both(CBAM(ChannelAttention(), SpatialAttention()))


@case()
def cbam_dense_and_batch_norm() -> Built:
    """As its authors wrote it: pools of the whole map, Linear layers, the maximum first, a norm behind the convolution."""

    class Channel(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.mlp = nn.Sequential(nn.Flatten(), nn.Linear(16, 2), nn.ReLU(), nn.Linear(2, 16))

        def forward(self, x: Tensor) -> Tensor:
            size = (x.size(2), x.size(3))
            total = None
            for pool in (F.avg_pool2d, F.max_pool2d):
                raw = self.mlp(pool(x, size, stride=size))
                total = raw if total is None else total + raw
            scale = torch.sigmoid(total).unsqueeze(2).unsqueeze(3).expand_as(x)
            keep(self, channel=torch.sigmoid(total))
            return x * scale

    class Spatial(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.bn = nn.Conv2d(2, 1, 7, padding=3, bias=False), nn.BatchNorm2d(1)

        def forward(self, x: Tensor) -> Tensor:
            both = torch.cat((torch.max(x, 1)[0].unsqueeze(1), torch.mean(x, 1).unsqueeze(1)), dim=1)
            scale = torch.sigmoid(self.bn(self.conv(both)))
            keep(self, spatial=scale)
            return x * scale

    class Original(CBAM):
        def forward(self, x: Tensor) -> Tensor:
            return self.sa(self.ca(x))

    return both(Original(Channel(), Spatial()))


@case()
def cbam_amax_in_residual() -> Built:
    """Functional means and maxima, a residual around, hard gates."""

    class Channel(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc1, self.fc2 = nn.Conv2d(16, 4, 1), nn.Conv2d(4, 16, 1)

        def forward(self, x: Tensor) -> Tensor:
            mean = self.fc2(F.silu(self.fc1(x.mean((2, 3), keepdim=True))))
            maximum = self.fc2(F.silu(self.fc1(x.amax((2, 3), keepdim=True))))
            gate = F.hardsigmoid(mean + maximum)
            keep(self, channel=gate.flatten(1))
            return gate

    class Amax(SpatialAttention):
        def join(self, x: Tensor) -> Tensor:
            return torch.cat([x.mean(dim=1, keepdim=True), x.amax(dim=1, keepdim=True)], dim=1)

    class Residual(CBAM):
        def forward(self, x: Tensor) -> Tensor:
            return F.relu(x + super().forward(x))

    return both(Residual(Channel(), Amax(3)))


@case()
def cbam_dense_chained() -> Built:
    """Chained means and maxima, in the MLP's input and over the channels."""

    class Channel(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.mlp = nn.Sequential(nn.Linear(16, 4), nn.ReLU(), nn.Linear(4, 16))

        def forward(self, x: Tensor) -> Tensor:
            maximum = torch.max(torch.max(x, dim=3)[0], dim=2)[0]
            gate = torch.sigmoid(self.mlp(maximum) + self.mlp(x.flatten(2).mean(2)))
            keep(self, channel=gate)
            return gate.view(-1, 16, 1, 1)

    return both(CBAM(Channel(), SpatialAttention()))


@case()
def cbam_channel_half() -> Built:
    class Half(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.ca = ChannelAttention()

        def forward(self, x: Tensor) -> Tensor:
            return x * self.ca(x)

    half = Half()
    return between(half, lambda: [Block("cbam", {"channel": half.ca.channel}, "block")])


@case()
def cbam_spatial_half() -> Built:
    class Half(SpatialAttention):
        def forward(self, x: Tensor) -> Tensor:
            return x * super().forward(x)

    return one("cbam", Half(), "spatial")


@case()
def cbam_with_one_layer() -> Built:
    """As YOLO code has it: the channel half is ese, the spatial half follows."""

    class Channel(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.pool, self.fc, self.act = nn.AdaptiveAvgPool2d(1), nn.Conv2d(16, 16, 1), nn.Sigmoid()

        def forward(self, x: Tensor) -> Tensor:
            gate = self.act(self.fc(self.pool(x)))
            keep(self, gate=gate.flatten(1))
            return x * gate

    class Spatial(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.cv1, self.act = nn.Conv2d(2, 1, 7, padding=3, bias=False), nn.Sigmoid()

        def forward(self, x: Tensor) -> Tensor:
            gate = self.act(self.cv1(torch.cat([torch.mean(x, 1, keepdim=True), torch.max(x, 1, keepdim=True)[0]], 1)))
            keep(self, spatial=gate)
            return x * gate

    net = nn.Sequential(Channel(), Spatial())
    return between(net, lambda: [Block("ese", {"gate": net[0].gate}, "block.0"),
                                 Block("cbam", {"spatial": net[1].spatial}, "block.1")])


@case()
def cbam_twice() -> Built:
    nets = nn.Sequential(*(CBAM(ChannelAttention(), SpatialAttention()) for _ in range(2)))
    return between(nets, lambda: [Block("cbam", {"channel": net.ca.channel, "spatial": net.sa.spatial}, f"block.{i}")
                                  for i, net in enumerate(nets)])


class BAM(nn.Module):
    """Park et al. 2018: x (1 + sigmoid(c s)), as its authors wrote it."""

    def __init__(self, channels: int = 16, reduction: int = 4, joined: str = "mul"):
        super().__init__()
        inner = channels // reduction
        self.channel = nn.Sequential(nn.Flatten(), nn.Linear(channels, inner), nn.BatchNorm1d(inner), nn.ReLU(),
                                     nn.Linear(inner, channels))
        self.spatial = nn.Sequential(nn.Conv2d(channels, inner, 1), nn.BatchNorm2d(inner), nn.ReLU(),
                                     nn.Conv2d(inner, inner, 3, padding=4, dilation=4), nn.BatchNorm2d(inner), nn.ReLU(),
                                     nn.Conv2d(inner, inner, 3, padding=4, dilation=4), nn.BatchNorm2d(inner), nn.ReLU(),
                                     nn.Conv2d(inner, 1, 1))
        self.joined = joined

    def forward(self, x: Tensor) -> Tensor:
        mean = F.avg_pool2d(x, (x.size(2), x.size(3)), stride=(x.size(2), x.size(3)))
        channel = self.channel(mean).unsqueeze(2).unsqueeze(3).expand_as(x)
        spatial = self.spatial(x).expand_as(x)
        gate = torch.sigmoid(channel * spatial if self.joined == "mul" else channel + spatial)
        keep(self, map=gate)
        return (1 + gate) * x if self.joined == "mul" else x + x * gate


@case()
def bam_product() -> Built:
    return one("bam", BAM(), "map")


@case()
def bam_sum() -> Built:
    return one("bam", BAM(joined="add"), "map")


@case()
def bam_convolutions() -> Built:
    """The mean by a module, 1x1 convolutions, one 3x3, nothing expanded."""

    class Short(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.pool = nn.AdaptiveAvgPool2d(1)
            self.ca = nn.Sequential(nn.Conv2d(16, 4, 1), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 16, 1))
            self.sa = nn.Sequential(nn.Conv2d(16, 4, 1), nn.BatchNorm2d(4), nn.ReLU(),
                                    nn.Conv2d(4, 4, 3, padding=2, dilation=2), nn.BatchNorm2d(4), nn.ReLU(),
                                    nn.Conv2d(4, 1, 1))

        def forward(self, x: Tensor) -> Tensor:
            gate = torch.sigmoid(self.ca(self.pool(x)) + self.sa(x))
            keep(self, map=gate)
            return x * (gate + 1)

    return one("bam", Short(), "map")


# Near misses.


@case()
def channel_gate_of_two_mlps() -> Built:
    class Two(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.of_mean, self.of_max = (nn.Sequential(nn.Conv2d(16, 4, 1), nn.ReLU(), nn.Conv2d(4, 16, 1))
                                         for _ in range(2))

        def forward(self, x: Tensor) -> Tensor:
            mean, maximum = x.mean((2, 3), keepdim=True), x.amax((2, 3), keepdim=True)
            return x * torch.sigmoid(self.of_mean(mean) + self.of_max(maximum))

    return between(Two(), [])


class OwnGate(SpatialAttention):
    def forward(self, x: Tensor) -> Tensor:
        return x * super().forward(x)


@case()
def spatial_gate_of_two_means() -> Built:
    return between(type("Means", (OwnGate,), {"join": lambda self, x: x.mean(1, keepdim=True).expand(-1, 2, -1, -1)})(),
                   [])


@case()
def spatial_gate_of_a_convolution() -> Built:
    class Place(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(16, 1, 1)

        def forward(self, x: Tensor) -> Tensor:
            return x * torch.sigmoid(self.conv(x))

    return between(Place(), [])


@case()
def spatial_gate_from_another_tensor() -> Built:
    return between(type("Other", (OwnGate,), {
        "join": lambda self, x: torch.cat([F.relu(x).mean(1, keepdim=True), F.relu(x).amax(1, keepdim=True)], 1)})(), [])


@case()
def spatial_gate_from_two_tensors() -> Built:
    return between(type("Mixed", (OwnGate,), {
        "join": lambda self, x: torch.cat([x.mean(1, keepdim=True), F.relu(x).amax(1, keepdim=True)], 1)})(), [])


@case()
def bam_without_the_product() -> Built:
    """The gate is made and then added."""

    class Added(BAM):
        def forward(self, x: Tensor) -> Tensor:
            mean = F.adaptive_avg_pool2d(x, 1)
            return x + torch.sigmoid(self.channel(mean)[:, :, None, None] * self.spatial(x))

    return between(Added(), [])


if __name__ == "__main__":
    main()
