"""Attention over the places of a map: PSA and area attention, non-local blocks, PAM, BoT, pooling, linear attention.
Near misses among them: products of maps with a softmax elsewhere, or none."""
import torch
from harness import Block, Built, case, keep, main
from torch import Tensor, nn
from torch.nn import functional as F

N, H, D, HEIGHT, WIDTH = 2, 2, 4, 3, 4  # batch, heads, a head's width, the map
C, L = H * D, HEIGHT * WIDTH
LATER = {"ts": (17,), "dynamo": (18,)}


def image() -> Tensor:
    return torch.randn(N, C, HEIGHT, WIDTH)


class Net(nn.Module):
    """A convolution, the block under the name `attn`, and a convolution."""

    def __init__(self, attn: nn.Module):
        super().__init__()
        self.stem, self.norm, self.attn, self.head = nn.Conv2d(C, C, 3, padding=1), nn.BatchNorm2d(C), attn, nn.Conv2d(C, 3, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.attn(torch.relu(self.norm(self.stem(x)))))


def found(attn: nn.Module, family: str, *probes: str, open: str = "auto") -> Built:
    return Built(Net(attn), (image(),), lambda: [Block(family, {p: getattr(attn, p) for p in probes}, name="attn")],
                 open=open, apart=("position",))


def nothing(attn: nn.Module) -> Built:
    return Built(Net(attn), (image(),), [])


# Several heads: `attention`.


class PSA(nn.Module):
    """YOLO 11's attention: v is the left operand, k narrower than v, a depthwise convolution for positions."""

    def __init__(self):
        super().__init__()
        self.key_dim = D // 2
        self.qkv = nn.Conv2d(C, C + 2 * self.key_dim * H, 1)
        self.pe, self.proj = nn.Conv2d(C, C, 3, padding=1, groups=C), nn.Conv2d(C, C, 1)

    def forward(self, x: Tensor) -> Tensor:
        n, c, h, w = x.shape
        qkv = self.qkv(x).view(n, H, self.key_dim * 2 + D, h * w)
        q, k, v = qkv.split([self.key_dim, self.key_dim, D], dim=2)
        attn = ((q.transpose(-2, -1) @ k) * self.key_dim**-0.5).softmax(dim=-1)
        keep(self, probs=attn)
        x = (v @ attn.transpose(-2, -1)).view(n, c, h, w) + self.pe(v.reshape(n, c, h, w))
        return self.proj(x)


