"""Channel gates from one mean: squeeze-and-excitation, its single-layer form, and ECA, in the spellings of PyTorch code.
Near misses among them: what is pooled is not what is multiplied, what is multiplied is no gate."""
import torch
from between import between, one
from harness import Block, Built, case, keep, main
from torch import Tensor, nn
from torch.nn import functional as F


class DenseSE(nn.Module):
    """Of two Linear layers, as the first implementations have it; the spatial mean and the gate are open to choice."""

    def __init__(self, channels: int = 16):
        super().__init__()
        self.fc = nn.Sequential(nn.Linear(channels, channels // 4, bias=False), nn.ReLU(inplace=True),
                                nn.Linear(channels // 4, channels, bias=False), nn.Sigmoid())

    def squeeze(self, x: Tensor) -> Tensor:
        return F.adaptive_avg_pool2d(x, 1).view(x.shape[0], x.shape[1])

    def forward(self, x: Tensor) -> Tensor:
        b, c, *_ = x.shape
        gate = self.fc(self.squeeze(x))
        keep(self, gate=gate)
        return x * gate.view(b, c, 1, 1).expand_as(x)


class ConvSE(nn.Module):
    """Of two 1x1 convolutions."""

    def __init__(self, act: nn.Module, gate: nn.Module, channels: int = 16, kind: type[nn.Module] = nn.Conv2d):
        super().__init__()
        self.fc1 = kind(channels, channels // 4, 1)
        self.act = act
        self.fc2 = kind(channels // 4, channels, 1)
        self.to_gate = gate

    def squeeze(self, x: Tensor) -> Tensor:
        return x.mean(tuple(range(2, x.dim())), keepdim=True)

    def forward(self, x: Tensor) -> Tensor:
        gate = self.to_gate(self.fc2(self.act(self.fc1(self.squeeze(x)))))
        keep(self, gate=gate.flatten(1))
        return x * gate


@case()
def se_dense_expand() -> Built:
    return one("se", DenseSE(), "gate")


@case()
def se_dense_chained_means() -> Built:
    class Chained(DenseSE):
        def squeeze(self, x: Tensor) -> Tensor:
            return x.mean(-1).mean(-1)

    return one("se", Chained(), "gate")


@case()
def se_dense_mean_of_view() -> Built:
    class Viewed(DenseSE):
        def squeeze(self, x: Tensor) -> Tensor:
            return x.view(x.size(0), x.size(1), -1).mean(-1)

    return one("se", Viewed(), "gate")


@case()
def se_dense_mean_of_flat() -> Built:
    class Flat(DenseSE):
        def squeeze(self, x: Tensor) -> Tensor:
            return torch.mean(x.flatten(2), dim=2)

    return one("se", Flat(), "gate")


@case()
def se_dense_whole_pool() -> Built:
    """The kernel is the whole map."""

    class Pooled(DenseSE):
        def squeeze(self, x: Tensor) -> Tensor:
            return F.avg_pool2d(x, x.size()[2:], stride=x.size()[2:]).flatten(1)

    return one("se", Pooled(), "gate")


@case()
def se_dense_relu6_gate() -> Built:
    """h_sigmoid and h_swish as MobileNetV3 was first written."""

    class HSigmoid(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return F.relu6(x + 3) / 6

    class Gated(DenseSE):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Sequential(nn.Linear(16, 4), nn.ReLU(inplace=True), nn.Linear(4, 16), HSigmoid())

    return one("se", Gated(), "gate")


@case()
def se_indexed_gate() -> Built:
    """[:, :, None, None], and layers without modules."""

    class Functional(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.down, self.up = nn.Linear(16, 8), nn.Linear(8, 16)

        def forward(self, x: Tensor) -> Tensor:
            gate = torch.sigmoid(self.up(F.relu(self.down(x.mean([2, 3])))))
            keep(self, gate=gate)
            return gate[:, :, None, None] * x

    return one("se", Functional(), "gate")


@case()
def se_weights_as_parameters() -> Built:
    """Products with plain parameters, biases added by hand."""

    class Parameters(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.w1, self.b1 = nn.Parameter(torch.randn(16, 4) / 4), nn.Parameter(torch.randn(4))
            self.w2, self.b2 = nn.Parameter(torch.randn(4, 16) / 2), nn.Parameter(torch.randn(16))

        def forward(self, x: Tensor) -> Tensor:
            hidden = torch.relu(x.mean((-2, -1)) @ self.w1 + self.b1)
            gate = (hidden @ self.w2 + self.b2).sigmoid()
            keep(self, gate=gate)
            return x * gate.unsqueeze(-1).unsqueeze(-1)

    return one("se", Parameters(), "gate")


@case()
def se_conv_relu() -> Built:
    return one("se", ConvSE(nn.ReLU(), nn.Sigmoid()), "gate")


@case()
def se_conv_silu() -> Built:
    """EfficientNet: a SiLU inside, and one before the block."""

    class AfterSiLU(ConvSE):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(F.silu(x))

    return one("se", AfterSiLU(nn.SiLU(), nn.Sigmoid()), "gate")


@case()
def se_conv_hardsigmoid() -> Built:
    return one("se", ConvSE(nn.ReLU(), nn.Hardsigmoid()), "gate")


@case()
def se_conv_hardswish() -> Built:
    return one("se", ConvSE(nn.Hardswish(), nn.Hardsigmoid()), "gate")


@case()
def se_conv_clamped_gate() -> Built:
    class Clamped(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.clamp(x / 6 + 0.5, 0, 1)

    return one("se", ConvSE(nn.ReLU6(), Clamped()), "gate")


@case()
def se_conv_gelu() -> Built:
    return one("se", ConvSE(nn.GELU(), nn.Sigmoid()), "gate")


@case()
def se_conv_gelu_tanh() -> Built:
    return one("se", ConvSE(nn.GELU(approximate="tanh"), nn.Sigmoid()), "gate")


@case()
def se_conv_mish() -> Built:
    return one("se", ConvSE(nn.Mish(), nn.Sigmoid()), "gate")


@case()
def se_conv_prelu() -> Built:
    return one("se", ConvSE(nn.PReLU(), nn.Sigmoid()), "gate")


@case()
def se_conv_batch_norm() -> Built:
    """A norm behind each layer, and the mean by a module."""

    class Normed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.pool = nn.AdaptiveAvgPool2d((1, 1))
            self.layers = nn.Sequential(nn.Conv2d(16, 4, 1, bias=False), nn.BatchNorm2d(4), nn.ReLU(inplace=True),
                                        nn.Conv2d(4, 16, 1, bias=False), nn.BatchNorm2d(16))

        def forward(self, x: Tensor) -> Tensor:
            gate = torch.sigmoid(self.layers(self.pool(x)))
            keep(self, gate=gate.flatten(1))
            return torch.mul(x, gate)

    return one("se", Normed(), "gate")


@case()
def se_layer_norm() -> Built:
    class Normed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = nn.Sequential(nn.Linear(16, 4), nn.LayerNorm(4), nn.ReLU(), nn.Dropout(0.1), nn.Linear(4, 16))

        def forward(self, x: Tensor) -> Tensor:
            gate = self.layers(F.adaptive_avg_pool2d(x, (1, 1)).flatten(1)).sigmoid()
            keep(self, gate=gate)
            return x * gate.reshape(-1, 16, 1, 1)

    return one("se", Normed(), "gate")


@case()
def se_channels_last() -> Built:
    class Last(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc1, self.fc2 = nn.Linear(16, 4), nn.Linear(4, 16)

        def forward(self, x: Tensor) -> Tensor:
            x = F.gelu(x.permute(0, 2, 3, 1))
            gate = self.fc2(F.relu(self.fc1(x.mean((1, 2), keepdim=True)))).sigmoid()
            keep(self, gate=gate.flatten(1))
            return (x * gate).permute(0, 3, 1, 2)

    return one("se", Last(), "gate")


@case()
def se_mean_and_max() -> Built:
    """The squeeze is half mean, half maximum."""

    class Blend(ConvSE):
        def squeeze(self, x: Tensor) -> Tensor:
            return 0.5 * x.mean((2, 3), keepdim=True) + 0.5 * x.amax((2, 3), keepdim=True)

    return one("se", Blend(nn.ReLU(), nn.Sigmoid()), "gate")


@case()
def se_of_sequences() -> Built:
    """One dimension, as networks for speech have it."""
    return one("se", ConvSE(nn.ReLU(), nn.Sigmoid(), kind=nn.Conv1d), "gate", size=(20,))


@case()
def se_of_volumes() -> Built:
    return one("se", ConvSE(nn.ReLU(), nn.Sigmoid(), kind=nn.Conv3d), "gate", size=(3, 5, 4))


@case()
def se_concurrent() -> Built:
    """Roy et al. 2018: channels and places gated side by side. The places' gate is one convolution, and no CBAM."""

    class Concurrent(ConvSE):
        def __init__(self) -> None:
            super().__init__(nn.ReLU(), nn.Sigmoid())
            self.place = nn.Conv2d(16, 1, 1)

        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x) + x * self.place(x).sigmoid()

    return one("se", Concurrent(), "gate")


@case()
def se_in_residual() -> Built:
    class Residual(ConvSE):
        def forward(self, x: Tensor) -> Tensor:
            return F.relu(super().forward(x) + x)

    return one("se", Residual(nn.ReLU(), nn.Sigmoid()), "gate")


@case()
def se_behind_standardised_weights() -> Built:
    """As NFNets have it: a batch norm in training, of the weights."""

    class Standardised(nn.Conv2d):
        def __init__(self, channels: int):
            super().__init__(channels, channels, 3, padding=1)
            self.gain = nn.Parameter(torch.ones(channels, 1, 1, 1))

        def forward(self, x: Tensor) -> Tensor:
            rows = self.weight.reshape(1, self.out_channels, -1)
            weight = F.batch_norm(rows, None, None, weight=(0.1 * self.gain).view(-1), training=True, momentum=0.0)
            return F.conv2d(x, weight.reshape_as(self.weight), self.bias, padding=1)

    net = nn.Sequential(Standardised(16), ConvSE(nn.ReLU(), nn.Sigmoid()))
    return between(net, lambda: [Block("se", {"gate": net[1].gate}, "block.1")])


@case()
def ese_hardsigmoid() -> Built:
    """VoVNet."""

    class Effective(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Conv2d(16, 16, 1)
            self.hsigmoid = nn.Hardsigmoid()

        def forward(self, x: Tensor) -> Tensor:
            gate = self.hsigmoid(self.fc(x.mean((2, 3), keepdim=True)))
            keep(self, gate=gate.flatten(1))
            return x * gate

    return one("ese", Effective(), "gate")


@case()
def ese_relu6() -> Built:
    class Effective(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.avg_pool = nn.AdaptiveAvgPool2d(1)
            self.fc = nn.Conv2d(16, 16, 1)

        def forward(self, x: Tensor) -> Tensor:
            kept = x
            gate = F.relu6(self.fc(self.avg_pool(x)) + 3.0) / 6.0
            keep(self, gate=gate.flatten(1))
            return kept * gate

    return one("ese", Effective(), "gate")


@case()
def ese_sigmoid() -> Built:
    """The channel half of the CBAM in YOLO code."""

    class ChannelAttention(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.pool = nn.AdaptiveAvgPool2d(1)
            self.fc = nn.Conv2d(16, 16, 1, 1, 0, bias=True)
            self.act = nn.Sigmoid()

        def forward(self, x: Tensor) -> Tensor:
            gate = self.act(self.fc(self.pool(x)))
            keep(self, gate=gate.flatten(1))
            return x * gate

    return one("ese", ChannelAttention(), "gate")


class ECA(nn.Module):
    """Wang et al. 2020: a convolution over the channels."""

    def __init__(self, kernel: int = 3, **options: str):
        super().__init__()
        self.conv = nn.Conv1d(1, 1, kernel, padding=kernel // 2, bias=False, **options)

    def forward(self, x: Tensor) -> Tensor:
        y = F.adaptive_avg_pool2d(x, 1)
        y = self.conv(y.squeeze(-1).transpose(-1, -2)).transpose(-1, -2).unsqueeze(-1)
        gate = torch.sigmoid(y)
        keep(self, gate=gate.flatten(1))
        return x * gate.expand_as(x)


@case()
def eca_squeeze_transpose() -> Built:
    return one("eca", ECA(), "gate")


@case()
def eca_view() -> Built:
    class Viewed(ECA):
        def forward(self, x: Tensor) -> Tensor:
            y = x.mean((2, 3)).view(x.shape[0], 1, -1)
            gate = self.conv(y).sigmoid().view(x.shape[0], -1, 1, 1)
            keep(self, gate=gate.flatten(1))
            return x * gate.expand_as(x)

    return one("eca", Viewed(5), "gate")


@case()
def eca_two_convolutions() -> Built:
    class Two(ECA):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Sequential(nn.Conv1d(1, 4, 1), nn.ReLU(), nn.Conv1d(4, 1, 3, padding=1))

    return one("eca", Two(), "gate")


@case(opsets={"dynamo": (20,)})  # it writes mode "wrap" at 18 as well, where ONNX has none
def eca_circular_pad() -> Built:
    class Circular(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv1d(1, 1, 3, bias=False)

        def forward(self, x: Tensor) -> Tensor:
            y = F.pad(x.mean((2, 3)).view(x.shape[0], 1, -1), (1, 1), mode="circular")
            gate = F.hardsigmoid(self.conv(y)).view(x.shape[0], -1, 1, 1)
            keep(self, gate=gate.flatten(1))
            return x * gate

    return one("eca", Circular(), "gate")


@case(opsets={"dynamo": (20,)})  # it writes mode "wrap" at 18 as well, where ONNX has none
def eca_circular_convolution() -> Built:
    return one("eca", ECA(padding_mode="circular"), "gate")


# Near misses.


@case()
def gate_from_another_tensor() -> Built:
    class Other(ConvSE):
        def forward(self, x: Tensor) -> Tensor:
            gate = self.to_gate(self.fc2(self.act(self.fc1(self.squeeze(F.relu(x))))))
            return x * gate

    return between(Other(nn.ReLU(), nn.Sigmoid()), [])


@case()
def silu_alone() -> Built:
    return between(nn.Sequential(nn.SiLU(), nn.Conv2d(16, 16, 1), nn.Hardswish()), [])


@case()
def hidden_value_used_elsewhere() -> Built:
    class Leaking(ConvSE):
        def forward(self, x: Tensor) -> Tensor:
            hidden = self.fc1(self.squeeze(x))
            return x * self.to_gate(self.fc2(self.act(hidden))) + hidden.mean(1, keepdim=True)

    return between(Leaking(nn.ReLU(), nn.Sigmoid()), [])


@case()
def gate_that_is_added() -> Built:
    class Added(ConvSE):
        def forward(self, x: Tensor) -> Tensor:
            return x + self.to_gate(self.fc2(self.act(self.fc1(self.squeeze(x)))))

    return between(Added(nn.ReLU(), nn.Sigmoid()), [])


@case()
def gate_over_columns() -> Built:
    """What is squeezed is rows and columns, what is weighed is columns: the sizes agree, the meaning does not."""

    class Columns(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.down, self.up = nn.Linear(6, 3), nn.Linear(3, 6)

        def forward(self, x: Tensor) -> Tensor:
            gate = self.up(F.relu(self.down(x.mean((2, 3))))).sigmoid()
            return x * gate[:, None, None, :]

    return between(Columns(), [], channels=6)


@case()
def gate_from_means_of_columns() -> Built:
    return between(type("Columns", (ConvSE,), {"squeeze": lambda self, x: x.mean(2, keepdim=True)})(
        nn.ReLU(), nn.Sigmoid()), [])


@case()
def softmax_in_place_of_gate() -> Built:
    return between(ConvSE(nn.ReLU(), nn.Softmax(dim=1)), [])


if __name__ == "__main__":
    main()
