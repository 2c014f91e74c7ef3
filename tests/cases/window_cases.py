"""Attention within windows: relative position bias, shifted windows and their mask, cosine attention, global tokens.
All windows of an image are one batch: `probs` is [N*W,H,T,T], and `bias` [H,T,T] the table folded to what is added."""
import torch
from harness import Block, Built, case, keep, main
from torch import Tensor, nn
from torch.nn import functional as F

N, SIDE, WINDOW, H, D = 2, 6, 3, 2, 4  # images, their side, a window's side, heads, a head's width
C, T = H * D, WINDOW * WINDOW
LATER = {"ts": (17,), "dynamo": (18,)}


def partition(x: Tensor) -> Tensor:
    """[N,SIDE,SIDE,C] to [N*W,T,C]."""
    n = x.shape[0]
    x = x.view(n, SIDE // WINDOW, WINDOW, SIDE // WINDOW, WINDOW, C)
    return x.permute(0, 1, 3, 2, 4, 5).contiguous().view(-1, T, C)


def reverse(windows: Tensor) -> Tensor:
    """[N*W,T,C] to [N,SIDE,SIDE,C]."""
    x = windows.view(-1, SIDE // WINDOW, SIDE // WINDOW, WINDOW, WINDOW, C)
    return x.permute(0, 1, 3, 2, 4, 5).contiguous().view(-1, SIDE, SIDE, C)


def relative_index() -> Tensor:
    """[T,T]: which row of the table belongs to two places of a window."""
    places = torch.stack(torch.meshgrid(torch.arange(WINDOW), torch.arange(WINDOW), indexing="ij")).flatten(1)
    offsets = (places[:, :, None] - places[:, None, :]).permute(1, 2, 0) + WINDOW - 1
    return offsets[..., 0] * (2 * WINDOW - 1) + offsets[..., 1]


def shift_mask(shift: int) -> Tensor:
    """[W,T,T]: -100 where two places come from regions that are no neighbours."""
    image = torch.zeros(1, SIDE, SIDE, C)
    parts = (slice(0, -WINDOW), slice(-WINDOW, -shift), slice(-shift, None))
    for i, rows in enumerate(parts):
        for k, columns in enumerate(parts):
            image[:, rows, columns] = 3 * i + k
    regions = partition(image)[..., 0]
    return (regions[:, None, :] != regions[:, :, None]).float() * -100.0


class WindowAttention(nn.Module):
    """Swin's, as its authors wrote it."""

    def __init__(self):
        super().__init__()
        self.relative_position_bias_table = nn.Parameter(torch.randn((2 * WINDOW - 1) ** 2, H))
        self.register_buffer("relative_position_index", relative_index())
        self.qkv, self.proj, self.attn_drop = nn.Linear(C, 3 * C), nn.Linear(C, C), nn.Dropout(0.1)

    def scores(self, q: Tensor, k: Tensor) -> Tensor:
        return (q * D**-0.5) @ k.transpose(-2, -1)

    def relative_bias(self) -> Tensor:
        table = self.relative_position_bias_table[self.relative_position_index.view(-1)]
        return table.view(T, T, -1).permute(2, 0, 1).contiguous()

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        windows = x.shape[0]
        q, k, v = self.qkv(x).reshape(windows, T, 3, H, D).permute(2, 0, 3, 1, 4)
        bias = self.relative_bias()
        attn = self.scores(q, k) + bias.unsqueeze(0)
        if mask is not None:
            count = mask.shape[0]
            attn = attn.view(windows // count, count, H, T, T) + mask.unsqueeze(1).unsqueeze(0)
            attn = attn.view(-1, H, T, T)
        probs = self.attn_drop(attn.softmax(dim=-1))
        keep(self, probs=probs, bias=bias, logits=attn)
        return self.proj((probs @ v).transpose(1, 2).reshape(windows, T, C))


class CosineAttention(WindowAttention):
    """Swin V2's: cosines with a temperature, and a bias made by a small network of the offsets."""

    def __init__(self):
        super().__init__()
        self.logit_scale = nn.Parameter(torch.log(10 * torch.ones(H, 1, 1)))
        self.cpb_mlp = nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, H, bias=False))
        offsets = torch.arange(1.0 - WINDOW, WINDOW)
        table = torch.stack(torch.meshgrid(offsets, offsets, indexing="ij"), dim=-1)
        self.register_buffer("relative_coords_table", torch.sign(table) * torch.log2(table.abs() * 4 + 1.0) / 3)

    def scores(self, q: Tensor, k: Tensor) -> Tensor:
        scale = torch.clamp(self.logit_scale, max=4.6052).exp()
        return F.normalize(q, dim=-1) @ F.normalize(k, dim=-1).transpose(-2, -1) * scale

    def relative_bias(self) -> Tensor:
        table = self.cpb_mlp(self.relative_coords_table).view(-1, H)[self.relative_position_index.view(-1)]
        return 16 * torch.sigmoid(table.view(T, T, -1).permute(2, 0, 1).contiguous())


class Layer(nn.Module):
    """Windows of a map, shifted or not, and the mask as a buffer or made while running."""

    def __init__(self, attn: nn.Module, shift: int, traced_mask: bool = False):
        super().__init__()
        self.norm, self.attn = nn.LayerNorm(C), attn
        self.shift, self.traced_mask = shift, traced_mask
        self.register_buffer("mask", shift_mask(shift) if shift > 0 else None)

    def forward(self, x: Tensor) -> Tensor:
        shortcut, x = x, self.norm(x)
        if self.shift > 0:
            x = torch.roll(x, (-self.shift, -self.shift), (1, 2))
        mask = shift_mask(self.shift) if self.traced_mask else self.mask
        x = reverse(self.attn(partition(x), mask))
        if self.shift > 0:
            x = torch.roll(x, (self.shift, self.shift), (1, 2))
        return shortcut + x


def windows(attn: nn.Module, shift: int, traced_mask: bool = False) -> Built:
    def blocks() -> list[Block]:
        return [Block("attention", {p: getattr(attn, p) for p in ("probs", "bias", "logits")}, name="attn")]

    return Built(Layer(attn, shift, traced_mask), (torch.randn(N, SIDE, SIDE, C),), blocks, open="all")


@case()
def swin() -> Built:
    return windows(WindowAttention(), 0)


@case()
def swin_shifted() -> Built:
    return windows(WindowAttention(), 1)


@case()
def swin_mask_made_while_running() -> Built:
    return windows(WindowAttention(), 1, traced_mask=True)


@case(opsets=LATER)
def swin_v2() -> Built:
    return windows(CosineAttention(), 0)


@case(opsets=LATER)
def swin_v2_shifted() -> Built:
    return windows(CosineAttention(), 1)


class Neighbours(nn.Module):
    """MaxViT's grid attention: windows of places that are far apart, the bias added by scaled_dot_product_attention."""

    def __init__(self):
        super().__init__()
        self.qkv = nn.Linear(C, 3 * C)
        self.bias = nn.Parameter(torch.randn(H, T, T))

    def forward(self, x: Tensor) -> Tensor:
        x = x.view(N, WINDOW, SIDE // WINDOW, WINDOW, SIDE // WINDOW, C).permute(0, 2, 4, 1, 3, 5).reshape(-1, T, C)
        q, k, v = (t.view(-1, T, H, D).transpose(1, 2) for t in self.qkv(x).chunk(3, -1))
        keep(self, probs=(q @ k.transpose(-2, -1) * D**-0.5 + self.bias).softmax(-1))
        return F.scaled_dot_product_attention(q, k, v, attn_mask=self.bias.unsqueeze(0))


@case(opsets={"ts": (17,), "dynamo": (18,)})
def grid_with_bias() -> Built:
    attn = Neighbours()
    return Built(attn, (torch.randn(N, SIDE, SIDE, C),),
                 lambda: [Block("attention", {"probs": attn.probs, "bias": attn.bias})], open="all")


class Levit(nn.Module):
    """LeViT's: keys narrower than values, and biases looked up by offset, [H, offsets][:, index]."""

    def __init__(self):
        super().__init__()
        self.qkv = nn.Linear(C, H * (2 + 2 + D))
        self.attention_biases = nn.Parameter(torch.randn(H, (2 * WINDOW - 1) ** 2))
        self.register_buffer("index", relative_index())

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.qkv(x).view(N, T, H, -1).split([2, 2, D], dim=3)
        q, k, v = q.permute(0, 2, 1, 3), k.permute(0, 2, 3, 1), v.permute(0, 2, 1, 3)
        bias = self.attention_biases[:, self.index]
        probs = (q @ k * 2**-0.5 + bias).softmax(dim=-1)
        keep(self, probs=probs, bias=bias)
        return (probs @ v).transpose(1, 2).reshape(N, T, C)


@case()
def narrow_keys_and_looked_up_bias() -> Built:
    attn = Levit()
    return Built(attn, (torch.randn(N, T, C),),
                 lambda: [Block("attention", {"probs": attn.probs, "bias": attn.bias})], open="all")


if __name__ == "__main__":
    main()