class Area(nn.Module):
    """YOLO 12's area attention: each of three areas of the map is attended by itself."""

    area = 3

    def __init__(self):
        super().__init__()
        self.qkv, self.proj = nn.Conv2d(C, 3 * C, 1), nn.Conv2d(C, C, 1)
        self.pe = nn.Conv2d(C, C, 5, padding=2, groups=C)

    def forward(self, x: Tensor) -> Tensor:
        n, _, h, w = x.shape
        qkv = self.qkv(x).flatten(2).transpose(1, 2)
        qkv = qkv.reshape(n * self.area, h * w // self.area, 3 * C)
        areas, length, _ = qkv.shape
        q, k, v = qkv.view(areas, length, H, 3 * D).permute(0, 2, 3, 1).split([D, D, D], dim=2)
        attn = (q.transpose(-2, -1) @ k) * D**-0.5
        attn = attn.softmax(dim=-1)
        keep(self, probs=attn)
        x, v = (v @ attn.transpose(-2, -1)).permute(0, 3, 1, 2), v.permute(0, 3, 1, 2)
        x, v = (t.reshape(n, length * self.area, C).reshape(n, h, w, C).permute(0, 3, 1, 2) for t in (x, v))
        return self.proj(x + self.pe(v.contiguous()))


class BoT(nn.Module):
    """Bottleneck transformer: queries meet keys, and learned positions of height and width."""

    def __init__(self):
        super().__init__()
        self.query, self.key, self.value = nn.Conv2d(C, C, 1), nn.Conv2d(C, C, 1), nn.Conv2d(C, C, 1)
        self.rel_h = nn.Parameter(torch.randn(1, H, D, 1, HEIGHT))
        self.rel_w = nn.Parameter(torch.randn(1, H, D, WIDTH, 1))

    def forward(self, x: Tensor) -> Tensor:
        n, c, width, height = x.size()
        q, k, v = (conv(x).view(n, H, D, -1) for conv in (self.query, self.key, self.value))
        content = torch.matmul(q.permute(0, 1, 3, 2), k)
        position = (self.rel_h + self.rel_w).view(1, H, D, -1).permute(0, 1, 3, 2)
        attn = (content + torch.matmul(position, q)).softmax(dim=-1)
        keep(self, probs=attn)
        return torch.matmul(v, attn.permute(0, 1, 3, 2)).view(n, c, width, height)


def relative_to_absolute(x: Tensor) -> Tensor:
    """[N,H,L,2L-1] to [N,H,L,L], by padding, reshaping and slicing."""
    n, heads, length, _ = x.shape
    x = F.pad(x, (0, 1)).reshape(n, heads, -1)
    x = F.pad(x, (0, length - 1)).reshape(n, heads, length + 1, 2 * length - 1)
    return x[:, :, :length, length - 1:]


class RelativeBoT(nn.Module):
    """The same with relative positions: logits of height and width are made by padding and slicing."""

    def __init__(self):
        super().__init__()
        self.to_qkv = nn.Conv2d(C, 3 * C, 1, bias=False)
        self.rel_h = nn.Parameter(torch.randn(2 * HEIGHT - 1, D) * D**-0.5)
        self.rel_w = nn.Parameter(torch.randn(2 * WIDTH - 1, D) * D**-0.5)

    def along(self, q: Tensor, table: Tensor, heads: int, other: int) -> Tensor:
        n, _, x, y, _ = q.shape
        logits = torch.einsum("bhxyd,rd->bhxyr", q, table)
        logits = relative_to_absolute(logits.reshape(n, heads * x, y, -1))
        return logits.reshape(n, heads, x, 1, y, y).expand(-1, -1, -1, x, -1, -1)

    def forward(self, x: Tensor) -> Tensor:
        n, c, h, w = x.shape
        q, k, v = (t.reshape(n, H, D, h * w).transpose(2, 3) for t in self.to_qkv(x).chunk(3, dim=1))
        q = q * D**-0.5
        logits = torch.einsum("bhid,bhjd->bhij", q, k)
        places = q.reshape(n, H, h, w, D)
        wide = self.along(places, self.rel_w, H, h).permute(0, 1, 2, 4, 3, 5).reshape(n, H, h * w, h * w)
        high = self.along(places.transpose(2, 3), self.rel_h, H, w).permute(0, 1, 4, 2, 5, 3).reshape(n, H, h * w, h * w)
        probs = (logits + wide + high).softmax(dim=-1)
        keep(self, probs=probs)
        return torch.einsum("bhij,bhjd->bhid", probs, v).transpose(2, 3).reshape(n, c, h, w)


class Decomposed(RelativeBoT):
    """MViT's relative positions: logits of height and width, written into the scores where they are. first: tokens
    without a place, which stand before the others."""

    def __init__(self, first: int):
        super().__init__()
        self.first = first

    def forward(self, x: Tensor) -> Tensor:
        n, c, h, w = x.shape
        q, k, v = (t.reshape(n, H, D, h * w).transpose(2, 3) for t in self.to_qkv(x).chunk(3, dim=1))
        q, k, v = (torch.cat([t[:, :, :self.first], t], dim=2) for t in (q, k, v))
        attn = (q * D**-0.5) @ k.transpose(-2, -1)
        rows = torch.arange(h)[:, None] - torch.arange(h)[None] + h - 1
        columns = torch.arange(w)[:, None] - torch.arange(w)[None] + w - 1
        places = q[:, :, self.first:].reshape(n, H, h, w, D)
        high = torch.einsum("nyhwc,hkc->nyhwk", places, self.rel_h[rows])
        wide = torch.einsum("nyhwc,wkc->nyhwk", places, self.rel_w[columns])
        first = self.first
        parts = attn[:, :, first:, first:].view(n, -1, h, w, h, w) + high.unsqueeze(-1) + wide.unsqueeze(-2)
        attn[:, :, first:, first:] = parts.view(n, -1, h * w, h * w)
        probs = attn.softmax(dim=-1)
        keep(self, probs=probs)
        return (probs @ v + q)[:, :, first:].transpose(2, 3).reshape(n, c, h, w)


class Reduced(nn.Module):
    """PVT's and SegFormer's: keys and values of a smaller map."""

    def __init__(self):
        super().__init__()
        self.q, self.kv, self.proj = nn.Linear(C, C), nn.Linear(C, 2 * C), nn.Linear(C, C)
        self.sr, self.norm = nn.Conv2d(C, C, (3, 2), (3, 2)), nn.LayerNorm(C)

    def forward(self, x: Tensor) -> Tensor:
        n, c, h, w = x.shape
        tokens = x.flatten(2).transpose(1, 2)
        q = self.q(tokens).reshape(n, h * w, H, D).permute(0, 2, 1, 3)
        small = self.norm(self.sr(x).reshape(n, c, -1).permute(0, 2, 1))
        kv = self.kv(small).reshape(n, -1, 2, H, D).permute(2, 0, 3, 1, 4)
        attn = ((q @ kv[0].transpose(-2, -1)) * D**-0.5).softmax(dim=-1)
        keep(self, probs=attn)
        return self.proj((attn @ kv[1]).transpose(1, 2).reshape(n, h * w, c)).transpose(1, 2).reshape(n, c, h, w)


class Pool(nn.Module):
    """CLIP's attention pooling: the mean is put before the places, and asks."""

    def __init__(self):
        super().__init__()
        self.positional_embedding = nn.Parameter(torch.randn(L + 1, C) / C**0.5)
        self.q_proj, self.k_proj, self.v_proj = nn.Linear(C, C), nn.Linear(C, C), nn.Linear(C, C)
        self.c_proj = nn.Linear(C, C)

    def forward(self, x: Tensor) -> Tensor:
        x = x.flatten(start_dim=2).permute(2, 0, 1)
        x = torch.cat([x.mean(dim=0, keepdim=True), x], dim=0)
        x = x + self.positional_embedding[:, None, :].to(x.dtype)
        bias = torch.cat([self.q_proj.bias, self.k_proj.bias, self.v_proj.bias])
        arguments = dict(
            embed_dim_to_check=C, num_heads=H, q_proj_weight=self.q_proj.weight, k_proj_weight=self.k_proj.weight,
            v_proj_weight=self.v_proj.weight, in_proj_weight=None, in_proj_bias=bias, bias_k=None, bias_v=None,
            add_zero_attn=False, dropout_p=0.0, out_proj_weight=self.c_proj.weight, out_proj_bias=self.c_proj.bias,
            use_separate_proj_weight=True, training=False, need_weights=False)
        out, _ = F.multi_head_attention_forward(query=x[:1], key=x, value=x, **arguments)
        arguments |= dict(need_weights=True, average_attn_weights=False)
        if not (torch.compiler.is_exporting() or torch.onnx.is_in_onnx_export()):
            self.probs = F.multi_head_attention_forward(query=x[:1], key=x, value=x, **arguments)[1]
        return out.squeeze(0)


# One head: `nonlocal`.


class NonLocal(nn.Module):
    """Embedded Gaussian, Wang et al.: maps flattened, k never transposed, and the sum at its end."""

    def __init__(self, scale: bool, pool: bool):
        super().__init__()
        self.theta, self.phi, self.g = (nn.Conv2d(C, D, 1) for _ in range(3))
        self.w, self.scale = nn.Conv2d(D, C, 1), scale
        self.pool = nn.MaxPool2d((1, 2)) if pool else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        n, _, h, w = x.shape
        g = self.pool(self.g(x)).view(n, D, -1).permute(0, 2, 1)
        theta = self.theta(x).view(n, D, -1).permute(0, 2, 1)
        phi = self.pool(self.phi(x)).view(n, D, -1)
        f = torch.matmul(theta, phi)
        if self.scale:
            f = f / theta.shape[-1] ** 0.5
        probs = F.softmax(f, dim=-1)
        keep(self, probs=probs, logits=f)
        y = torch.matmul(probs, g).permute(0, 2, 1).contiguous().view(n, D, h, w)
        return self.w(y) + x


class PAM(nn.Module):
    """DANet's position attention: v is the left operand, of all channels."""

    def __init__(self):
        super().__init__()
        self.query_conv, self.key_conv, self.value_conv = nn.Conv2d(C, D, 1), nn.Conv2d(C, D, 1), nn.Conv2d(C, C, 1)
        self.gamma = nn.Parameter(torch.rand(1))

    def forward(self, x: Tensor) -> Tensor:
        n, c, h, w = x.size()
        query = self.query_conv(x).view(n, -1, w * h).permute(0, 2, 1)
        key = self.key_conv(x).view(n, -1, w * h)
        attention = torch.softmax(torch.bmm(query, key), dim=-1)
        keep(self, probs=attention)
        value = self.value_conv(x).view(n, -1, w * h)
        return self.gamma * torch.bmm(value, attention.permute(0, 2, 1)).view(n, c, h, w) + x


class ColumnwisePAM(PAM):
    """fastai's and SAGAN's: the map is stored keys by queries, so the softmax runs along columns."""

    def forward(self, x: Tensor) -> Tensor:
        size = x.size()
        x = x.view(*size[:2], -1)
        weights = [conv.weight.squeeze(-1) for conv in (self.query_conv, self.key_conv, self.value_conv)]
        f, g, h = (F.conv1d(x, weight) for weight in weights)
        beta = F.softmax(torch.bmm(f.transpose(1, 2), g), dim=1)
        keep(self, probs=beta.transpose(1, 2))
        return (self.gamma * torch.bmm(h, beta) + x).view(*size)


class Diffusion(nn.Module):
    """The mid-block of latent diffusion's autoencoder: one head, scale on the product."""

    def __init__(self):
        super().__init__()
        self.norm = nn.GroupNorm(2, C)
        self.q, self.k, self.v, self.proj_out = (nn.Conv2d(C, C, 1) for _ in range(4))

    def forward(self, x: Tensor) -> Tensor:
        h_ = self.norm(x)
        q, k, v = self.q(h_), self.k(h_), self.v(h_)
        b, c, h, w = q.shape
        q = q.reshape(b, c, h * w).permute(0, 2, 1)
        w_ = torch.bmm(q, k.reshape(b, c, h * w)) * (int(c) ** (-0.5))
        w_ = F.softmax(w_, dim=2)
        keep(self, probs=w_)
        h_ = torch.bmm(v.reshape(b, c, h * w), w_.permute(0, 2, 1)).reshape(b, c, h, w)
        return x + self.proj_out(h_)


# Without a softmax: `linear_attention`.


class LiteMLA(nn.Module):
    """EfficientViT's, as its authors wrote it: a row of ones under v gives the denominator."""

    def __init__(self):
        super().__init__()
        self.qkv, self.proj = nn.Conv2d(C, 3 * C, 1), nn.Conv2d(C, C, 1)

    def forward(self, x: Tensor) -> Tensor:
        n, c, h, w = x.size()
        qkv = self.qkv(x).reshape(n, -1, 3 * D, h * w)
        q, k, v = qkv[:, :, :D], qkv[:, :, D:2 * D], qkv[:, :, 2 * D:]
        q, trans_k = F.relu(q), F.relu(k).transpose(-1, -2)
        v = F.pad(v, (0, 0, 0, 1), mode="constant", value=1)
        out = torch.matmul(torch.matmul(v, trans_k), q)
        denominator = out[:, :, -1:] + 1.0e-15
        keep(self, denominator=denominator.squeeze(2), map=F.relu(k).transpose(-1, -2).matmul(q).transpose(-1, -2)
             / denominator.transpose(-1, -2))
        return self.proj((out[:, :, :-1] / denominator).reshape(n, c, h, w))


class TimmLiteMLA(LiteMLA):
    """timm's form: tokens before features, ones at the end of v's rows."""

    def forward(self, x: Tensor) -> Tensor:
        n, c, h, w = x.shape
        q, k, v = self.qkv(x).reshape(n, H, 3 * D, h * w).transpose(-1, -2).chunk(3, dim=-1)
        q, k = F.relu(q), F.relu(k)
        out = q @ (k.transpose(-1, -2) @ F.pad(v, (0, 1), mode="constant", value=1.0))
        denominator = out[..., -1:] + 1.0e-5
        keep(self, denominator=denominator.squeeze(-1), map=q @ k.transpose(-1, -2) / denominator)
        return self.proj((out[..., :-1] / denominator).transpose(-1, -2).reshape(n, c, h, w))


class Elu(LiteMLA):
    """Katharopoulos et al.: features by elu + 1, the denominator from the sum of keys."""

    def forward(self, x: Tensor) -> Tensor:
        n, c, h, w = x.shape
        q, k, v = (t.reshape(n, H, D, h * w).transpose(-1, -2) for t in self.qkv(x).chunk(3, dim=1))
        q, k = F.elu(q) + 1, F.elu(k) + 1
        denominator = q @ k.sum(dim=-2, keepdim=True).transpose(-1, -2) + 1e-6
        keep(self, denominator=denominator.squeeze(-1), map=q @ k.transpose(-1, -2) / denominator)
        out = q @ (k.transpose(-1, -2) @ v) / denominator
        return self.proj(out.transpose(-1, -2).reshape(n, c, h, w))


# Near misses.


class DotProduct(NonLocal):
    """Non-local without a softmax: products divided by how many there are."""

    def forward(self, x: Tensor) -> Tensor:
        n, _, h, w = x.shape
        g, theta = (conv(x).view(n, D, -1).permute(0, 2, 1) for conv in (self.g, self.theta))
        f = torch.matmul(theta, self.phi(x).view(n, D, -1))
        y = torch.matmul(f / f.size(-1), g).permute(0, 2, 1).contiguous().view(n, D, h, w)
        return self.w(y) + x


class Bilinear(nn.Module):
    """Bilinear pooling: a map meets itself, and its features are normalised."""

    def forward(self, x: Tensor) -> Tensor:
        flat = x.flatten(2)
        return F.normalize(torch.bmm(flat, flat.transpose(1, 2)) / L, dim=-1).unsqueeze(1).repeat(1, C, 1, 1)


class Factorised(nn.Module):
    """Kᵀ V and then Q, but nothing is divided: two products of matrices."""

    def __init__(self):
        super().__init__()
        self.qkv = nn.Conv2d(C, 3 * C, 1)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.qkv(x).flatten(2).chunk(3, dim=1)
        return torch.bmm(torch.bmm(v, k.transpose(1, 2)), q).view(x.shape)


@case()
def psa() -> Built:
    return found(PSA(), "attention", "probs")


@case(opsets=LATER)
def area_attention() -> Built:
    return found(Area(), "attention", "probs")


@case(opsets=LATER)
def bot_with_positions() -> Built:
    return found(BoT(), "attention", "probs")


@case(opsets=LATER)
def positions_written_into_scores() -> Built:
    return found(Decomposed(0), "attention", "probs")


@case(opsets=LATER)
def positions_written_into_a_part() -> Built:
    return found(Decomposed(1), "attention", "probs")


@case(opsets=LATER)
def reduced_keys() -> Built:
    return found(Reduced(), "attention", "probs")


@case(opsets={"ts": (14, 17), "dynamo": (18,)})
def clip_pooling() -> Built:
    attn = Pool()
    return Built(attn, (image(),), lambda: [Block("attention", {"probs": attn.probs})], apart=("position",))


@case()
def nonlocal_embedded_gaussian() -> Built:
    return found(NonLocal(scale=False, pool=False), "nonlocal", "probs")


@case()
def nonlocal_scaled_and_pooled() -> Built:
    return found(NonLocal(scale=True, pool=True), "nonlocal", "probs", "logits", open="all")


@case()
def pam() -> Built:
    return found(PAM(), "nonlocal", "probs")


@case()
def pam_by_columns() -> Built:
    return found(ColumnwisePAM(), "nonlocal", "probs")


@case()
def diffusion_autoencoder() -> Built:
    return found(Diffusion(), "nonlocal", "probs")


@case()
def linear_attention() -> Built:
    return found(LiteMLA(), "linear_attention", "denominator", "map", open="all")


@case()
def linear_attention_of_timm() -> Built:
    return found(TimmLiteMLA(), "linear_attention", "denominator", "map", open="all")


@case(opsets=LATER)
def linear_attention_by_elu() -> Built:
    return found(Elu(), "linear_attention", "denominator", "map", open="all")


@case(opsets=LATER)
def miss_dot_product() -> Built:
    return nothing(DotProduct(False, False))


@case(opsets=LATER)
def miss_bilinear_pooling() -> Built:
    return nothing(Bilinear())


@case(opsets=LATER)
def miss_products_without_denominator() -> Built:
    return nothing(Factorised())


if __name__ == "__main__":
    main()
