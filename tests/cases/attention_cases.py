"""Multi-head attention of tokens: how PyTorch code packs q, k and v, scales, masks, guards and merges heads.
Near misses among them: softmax over another axis, maps that are changed on their way to v, gates that only look alike."""
import math

import torch
from harness import Block, Built, case, keep, main
from torch import Tensor, nn
from torch.nn import functional as F

N, L, S, H, D = 2, 5, 7, 3, 4  # batch, queries, keys, heads, a head's width
C = H * D
LATER = {"ts": (17,), "dynamo": (18,)}  # for spellings that opset 11 has in the same words
SDPA = {"ts": (14, 17), "dynamo": (18,)}  # scaled_dot_product_attention is exported from 14 on


def tokens(length: int = L) -> Tensor:
    return torch.randn(N, length, C)


def split_heads(x: Tensor) -> Tensor:
    """[N,L,C] to [N,H,L,D]."""
    return x.view(x.shape[0], x.shape[1], H, -1).transpose(1, 2)


def merge_heads(x: Tensor) -> Tensor:
    """[N,H,L,D] to [N,L,C]."""
    return x.transpose(1, 2).flatten(2)


class Net(nn.Module):
    """A residual block with the attention under the name `attn`."""

    def __init__(self, attn: nn.Module, *more: Tensor):
        super().__init__()
        self.norm = nn.LayerNorm(C)
        self.attn = attn
        self.fc = nn.Linear(C, C)

    def forward(self, x: Tensor, *more: Tensor) -> Tensor:
        return x + self.fc(self.attn(self.norm(x), *more))


def found(attn: nn.Module, *inputs: Tensor, probes: tuple[str, ...] = ("probs",), open: str = "auto") -> Built:
    """The attention in a residual block: one block called attn, whose maps the module keeps."""
    net = Net(attn)
    return Built(net, (tokens(), *inputs),
                 lambda: [Block("attention", {p: getattr(attn, p) for p in probes}, name="attn")], open=open)


def nothing(attn: nn.Module, *inputs: Tensor) -> Built:
    return Built(Net(attn), (tokens(), *inputs), [])


# How q, k and v are packed.


class Packed(nn.Module):
    """One projection; how it is taken apart is the subclass's. The scale is on q, as in timm."""

    def __init__(self):
        super().__init__()
        self.qkv = nn.Linear(C, 3 * C)
        self.drop = nn.Dropout(0.1)
        self.proj = nn.Linear(C, C)

    def take_apart(self, qkv: Tensor) -> tuple[Tensor, ...]:
        raise NotImplementedError

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.take_apart(self.qkv(x))
        attn = (q * D**-0.5) @ k.transpose(-2, -1)
        probs = self.drop(attn.softmax(dim=-1))
        keep(self, probs=probs)
        x = (probs @ v).transpose(1, 2).reshape(x.shape)
        return self.proj(x)


class ByIndex(Packed):
    def take_apart(self, qkv: Tensor) -> tuple[Tensor, ...]:
        n, length, _ = qkv.shape
        qkv = qkv.reshape(n, length, 3, H, D).permute(2, 0, 3, 1, 4)
        return qkv[0], qkv[1], qkv[2]


class ByUnbind(Packed):
    def take_apart(self, qkv: Tensor) -> tuple[Tensor, ...]:
        n, length, _ = qkv.shape
        return qkv.reshape(n, length, 3, H, D).permute(2, 0, 3, 1, 4).unbind(0)


class ByChunk(Packed):
    def take_apart(self, qkv: Tensor) -> tuple[Tensor, ...]:
        return tuple(split_heads(part) for part in qkv.chunk(3, dim=-1))


class BySplit(Packed):
    def take_apart(self, qkv: Tensor) -> tuple[Tensor, ...]:
        q, k, v = qkv.split(C, dim=2)
        return split_heads(q), split_heads(k), split_heads(v)


