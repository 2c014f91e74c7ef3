"""Softmax over branches: selective kernels and split attention, in the spellings of PyTorch code.
Near misses among them: a softmax over the channels, weights from one branch alone."""
import torch
from between import between, one
from harness import Built, case, keep, main
from torch import Tensor, nn
from torch.nn import functional as F


class SelectiveKernel(nn.Module):
    """Li et al. 2019. Branches are stacked, one layer gives all weights."""

    def __init__(self, paths: int = 2):
        super().__init__()
        self.paths = nn.ModuleList(
            nn.Sequential(nn.Conv2d(16, 16, 3, padding=1 + i, dilation=1 + i, groups=4, bias=False), nn.BatchNorm2d(16),
                          nn.ReLU()) for i in range(paths))
        self.reduce, self.norm = nn.Conv2d(16, 8, 1, bias=False), nn.BatchNorm2d(8)
        self.select = nn.Conv2d(8, 16 * paths, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.stack([path(x) for path in self.paths], dim=1)
        b, m, c, *_ = x.shape
        z = F.relu(self.norm(self.reduce(x.sum(1).mean((2, 3), keepdim=True))))
        weights = torch.softmax(self.select(z).view(b, m, c, 1, 1), dim=1)
        keep(self, weights=weights.flatten(2))
        return torch.sum(x * weights, dim=1)


@case()
def sk_stacked() -> Built:
    return one("sk", SelectiveKernel(), "weights")


@case()
def sk_three_paths() -> Built:
    return one("sk", SelectiveKernel(3), "weights")


@case()
def sk_layer_for_each_path() -> Built:
    """Linear layers, one for each branch; their outputs are joined and weighed against each other."""

    class Dense(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.convs = nn.ModuleList(
                nn.Sequential(nn.Conv2d(16, 16, 3, padding=1 + i, dilation=1 + i), nn.BatchNorm2d(16), nn.ReLU())
                for i in range(2))
            self.fc = nn.Linear(16, 8)
            self.fcs = nn.ModuleList(nn.Linear(8, 16) for _ in range(2))

        def forward(self, x: Tensor) -> Tensor:
            feas = torch.cat([conv(x).unsqueeze(1) for conv in self.convs], dim=1)
            fea_s = torch.sum(feas, dim=1).mean(-1).mean(-1)
            fea_z = self.fc(fea_s)
            vectors = torch.cat([fc(fea_z).unsqueeze(1) for fc in self.fcs], dim=1)
            weights = torch.softmax(vectors, dim=1)
            keep(self, weights=weights)
            return (feas * weights.unsqueeze(-1).unsqueeze(-1)).sum(dim=1)

    return one("sk", Dense(), "weights")


@case()
def sk_branches_apart() -> Built:
    """Branches are added, and each is weighed by its slice of the softmax."""

    class Apart(SelectiveKernel):
        def forward(self, x: Tensor) -> Tensor:
            a, b = (path(x) for path in self.paths)
            z = F.relu(self.norm(self.reduce(F.adaptive_avg_pool2d(a + b, 1))))
            weights = torch.softmax(self.select(z).view(x.size(0), 2, 16, 1, 1), dim=1)
            keep(self, weights=weights.flatten(2))
            return a * weights[:, 0] + b * weights[:, 1]

    return one("sk", Apart(), "weights")


@case()
def sk_softmax_over_channels() -> Built:
    class Channels(SelectiveKernel):
        def forward(self, x: Tensor) -> Tensor:
            x = torch.stack([path(x) for path in self.paths], dim=1)
            b, m, c, *_ = x.shape
            z = F.relu(self.norm(self.reduce(x.sum(1).mean((2, 3), keepdim=True))))
            return torch.sum(x * torch.softmax(self.select(z).view(b, m, c, 1, 1), dim=2), dim=1)

    return between(Channels(), [])


@case()
def sk_weights_of_other_branches() -> Built:
    class Other(SelectiveKernel):
        def forward(self, x: Tensor) -> Tensor:
            x = torch.stack([path(x) for path in self.paths], dim=1)
            b, m, c, *_ = x.shape
            z = F.relu(self.norm(self.reduce(F.relu(x - 1).sum(1).mean((2, 3), keepdim=True))))
            return torch.sum(x * torch.softmax(self.select(z).view(b, m, c, 1, 1), dim=1), dim=1)

    return between(Other(), [])


class SplitAttention(nn.Module):
    """Zhang et al. 2020 (ResNeSt), as its authors wrote it: branches are groups of channels, split and added."""

    def __init__(self, radix: int = 2, groups: int = 1, norm: bool = True):
        super().__init__()
        self.radix, self.groups = radix, groups
        self.conv = nn.Conv2d(16, 16 * radix, 3, padding=1, groups=groups * radix, bias=False)
        self.bn0 = nn.BatchNorm2d(16 * radix) if norm else nn.Identity()
        self.fc1, self.bn1 = nn.Conv2d(16, 8, 1, groups=groups), nn.BatchNorm2d(8) if norm else nn.Identity()
        self.fc2 = nn.Conv2d(8, 16 * radix, 1, groups=groups)

    def attention(self, mean: Tensor) -> Tensor:
        """[N, radix C]"""
        b, radix = mean.size(0), self.radix
        scores = self.fc2(F.relu(self.bn1(self.fc1(mean))))
        weights = F.softmax(scores.view(b, self.groups, radix, -1).transpose(1, 2), dim=1)
        keep(self, weights=weights.flatten(2))
        return weights.reshape(b, -1)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.bn0(self.conv(x)))
        split = torch.split(x, x.size(1) // self.radix, dim=1)
        weights = self.attention(F.adaptive_avg_pool2d(sum(split), 1)).view(x.size(0), -1, 1, 1)
        parts = torch.split(weights, weights.size(1) // self.radix, dim=1)
        return sum(weight * part for weight, part in zip(parts, split))


class ReshapedSplitAttention(SplitAttention):
    """The branches as an axis."""

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.bn0(self.conv(x)))
        b, rc, h, w = x.shape
        x = x.reshape(b, self.radix, rc // self.radix, h, w)
        weights = self.attention(x.sum(dim=1).mean((2, 3), keepdim=True)).view(b, -1, 1, 1)
        return (x * weights.reshape(b, self.radix, rc // self.radix, 1, 1)).sum(dim=1)


@case()
def split_attention_split() -> Built:
    return one("split_attention", SplitAttention(), "weights")


@case()
def split_attention_groups() -> Built:
    return one("split_attention", SplitAttention(groups=2), "weights")


@case()
def split_attention_reshaped() -> Built:
    return one("split_attention", ReshapedSplitAttention(), "weights")


@case()
def split_attention_reshaped_groups() -> Built:
    return one("split_attention", ReshapedSplitAttention(groups=2, norm=False), "weights")


class OneBranch(SplitAttention):
    """Radix 1 is squeeze-and-excitation."""

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.bn0(self.conv(x)))
        gate = torch.sigmoid(self.fc2(F.relu(self.bn1(self.fc1(F.adaptive_avg_pool2d(x, 1))))))
        keep(self, gate=gate.flatten(1))
        return x * gate


@case()
def split_attention_of_one() -> Built:
    return one("se", OneBranch(radix=1), "gate")


@case()
def split_attention_of_one_in_groups() -> Built:
    return one("se", OneBranch(radix=1, groups=4), "gate")


@case()
def split_attention_of_one_part() -> Built:
    """The second half is not part of the mean."""

    class OnePart(SplitAttention):
        def forward(self, x: Tensor) -> Tensor:
            x = F.relu(self.bn0(self.conv(x)))
            a, b = torch.split(x, 16, dim=1)
            weights = self.attention(F.adaptive_avg_pool2d(a, 1)).view(x.size(0), -1, 1, 1)
            p, q = torch.split(weights, 16, dim=1)
            return a * p + b * q

    return between(OnePart(), [])


if __name__ == "__main__":
    main()
