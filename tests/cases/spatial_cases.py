"""Gates that see where: global context, coordinate, triplet, SimAM, gather-excite.
Near misses among them: a context without its softmax, gates that come from another tensor."""
import torch
from between import between, one
from harness import Block, Built, case, keep, main
from torch import Tensor, nn
from torch.nn import functional as F

# Global context, Cao et al. 2019.


class Context(nn.Module):
    """As its authors wrote it: the map's positions are weighed by a softmax, and what they give is added."""

    def __init__(self, channels: int = 16):
        super().__init__()
        self.conv_mask = nn.Conv2d(channels, 1, 1)
        self.softmax = nn.Softmax(dim=2)
        self.transform = nn.Sequential(nn.Conv2d(channels, 4, 1), nn.LayerNorm([4, 1, 1]), nn.ReLU(inplace=True),
                                       nn.Conv2d(4, channels, 1))

    def pool(self, x: Tensor) -> Tensor:
        b, c, h, w = x.size()
        mask = self.softmax(self.conv_mask(x).view(b, 1, h * w))
        keep(self, spatial=mask)
        return torch.matmul(x.view(b, c, h * w).unsqueeze(1), mask.unsqueeze(-1)).view(b, c, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        term = self.transform(self.pool(x))
        keep(self, gate=term.flatten(1))
        return x + term


@case()
def gc_added() -> Built:
    return one("gc", Context(), "spatial", "gate")


@case()
def gc_multiplied() -> Built:
    class Multiplied(Context):
        def forward(self, x: Tensor) -> Tensor:
            gate = torch.sigmoid(self.transform(self.pool(x)))
            keep(self, gate=gate.flatten(1))
            return x * gate

    return one("gc", Multiplied(), "spatial", "gate")


@case()
def gc_norm_of_channels() -> Built:
    """A norm that moves the channels to the end and back, a softmax over the last axis."""

    class LayerNorm2d(nn.LayerNorm):
        def forward(self, x: Tensor) -> Tensor:
            x = x.permute(0, 2, 3, 1)
            return F.layer_norm(x, self.normalized_shape, self.weight, self.bias, self.eps).permute(0, 3, 1, 2)

    class Normed(Context):
        def __init__(self) -> None:
            super().__init__()
            self.mlp = nn.Sequential(nn.Conv2d(16, 4, 1), LayerNorm2d(4, eps=1e-6), nn.ReLU(), nn.Dropout(0.1),
                                     nn.Conv2d(4, 16, 1))

        def forward(self, x: Tensor) -> Tensor:
            b, c, h, w = x.shape
            attn = F.softmax(self.conv_mask(x).reshape(b, 1, h * w), dim=-1)
            context = (x.reshape(b, c, h * w).unsqueeze(1) @ attn.unsqueeze(3)).view(b, c, 1, 1)
            gate = self.mlp(context).sigmoid()
            keep(self, spatial=attn, gate=gate.flatten(1))
            return x * gate

    return one("gc", Normed(), "spatial", "gate")


@case()
def gc_rank_three() -> Built:
    """[N,C,HW] times [N,HW,1], and no norm."""

    class Plain(Context):
        def __init__(self) -> None:
            super().__init__()
            self.mlp = nn.Sequential(nn.Conv2d(16, 4, 1), nn.ReLU(), nn.Conv2d(4, 16, 1))

        def forward(self, x: Tensor) -> Tensor:
            b, c, h, w = x.shape
            attn = torch.softmax(self.conv_mask(x).flatten(2), dim=-1)
            context = torch.bmm(x.flatten(2), attn.transpose(1, 2)).unsqueeze(-1)
            term = self.mlp(context)
            keep(self, spatial=attn, gate=term.flatten(1))
            return x + term

    return one("gc", Plain(), "spatial", "gate")


@case()
def gc_without_softmax() -> Built:
    class Unweighed(Context):
        def pool(self, x: Tensor) -> Tensor:
            b, c, h, w = x.size()
            mask = torch.relu(self.conv_mask(x).view(b, 1, h * w))
            return torch.matmul(x.view(b, c, h * w).unsqueeze(1), mask.unsqueeze(-1)).view(b, c, 1, 1)

    return between(Unweighed(), [])


@case()
def gc_added_to_another_tensor() -> Built:
    class Other(Context):
        def forward(self, x: Tensor) -> Tensor:
            return F.relu(x) + self.transform(self.pool(x))

    return between(Other(), [])


# Coordinate attention, Hou et al. 2021.


class HSwish(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x * F.relu6(x + 3) / 6


class Coordinate(nn.Module):
    def __init__(self, channels: int = 16, act: nn.Module | None = None):
        super().__init__()
        self.pool_h, self.pool_w = nn.AdaptiveAvgPool2d((None, 1)), nn.AdaptiveAvgPool2d((1, None))
        self.conv1, self.bn1 = nn.Conv2d(channels, 8, 1), nn.BatchNorm2d(8)
        self.act = act or HSwish()
        self.conv_h, self.conv_w = nn.Conv2d(8, channels, 1), nn.Conv2d(8, channels, 1)

    def means(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.pool_h(x), self.pool_w(x).permute(0, 1, 3, 2)

    def gates(self, x: Tensor) -> tuple[Tensor, Tensor]:
        h, w = x.shape[2:]
        y = self.act(self.bn1(self.conv1(torch.cat(self.means(x), dim=2))))
        x_h, x_w = torch.split(y, [h, w], dim=2)
        a_h, a_w = self.conv_h(x_h).sigmoid(), self.conv_w(x_w.permute(0, 1, 3, 2)).sigmoid()
        keep(self, a_h=a_h, a_w=a_w)
        return a_h, a_w

    def forward(self, x: Tensor) -> Tensor:
        a_h, a_w = self.gates(x)
        return x * a_w * a_h


class CoordinateByMean(Coordinate):
    def means(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return x.mean(3, keepdim=True), x.mean(2, keepdim=True).transpose(-1, -2)


# torch.export has no way to say adaptive pooling to one row.
@case(exporters=("ts",))
def coordinate_pools() -> Built:
    return one("coordinate", Coordinate(), "a_h", "a_w")


@case()
def coordinate_means() -> Built:
    class Product(CoordinateByMean):
        def forward(self, x: Tensor) -> Tensor:
            a_h, a_w = self.gates(x)
            return x * (a_h * a_w)

    return one("coordinate", Product(act=nn.Hardswish()), "a_h", "a_w")


@case()
def coordinate_rows_first() -> Built:
    class RowsFirst(CoordinateByMean):
        def forward(self, x: Tensor) -> Tensor:
            a_h, a_w = self.gates(x)
            return x * a_h * a_w

    return one("coordinate", RowsFirst(act=nn.ReLU()), "a_h", "a_w")


@case()
def coordinate_expanded() -> Built:
    """In a residual, both gates expanded."""

    class Expanded(CoordinateByMean):
        def forward(self, x: Tensor) -> Tensor:
            a_h, a_w = self.gates(x)
            return x + x * a_h.expand_as(x) * a_w.expand_as(x)

    return one("coordinate", Expanded(act=nn.SiLU()), "a_h", "a_w")


class Local(nn.Module):
    """Efficient local attention, Xu and Wan 2024: one convolution along rows and along columns, and a norm of groups."""

    def __init__(self, channels: int = 16):
        super().__init__()
        self.conv = nn.Conv1d(channels, channels, 5, padding=2, groups=channels, bias=False)
        self.gn = nn.GroupNorm(4, channels)

    def along(self, mean: Tensor) -> Tensor:
        return torch.sigmoid(self.gn(self.conv(mean)))

    def forward(self, x: Tensor) -> Tensor:
        n, c, h, w = x.shape
        a_h = self.along(x.mean(3, keepdim=True).view(n, c, h)).view(n, c, h, 1)
        a_w = self.along(x.mean(2, keepdim=True).view(n, c, w)).view(n, c, 1, w)
        keep(self, a_h=a_h, a_w=a_w)
        return x * a_h * a_w


@case()
def coordinate_along_each() -> Built:
    return one("coordinate", Local(), "a_h", "a_w")


@case()
def coordinate_along_each_activated() -> Built:
    """On maps of one row or column, with norms that differ and an activation."""

    class Maps(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv_h = nn.Conv2d(16, 16, (3, 1), padding=(1, 0), groups=16)
            self.conv_w = nn.Conv2d(16, 16, (1, 3), padding=(0, 1), groups=16)
            self.norm_h, self.norm_w, self.act = nn.GroupNorm(1, 16), nn.BatchNorm2d(16), nn.SiLU()

        def forward(self, x: Tensor) -> Tensor:
            a_h = torch.sigmoid(self.act(self.norm_h(self.conv_h(x.mean(dim=3, keepdim=True)))))
            a_w = torch.sigmoid(self.act(self.norm_w(self.conv_w(x.mean(dim=2, keepdim=True)))))
            keep(self, a_h=a_h, a_w=a_w)
            return x * a_h * a_w

    return one("coordinate", Maps(), "a_h", "a_w")


@case()
def coordinate_along_rows_twice() -> Built:
    class Twice(Local):
        def forward(self, x: Tensor) -> Tensor:
            n, c, h, _ = x.shape
            a_h = self.along(x.mean(3, keepdim=True).view(n, c, h)).view(n, c, h, 1)
            return x * a_h * a_h

    return between(Twice(), [])


@case()
def coordinate_with_one_gate() -> Built:
    class OneGate(CoordinateByMean):
        def forward(self, x: Tensor) -> Tensor:
            return x * self.gates(x)[0]

    return between(OneGate(act=nn.ReLU()), [])


@case()
def coordinate_of_another_tensor() -> Built:
    class Other(CoordinateByMean):
        def forward(self, x: Tensor) -> Tensor:
            a_h, a_w = self.gates(x)
            return F.relu(x) * a_h * a_w

    return between(Other(act=nn.ReLU()), [])


# Triplet attention, Misra et al. 2021.


class TripletGate(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2, 1, 7, padding=3, bias=False)
        self.bn = nn.BatchNorm2d(1)

    def forward(self, x: Tensor) -> Tensor:
        joined = torch.cat((torch.max(x, 1)[0].unsqueeze(1), torch.mean(x, 1).unsqueeze(1)), dim=1)
        scale = torch.sigmoid(self.bn(self.conv(joined)))
        keep(self, map=scale)
        return x * scale


class Triplet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.cw, self.hc, self.hw = TripletGate(), TripletGate(), TripletGate()

    def branches(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        cw = self.cw(x.permute(0, 2, 1, 3).contiguous()).permute(0, 2, 1, 3).contiguous()
        hc = self.hc(x.permute(0, 3, 2, 1).contiguous()).permute(0, 3, 2, 1).contiguous()
        return cw, hc, self.hw(x)

    def forward(self, x: Tensor) -> Tensor:
        cw, hc, hw = self.branches(x)
        return 1 / 3 * (hw + cw + hc)


def triplet(net: Triplet) -> Built:
    return between(net, lambda: [Block("triplet", {"map_cw": net.cw.map, "map_hc": net.hc.map, "map_hw": net.hw.map},
                                       "block")])


@case()
def triplet_third() -> Built:
    return triplet(Triplet())


@case()
def triplet_divided() -> Built:
    class Divided(Triplet):
        def forward(self, x: Tensor) -> Tensor:
            cw, hc, hw = self.branches(x)
            return (cw + hc + hw) / 3

    return triplet(Divided())


@case()
def triplet_of_two() -> Built:
    """Without the branch over rows and columns."""

    class Two(Triplet):
        def forward(self, x: Tensor) -> Tensor:
            cw, hc, _ = self.branches(x)
            return 1 / 2 * (cw + hc)

    net = Two()
    return between(net, lambda: [Block("triplet", {"map_cw": net.cw.map, "map_hc": net.hc.map}, "block")])


# SimAM, Yang et al. 2021.


class SimAM(nn.Module):
    def squared(self, x: Tensor) -> Tensor:
        return (x - x.mean(dim=[2, 3], keepdim=True)).pow(2)

    def forward(self, x: Tensor) -> Tensor:
        n = x.shape[2] * x.shape[3] - 1
        d = self.squared(x)
        y = d / (4 * (d.sum(dim=[2, 3], keepdim=True) / n + 1e-4)) + 0.5
        gate = torch.sigmoid(y)
        keep(self, map=gate)
        return x * gate


@case()
def simam_pow() -> Built:
    return one("simam", SimAM(), "map")


@case()
def simam_square() -> Built:
    class Square(SimAM):
        def squared(self, x: Tensor) -> Tensor:
            d = x - F.adaptive_avg_pool2d(x, 1)
            return d * d

    return one("simam", Square(), "map")


@case()
def simam_written_as_variance() -> Built:
    class Variance(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            n = x.shape[2] * x.shape[3] - 1
            d = (x - x.mean((2, 3), keepdim=True)).square()
            v = d.sum((2, 3), keepdim=True) / n
            gate = (d / (4 * (v + 1e-4)) + 0.5).sigmoid()
            keep(self, map=gate)
            return gate * x

    return one("simam", Variance(), "map")


@case()
def simam_of_cubes() -> Built:
    return between(type("Cubes", (SimAM,), {"squared": lambda self, x: (x - x.mean((2, 3), keepdim=True)).pow(3)})(), [])


# Gather-excite, Hu et al. 2018.


class GatherExcite(nn.Module):
    """Means over an extent, resized: no parameters."""

    def gather(self, x: Tensor) -> Tensor:
        return F.avg_pool2d(x, 3, stride=2, padding=1, count_include_pad=False)

    def forward(self, x: Tensor) -> Tensor:
        gate = torch.sigmoid(F.interpolate(self.gather(x), size=x.shape[-2:]))
        keep(self, map=gate)
        return x * gate


@case()
def ge_means() -> Built:
    return one("ge", GatherExcite(), "map")


@case()
def ge_with_mlp() -> Built:
    class Mlp(GatherExcite):
        def __init__(self) -> None:
            super().__init__()
            self.fc1, self.fc2 = nn.Conv2d(16, 4, 1), nn.Conv2d(4, 16, 1)

        def gather(self, x: Tensor) -> Tensor:
            return self.fc2(F.relu(self.fc1(super().gather(x))))

    return one("ge", Mlp(), "map")


@case()
def ge_depthwise() -> Built:
    """Two strided convolutions gather, each channel by itself."""

    class Depthwise(GatherExcite):
        def __init__(self) -> None:
            super().__init__()
            self.layers = nn.Sequential(nn.Conv2d(16, 16, 3, 2, 1, groups=16, bias=False), nn.BatchNorm2d(16), nn.ReLU(),
                                        nn.Conv2d(16, 16, 3, 2, 1, groups=16, bias=False), nn.BatchNorm2d(16))

        def gather(self, x: Tensor) -> Tensor:
            return self.layers(x)

    return one("ge", Depthwise(), "map")


@case()
def ge_global() -> Built:
    """The extent is the whole map: one gate for a channel."""

    class Global(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            gate = torch.sigmoid(x.mean((2, 3), keepdim=True))
            keep(self, map=gate)
            return x * gate

    return one("ge", Global(), "map")


@case()
def ge_of_another_tensor() -> Built:
    class Other(GatherExcite):
        def gather(self, x: Tensor) -> Tensor:
            return super().gather(F.relu(x))

    return between(Other(), [])


if __name__ == "__main__":
    main()