class BySlice(Packed):
    def take_apart(self, qkv: Tensor) -> tuple[Tensor, ...]:
        return split_heads(qkv[..., :C]), split_heads(qkv[..., C:2 * C]), split_heads(qkv[:, :, 2 * C:])


class PerHead(Packed):
    """A head's q, k and v lie side by side, as in GPT-NeoX: (h qkv d)."""

    def take_apart(self, qkv: Tensor) -> tuple[Tensor, ...]:
        n, length, _ = qkv.shape
        return qkv.view(n, length, H, 3 * D).transpose(1, 2).chunk(3, dim=-1)


class Interleaved(Packed):
    """rearrange(qkv, 'b n (h d qkv) -> b h n d qkv'), the last axis taken apart."""

    def take_apart(self, qkv: Tensor) -> tuple[Tensor, ...]:
        n, length, _ = qkv.shape
        qkv = qkv.view(n, length, H, D, 3).permute(0, 2, 1, 3, 4)
        return qkv[..., 0], qkv[..., 1], qkv[..., 2]


@case()
def packed_by_index() -> Built:
    return found(ByIndex())


@case()
def packed_by_unbind() -> Built:
    return found(ByUnbind())


@case()
def packed_by_chunk() -> Built:
    return found(ByChunk())


@case(opsets=LATER)
def packed_by_split() -> Built:
    return found(BySplit())


@case(opsets=LATER)
def packed_by_slice() -> Built:
    return found(BySlice())


@case(opsets=LATER)
def packed_per_head() -> Built:
    return found(PerHead())


@case(opsets=LATER)
def packed_interleaved() -> Built:
    return found(Interleaved())


class Separate(nn.Module):
    """Three projections, as in BERT. The subclass says how q and k become logits, and logits probabilities."""

    def __init__(self):
        super().__init__()
        self.query, self.key, self.value = nn.Linear(C, C), nn.Linear(C, C), nn.Linear(C, C)

    def to_logits(self, q: Tensor, k: Tensor, *more: Tensor) -> Tensor:
        return q @ k.transpose(-1, -2) / math.sqrt(D)

    def to_probs(self, logits: Tensor, *more: Tensor) -> Tensor:
        return F.softmax(logits, dim=-1)

    def forward(self, x: Tensor, *more: Tensor) -> Tensor:
        q, k, v = split_heads(self.query(x)), split_heads(self.key(x)), split_heads(self.value(x))
        logits = self.to_logits(q, k, *more)
        probs = self.to_probs(logits, *more)
        keep(self, probs=probs, logits=logits)
        return merge_heads(probs @ v)


@case()
def three_linears() -> Built:
    return found(Separate(), probes=("probs", "logits"), open="all")


class Folded(Separate):
    """k is transposed while its heads are split: permute(0, 2, 3, 1)."""

    def forward(self, x: Tensor) -> Tensor:
        n, length, _ = x.shape
        q, v = split_heads(self.query(x)), split_heads(self.value(x))
        k = self.key(x).view(n, length, H, D).permute(0, 2, 3, 1)
        probs = torch.matmul(q, k).div(D**0.5).softmax(-1)
        keep(self, probs=probs)
        return torch.matmul(probs, v).permute(0, 2, 1, 3).contiguous().view(n, length, C)


@case()
def keys_transposed_with_their_heads() -> Built:
    return found(Folded())


# Where the scale is.


class OnProduct(Separate):
    def to_logits(self, q: Tensor, k: Tensor) -> Tensor:
        return D**-0.5 * (q @ k.transpose(-1, -2))


class OnKeys(Separate):
    def to_logits(self, q: Tensor, k: Tensor) -> Tensor:
        return q @ (k / math.sqrt(D)).transpose(-1, -2)


class OnBoth(Separate):
    def to_logits(self, q: Tensor, k: Tensor) -> Tensor:
        return (q * D**-0.25) @ (k.transpose(-1, -2) * D**-0.25)


class FromShape(Separate):
    def to_logits(self, q: Tensor, k: Tensor) -> Tensor:
        return q @ k.transpose(-1, -2) / torch.sqrt(torch.tensor(k.shape[-1], dtype=torch.float32))


class Unscaled(Separate):
    def to_logits(self, q: Tensor, k: Tensor) -> Tensor:
        return q @ k.transpose(-1, -2)


class Temperature(Separate):
    """Cosine similarities with a learned temperature for each head, as in Swin V2."""

    def __init__(self):
        super().__init__()
        self.logit_scale = nn.Parameter(torch.log(torch.rand(H, 1, 1) * 5 + 1))

    def to_logits(self, q: Tensor, k: Tensor) -> Tensor:
        attn = F.normalize(q, dim=-1) @ F.normalize(k, dim=-1).transpose(-2, -1)
        return attn * torch.clamp(self.logit_scale, max=math.log(1 / 0.01)).exp()


class Softcapped(Separate):
    """Logits kept within ±3, as in Gemma 2."""

    def to_logits(self, q: Tensor, k: Tensor) -> Tensor:
        return torch.tanh(q @ k.transpose(-1, -2) * D**-0.5 / 3.0) * 3.0


@case(opsets=LATER)
def scale_on_product() -> Built:
    return found(OnProduct())


@case(opsets=LATER)
def scale_on_keys() -> Built:
    return found(OnKeys())


@case(opsets=LATER)
def scale_on_both() -> Built:
    return found(OnBoth())


@case()
def scale_from_shape() -> Built:
    return found(FromShape())


@case(opsets=LATER)
def no_scale() -> Built:
    return found(Unscaled())


@case()
def cosine_with_temperature() -> Built:
    return found(Temperature(), probes=("probs", "logits"), open="all")


@case(opsets=LATER)
def softcapped() -> Built:
    return found(Softcapped(), probes=("probs", "logits"), open="all")


# Masks and guards.


def padding() -> Tensor:
    """[N,L], true for tokens that are there."""
    return torch.arange(L) < torch.tensor([[L], [L - 2]])


class AddedMask(Separate):
    def to_logits(self, q: Tensor, k: Tensor, mask: Tensor) -> Tensor:
        return super().to_logits(q, k) + (1.0 - mask[:, None, None, :].float()) * -10000.0


class FilledMask(Separate):
    def to_logits(self, q: Tensor, k: Tensor, mask: Tensor) -> Tensor:
        return super().to_logits(q, k).masked_fill(mask[:, None, None, :] == 0, float("-inf"))


class LeastMask(Separate):
    """torch.where with the type's least number, then what a softmax leaves at masked places is set to zero."""

    def to_logits(self, q: Tensor, k: Tensor, mask: Tensor) -> Tensor:
        scores = super().to_logits(q, k)
        return torch.where(mask[:, None, None, :], scores, torch.finfo(scores.dtype).min)

    def to_probs(self, logits: Tensor, mask: Tensor) -> Tensor:
        return logits.softmax(-1).masked_fill(~mask[:, None, None, :], 0.0)


class GuardedMask(Separate):
    """A row that is masked whole would be not a number: such rows are set to zero."""

    def to_logits(self, q: Tensor, k: Tensor, mask: Tensor) -> Tensor:
        return super().to_logits(q, k).masked_fill(~mask[:, None, :, None], float("-inf"))

    def to_probs(self, logits: Tensor, mask: Tensor) -> Tensor:
        probs = logits.softmax(-1)
        return torch.where(torch.isnan(probs), torch.zeros_like(probs), probs)


class BiasAndMask(Separate):
    """ALiBi's slopes, and a mask."""

    def __init__(self):
        super().__init__()
        distances = torch.arange(L)[None, :] - torch.arange(L)[:, None]
        self.register_buffer("bias", -distances.abs() * torch.tensor([0.5, 0.25, 0.125])[:, None, None])

    def to_logits(self, q: Tensor, k: Tensor, mask: Tensor) -> Tensor:
        scores = super().to_logits(q, k) + self.bias
        return scores + torch.where(mask, 0.0, -1e9)[:, None, None, :]


class Relative(Separate):
    """Transformer-XL's order: scores and relative scores are added, then scaled."""

    def __init__(self):
        super().__init__()
        self.relative = nn.Parameter(torch.randn(H, D, L))

    def to_logits(self, q: Tensor, k: Tensor) -> Tensor:
        return (q @ k.transpose(-1, -2) + q @ self.relative) / math.sqrt(D)


@case()
def mask_that_is_added() -> Built:
    return found(AddedMask(), padding(), probes=("probs", "logits"), open="all")


@case()
def mask_that_is_filled_in() -> Built:
    return found(FilledMask(), padding())


@case(opsets=LATER)
def mask_by_where_and_zeros_behind() -> Built:
    return found(LeastMask(), padding())


@case()
def guard_for_rows_without_keys() -> Built:
    return found(GuardedMask(), padding())


@case()
def bias_and_mask() -> Built:
    return found(BiasAndMask(), padding(), probes=("probs", "bias"), open="all")


@case(opsets=LATER)
def relative_scores_before_the_scale() -> Built:
    return found(Relative())


class WidenedSoftmax(Separate):
    """A softmax in single precision amid double."""

    def to_probs(self, logits: Tensor) -> Tensor:
        return F.softmax(logits, dim=-1, dtype=torch.float32).to(logits.dtype)


@case(opsets=LATER)
def softmax_in_another_type() -> Built:
    attn = WidenedSoftmax().double()
    return Built(attn, (tokens().double(),), lambda: [Block("attention", {"probs": attn.probs}, name="attention_0")])


# torch's own functions.


class Functional(nn.Module):
    """scaled_dot_product_attention; the map is computed beside it."""

    def __init__(self, causal: bool = False, **options: float):
        super().__init__()
        self.qkv = nn.Linear(C, 3 * C)
        self.causal, self.options = causal, options

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        q, k, v = (split_heads(part) for part in self.qkv(x).chunk(3, -1))
        logits = q @ k.transpose(-1, -2) * self.options.get("scale", D**-0.5)
        if self.causal:
            logits = logits.masked_fill(torch.ones(L, L).triu(1).bool(), float("-inf"))
        elif mask is not None:
            logits = logits.masked_fill(~mask, float("-inf")) if mask.dtype == torch.bool else logits + mask
        keep(self, probs=logits.softmax(-1))
        return merge_heads(F.scaled_dot_product_attention(q, k, v, attn_mask=mask, is_causal=self.causal, **self.options))


@case(opsets=SDPA)
def functional() -> Built:
    return found(Functional())


@case(opsets=SDPA)
def functional_causal() -> Built:
    return found(Functional(causal=True))


@case(opsets=SDPA)
def functional_scale() -> Built:
    return found(Functional(scale=0.3))


@case(opsets=SDPA)
def functional_boolean_mask() -> Built:
    return found(Functional(), padding()[:, None, None, :].expand(N, 1, L, L).contiguous())


@case(opsets=SDPA)
def functional_added_mask() -> Built:
    return found(Functional(), torch.randn(L, L))


class Multihead(nn.Module):
    """nn.MultiheadAttention, with what it returns as weights; where it returns none, they are asked for beside it."""

    def __init__(self, batch_first: bool = True, **options: bool):
        super().__init__()
        self.mha = nn.MultiheadAttention(C, H, batch_first=batch_first)
        self.options = options

    def forward(self, x: Tensor, memory: Tensor | None = None, **masks: Tensor) -> tuple[Tensor, ...]:
        memory = x if memory is None else memory
        result = self.mha(x, memory, memory, **masks, **self.options)
        if not (torch.compiler.is_exporting() or torch.onnx.is_in_onnx_export()):
            self.probs = self.mha(x, memory, memory, **masks, average_attn_weights=False)[1]
        return tuple(part for part in result if part is not None)


class Masked(Multihead):
    def forward(self, x: Tensor, mask: Tensor) -> tuple[Tensor, ...]:
        return super().forward(x, attn_mask=mask)


class Padded(Multihead):
    def forward(self, x: Tensor, mask: Tensor) -> tuple[Tensor, ...]:
        return super().forward(x, key_padding_mask=mask)


MHA = {"ts": (14, 17), "dynamo": (18,)}  # unflatten is exported from 13 on


def multihead(attn: Multihead, *inputs: Tensor) -> Built:
    return Built(attn, inputs, lambda: [Block("attention", {"probs": attn.probs}, name="mha")])


@case(opsets=MHA)
def multihead_averaged_weights() -> Built:
    return multihead(Multihead(), tokens())


@case(opsets=MHA)
def multihead_weights_of_heads() -> Built:
    return multihead(Multihead(average_attn_weights=False), tokens())


@case(opsets=MHA)
def multihead_without_weights() -> Built:
    return multihead(Multihead(need_weights=False), tokens())


@case(opsets=MHA)
def multihead_batch_second() -> Built:
    return multihead(Multihead(batch_first=False), torch.randn(L, N, C))


@case(opsets=MHA)
def multihead_batch_second_without_weights() -> Built:
    return multihead(Multihead(batch_first=False, need_weights=False), torch.randn(L, N, C))


@case(opsets=MHA)
def multihead_cross() -> Built:
    return multihead(Multihead(), tokens(), tokens(S))


@case(opsets={"ts": (17,), "dynamo": (18,)})
def multihead_one_query() -> Built:
    return multihead(Multihead(), tokens(1), tokens(S))


@case(opsets=MHA)
def multihead_boolean_mask() -> Built:
    return multihead(Masked(), tokens(), torch.ones(L, L).triu(1).bool())


@case(opsets=MHA)
def multihead_added_mask_without_weights() -> Built:
    return multihead(Masked(need_weights=False), tokens(), torch.randn(L, L))


@case(opsets=MHA)
def multihead_padding() -> Built:
    return multihead(Padded(), tokens(), ~padding())


# Einsums.


class Einsum(Separate):
    def forward(self, x: Tensor) -> Tensor:
        q, k, v = split_heads(self.query(x)), split_heads(self.key(x)), split_heads(self.value(x))
        probs = (torch.einsum("bhid,bhjd->bhij", q, k) * D**-0.5).softmax(dim=-1)
        keep(self, probs=probs)
        return merge_heads(torch.einsum("bhij,bhjd->bhid", probs, v))


class EinsumInPlace(Separate):
    """Heads stay behind the tokens: the einsum moves them."""

    def forward(self, x: Tensor) -> Tensor:
        n, length, _ = x.shape
        q, k, v = (layer(x).view(n, length, H, D) for layer in (self.query, self.key, self.value))
        probs = torch.softmax(torch.einsum("nqhd,nkhd->nhqk", q / math.sqrt(D), k), dim=3)
        keep(self, probs=probs)
        return torch.einsum("nhql,nlhd->nqhd", probs, v).reshape(n, length, C)


class EinsumMerged(Separate):
    """rearrange(t, 'b n (h d) -> (b h) n d', h=h), as in older code of diffusion models."""

    def forward(self, x: Tensor) -> Tensor:
        n, length, _ = x.shape
        q, k, v = (split_heads(layer(x)).reshape(n * H, length, D) for layer in (self.query, self.key, self.value))
        probs = (torch.einsum("b i d, b j d -> b i j", q, k) * D**-0.5).softmax(dim=-1)
        keep(self, probs=probs.view(n, H, length, length))
        return merge_heads(torch.einsum("b i j, b j d -> b i d", probs, v).view(n, H, length, D))


class OneKeyHead(nn.Module):
    """Multi-query attention: all heads share one k and v, and the einsum broadcasts them."""

    def __init__(self):
        super().__init__()
        self.q, self.kv = nn.Linear(C, C), nn.Linear(C, 2 * D)

    def forward(self, x: Tensor) -> Tensor:
        q, (k, v) = split_heads(self.q(x)), self.kv(x).chunk(2, dim=-1)
        probs = torch.einsum("b h i d, b j d -> b h i j", q * D**-0.5, k).softmax(dim=-1)
        keep(self, probs=probs)
        return merge_heads(torch.einsum("b h i j, b j d -> b h i d", probs, v))


@case(opsets={"ts": (12, 17), "dynamo": (18,)})
def einsum() -> Built:
    return found(Einsum())


@case(opsets={"ts": (12, 17), "dynamo": (18,)})
def einsum_with_heads_in_place() -> Built:
    return found(EinsumInPlace())


@case(opsets=LATER)
def einsum_with_merged_heads() -> Built:
    return found(EinsumMerged())


@case(opsets=LATER)
def einsum_with_one_key_head() -> Built:
    return found(OneKeyHead())


# Heads merged with the batch.


class MergedHeads(Separate):
    """[N*H,L,D] and bmm, as in BART and fairseq; a mask is added with the heads apart."""

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        n, length, _ = x.shape
        q, k, v = (split_heads(layer(x)).contiguous().view(n * H, -1, D)
                   for layer in (self.query, self.key, self.value))
        weights = torch.bmm(q * D**-0.5, k.transpose(1, 2))
        if mask is not None:
            weights = weights.view(n, H, length, length) + mask[:, None, None, :]
            weights = weights.view(n * H, length, length)
        weights = F.softmax(weights, dim=-1)
        keep(self, probs=weights.view(n, H, length, length))
        out = torch.bmm(F.dropout(weights, 0.1, self.training), v)
        return out.view(n, H, length, D).transpose(1, 2).reshape(n, length, C)


class Baddbmm(Separate):
    """The product and the scale in one call, as diffusers has it."""

    def forward(self, x: Tensor) -> Tensor:
        n, length, _ = x.shape
        q, k, v = (split_heads(layer(x)).reshape(n * H, -1, D) for layer in (self.query, self.key, self.value))
        empty = torch.zeros(n * H, length, length)
        probs = torch.baddbmm(empty, q, k.transpose(-1, -2), beta=0, alpha=D**-0.5).softmax(dim=-1)
        keep(self, probs=probs.view(n, H, length, length))
        return torch.bmm(probs, v).reshape(n, H, length, D).permute(0, 2, 1, 3).reshape(n, length, C)


class OneHead(Separate):
    """A single head, never split: [N,L,C]."""

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.query(x), self.key(x), self.value(x)
        probs = torch.softmax(torch.bmm(q, k.transpose(1, 2)) / math.sqrt(C), dim=2)
        keep(self, probs=probs.unsqueeze(1))
        return torch.bmm(probs, v)


@case()
def merged_heads() -> Built:
    return found(MergedHeads())


@case()
def merged_heads_with_mask() -> Built:
    return found(MergedHeads(), torch.where(padding(), 0.0, -1e4))


@case()
def merged_heads_by_baddbmm() -> Built:
    return found(Baddbmm())


@case()
def one_head() -> Built:
    return found(OneHead())


# Other sources, other sizes.


class Cross(nn.Module):
    """Keys and values of another sequence, of another width."""

    def __init__(self, width: int):
        super().__init__()
        self.q, self.kv, self.proj = nn.Linear(C, C), nn.Linear(width, 2 * C), nn.Linear(C, C)

    def forward(self, x: Tensor, memory: Tensor) -> Tensor:
        n, length, _ = memory.shape
        q = split_heads(self.q(x))
        k, v = self.kv(memory).reshape(n, length, 2, H, D).permute(2, 0, 3, 1, 4)
        probs = (q @ k.transpose(-2, -1) * D**-0.5).softmax(dim=-1)
        keep(self, probs=probs)
        return self.proj(merge_heads(probs @ v))


class Latents(nn.Module):
    """Learned queries, as in Perceiver and Q-Former: q is a constant."""

    def __init__(self):
        super().__init__()
        self.latents = nn.Parameter(torch.randn(1, 3, C))
        self.q, self.k, self.v = nn.Linear(C, C), nn.Linear(C, C), nn.Linear(C, C)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = split_heads(self.q(self.latents)), split_heads(self.k(x)), split_heads(self.v(x))
        probs = torch.softmax(q @ k.transpose(-2, -1) / D**0.5, dim=-1)
        keep(self, probs=probs)
        return merge_heads(probs @ v)


class Channels(nn.Module):
    """Cross-covariance attention (XCiT): the tokens of this attention are channels. It is listed as attention."""

    def __init__(self):
        super().__init__()
        self.temperature = nn.Parameter(torch.rand(H, 1, 1) + 0.5)
        self.qkv = nn.Linear(C, 3 * C)

    def forward(self, x: Tensor) -> Tensor:
        n, length, _ = x.shape
        q, k, v = self.qkv(x).reshape(n, length, 3, H, D).permute(2, 0, 3, 4, 1).unbind(0)
        q, k = F.normalize(q, dim=-1), F.normalize(k, dim=-1)
        probs = (q @ k.transpose(-2, -1) * self.temperature).softmax(dim=-1)
        keep(self, probs=probs)
        return (probs @ v).permute(0, 3, 1, 2).reshape(n, length, C)


class Layers(nn.Module):
    """Two layers of torch's own encoder."""

    def __init__(self):
        super().__init__()
        layer = nn.TransformerEncoderLayer(C, H, dim_feedforward=16, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.encoder(x)


@case()
def cross_attention() -> Built:
    return found(Cross(6), torch.randn(N, S, 6))


@case(opsets=LATER)
def learned_queries() -> Built:
    attn = Latents()
    return Built(attn, (tokens(),), lambda: [Block("attention", {"probs": attn.probs})])


@case()
def attention_over_channels() -> Built:
    return found(Channels())


@case(opsets=MHA)
def encoder_layers() -> Built:
    names = [f"encoder.layers.{i}.self_attn" for i in range(2)]
    return Built(Layers(), (tokens(),), [Block("attention", name=name) for name in names])


# Near misses.


class OverQueries(Separate):
    def to_probs(self, logits: Tensor) -> Tensor:
        return logits.softmax(dim=-2)


class SigmoidMap(Separate):
    def to_probs(self, logits: Tensor) -> Tensor:
        return torch.sigmoid(logits)


class TalkingHeads(Separate):
    """The heads' maps are mixed before they meet v: what weighs v is no softmax."""

    def __init__(self):
        super().__init__()
        self.mix = nn.Conv2d(H, H, 1)

    def to_probs(self, logits: Tensor) -> Tensor:
        return self.mix(logits.softmax(-1))


class Renormalised(Separate):
    """External attention normalises twice."""

    def to_probs(self, logits: Tensor) -> Tensor:
        probs = logits.softmax(-1)
        return probs / (1e-9 + probs.sum(dim=-2, keepdim=True))


class Memory(nn.Module):
    """Two layers with a softmax between them: keys that are weights make no attention."""

    def __init__(self):
        super().__init__()
        self.keys, self.values = nn.Linear(C, S, bias=False), nn.Linear(S, C, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.values(self.keys(x).softmax(-1))


class Classifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(C, 10)

    def forward(self, x: Tensor) -> Tensor:
        return torch.softmax(self.fc(torch.relu(x)), dim=-1)


@case(opsets=LATER)
def miss_softmax_over_queries() -> Built:
    return nothing(OverQueries())


@case(opsets=LATER)
def miss_sigmoid() -> Built:
    return nothing(SigmoidMap())


@case(opsets=LATER)
def miss_talking_heads() -> Built:
    return nothing(TalkingHeads())


@case(opsets=LATER)
def miss_normalised_twice() -> Built:
    return nothing(Renormalised())


@case(opsets=LATER)
def miss_layers_with_softmax() -> Built:
    return nothing(Memory())


@case(opsets=LATER)
def miss_classifier() -> Built:
    return Built(Classifier(), (tokens(),), [])


if __name__ == "__main__":
    main()
