"""Decoders: causal masks, grouped-query attention, rotary position encodings, sliding windows, cross-attention.
Rotary encodings are blocks of their own, `position`, and are looked at in position_cases.py."""
import math

import torch
from harness import Block, Built, case, keep, main
from torch import Tensor, nn
from torch.nn import functional as F

N, L, S, H, G, D = 2, 6, 4, 4, 2, 4  # batch, tokens, memory, heads, heads of keys, a head's width
C = H * D
LATER = {"ts": (17,), "dynamo": (18,)}
SDPA = {"ts": (17,), "dynamo": (18,)}


def found(attn: nn.Module, *inputs: Tensor) -> Built:
    return Built(Net(attn), inputs or (torch.randint(0, 11, (N, L)),),
                 lambda: [Block("attention", {"probs": attn.probs}, name="attn")], apart=("position",))


class Net(nn.Module):
    """Embedded tokens, and the attention under the name `attn`."""

    def __init__(self, attn: nn.Module):
        super().__init__()
        self.embed, self.norm, self.attn, self.head = nn.Embedding(11, C), nn.LayerNorm(C), attn, nn.Linear(C, 11)

    def forward(self, ids: Tensor, *more: Tensor) -> Tensor:
        x = self.embed(ids)
        return self.head(x + self.attn(self.norm(x), *more))


class Causal(nn.Module):
    """nanoGPT's attention, in the form without scaled_dot_product_attention."""

    def __init__(self):
        super().__init__()
        self.c_attn, self.c_proj = nn.Linear(C, 3 * C), nn.Linear(C, C)
        self.register_buffer("bias", torch.tril(torch.ones(L + 2, L + 2)).view(1, 1, L + 2, L + 2))

    def mask(self, att: Tensor) -> Tensor:
        length = att.shape[-1]
        return att.masked_fill(self.bias[:, :, :length, :length] == 0, float("-inf"))

    def forward(self, x: Tensor) -> Tensor:
        n, length, _ = x.size()
        q, k, v = (t.view(n, length, H, D).transpose(1, 2) for t in self.c_attn(x).split(C, dim=2))
        att = self.mask((q @ k.transpose(-2, -1)) * (1.0 / math.sqrt(k.size(-1))))
        probs = F.softmax(att, dim=-1)
        keep(self, probs=probs)
        return self.c_proj((probs @ v).transpose(1, 2).contiguous().view(n, length, C))


class CausalWhere(Causal):
    """GPT-2's form: torch.where with the type's least number."""

    def mask(self, att: Tensor) -> Tensor:
        length = att.shape[-1]
        allowed = self.bias[:, :, :length, :length].bool()
        return torch.where(allowed, att, torch.full([], torch.finfo(att.dtype).min, dtype=att.dtype))


class CausalTriu(Causal):
    """Added, and made while running."""

    def mask(self, att: Tensor) -> Tensor:
        length = att.shape[-1]
        return att + torch.triu(torch.full((length, length), float("-inf")), diagonal=1)


class Sliding(Causal):
    """Causal within a window of three, two masks one after the other."""

    def mask(self, att: Tensor) -> Tensor:
        places = torch.arange(att.shape[-1])
        att = att.masked_fill(places[None, :] > places[:, None], -1e9)
        return att.masked_fill(places[None, :] <= places[:, None] - 3, -1e9)


class Grouped(nn.Module):
    """Grouped-query attention with rotary positions, as Llama has it. repeat and rotate are the subclass's."""

    rotary = D

    def __init__(self):
        super().__init__()
        self.q_proj, self.o_proj = nn.Linear(C, H * D, bias=False), nn.Linear(H * D, C, bias=False)
        self.k_proj, self.v_proj = nn.Linear(C, G * D, bias=False), nn.Linear(C, G * D, bias=False)
        angles = torch.outer(torch.arange(L).float(), 1.0 / 10000 ** (torch.arange(0, self.rotary, 2) / self.rotary))
        self.register_buffer("angles", angles)

    def rotate(self, x: Tensor) -> Tensor:
        angles = torch.cat((self.angles, self.angles), dim=-1)
        half = torch.cat((-x[..., D // 2:], x[..., : D // 2]), dim=-1)
        return x * angles.cos() + half * angles.sin()

    def repeat(self, x: Tensor) -> Tensor:
        n, groups, length, width = x.shape
        x = x[:, :, None, :, :].expand(n, groups, H // G, length, width)
        return x.reshape(n, H, length, width)

    def attend(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        mask = torch.triu(torch.full((L, L), torch.finfo(q.dtype).min), diagonal=1)
        weights = torch.matmul(q, k.transpose(2, 3)) / math.sqrt(D) + mask[None, None]
        weights = F.softmax(weights, dim=-1, dtype=torch.float32).to(q.dtype)
        keep(self, probs=weights)
        return torch.matmul(weights, v)

    def forward(self, x: Tensor) -> Tensor:
        n, length, _ = x.shape
        q = self.q_proj(x).view(n, length, H, D).transpose(1, 2)
        k = self.k_proj(x).view(n, length, G, D).transpose(1, 2)
        v = self.v_proj(x).view(n, length, G, D).transpose(1, 2)
        out = self.attend(self.rotate(q), self.repeat(self.rotate(k)), self.repeat(v))
        return self.o_proj(out.transpose(1, 2).reshape(n, length, C))


class Interleaved(Grouped):
    """Neighbouring features are rotated together, as in GPT-J."""

    def rotate(self, x: Tensor) -> Tensor:
        cos, sin = (torch.stack((t, t), dim=-1).flatten(-2) for t in (self.angles.cos(), self.angles.sin()))
        turned = torch.stack((-x[..., 1::2], x[..., ::2]), dim=-1).flatten(-2)
        return x * cos + turned * sin


class Partial(Grouped):
    """Only the first half of a head's features has positions, as in GPT-NeoX."""

    rotary = D // 2

    def rotate(self, x: Tensor) -> Tensor:
        x, rest = x[..., : self.rotary], x[..., self.rotary:]
        angles = torch.cat((self.angles, self.angles), dim=-1)
        half = torch.cat((-x[..., self.rotary // 2:], x[..., : self.rotary // 2]), dim=-1)
        return torch.cat((x * angles.cos() + half * angles.sin(), rest), dim=-1)


class Repeated(Grouped):
    def repeat(self, x: Tensor) -> Tensor:
        return x.repeat_interleave(H // G, dim=1)


class Apart(Grouped):
    """Heads stay in groups: [N,G,H/G,L,D] against [N,G,1,L,D]. The map has five dimensions until it is merged."""

    def repeat(self, x: Tensor) -> Tensor:
        return x

    def attend(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        n = q.shape[0]
        scores = q.view(n, G, H // G, L, D) @ k.unsqueeze(2).transpose(-1, -2) / math.sqrt(D)
        probs = (scores + torch.triu(torch.full((L, L), float("-inf")), diagonal=1)).softmax(-1)
        keep(self, probs=probs.reshape(n, H, L, L))
        return (probs @ v.unsqueeze(2)).view(n, H, L, D)


class BySdpa(Grouped):
    def attend(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        causal = torch.ones(L, L).triu(1).bool()
        keep(self, probs=(q @ k.transpose(-2, -1) * D**-0.5).masked_fill(causal, float("-inf")).softmax(-1))
        return F.scaled_dot_product_attention(q, k, v, is_causal=True)


class ByGroupedSdpa(BySdpa):
    """scaled_dot_product_attention repeats the keys itself."""

    def repeat(self, x: Tensor) -> Tensor:
        return x

    def attend(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        causal = torch.ones(L, L).triu(1).bool()
        scores = q @ k.repeat_interleave(H // G, 1).transpose(-2, -1) * D**-0.5
        keep(self, probs=scores.masked_fill(causal, float("-inf")).softmax(-1))
        return F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True)


class Relative(Causal):
    """T5's: no scale, a bias looked up in buckets, and a mask added to the bias beforehand."""

    def __init__(self):
        super().__init__()
        self.relative_attention_bias = nn.Embedding(2 * L, H)

    def forward(self, x: Tensor) -> Tensor:
        n, length, _ = x.shape
        q, k, v = (t.view(n, length, H, D).transpose(1, 2) for t in self.c_attn(x).split(C, dim=2))
        places = torch.arange(length)
        bias = self.relative_attention_bias(places[None, :] - places[:, None] + length).permute(2, 0, 1).unsqueeze(0)
        bias = bias + torch.where(places[None, :] > places[:, None], -1e9, 0.0)
        scores = torch.matmul(q, k.transpose(3, 2))
        scores += bias
        probs = F.softmax(scores.float(), dim=-1).type_as(scores)
        keep(self, probs=probs)
        return self.c_proj((probs @ v).transpose(1, 2).contiguous().view(n, length, C))


class Layer(nn.Module):
    """torch's own decoder layer: causal self-attention, then attention to a memory."""

    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(11, C)
        self.layer = nn.TransformerDecoderLayer(C, H, dim_feedforward=16, batch_first=True)

    def forward(self, ids: Tensor, memory: Tensor) -> Tensor:
        mask = torch.triu(torch.full((L, L), float("-inf")), diagonal=1)
        return self.layer(self.embed(ids), memory, tgt_mask=mask)


@case()
def causal_by_masked_fill() -> Built:
    return found(Causal())


@case()
def causal_by_where() -> Built:
    return found(CausalWhere())


@case(opsets={"ts": (14, 17), "dynamo": (18,)})
def causal_by_triu() -> Built:
    return found(CausalTriu())


@case(opsets=LATER)
def causal_within_a_window() -> Built:
    return found(Sliding())


@case(opsets={"ts": (14, 17), "dynamo": (18,)})
def grouped_queries_expanded() -> Built:
    return found(Grouped())


@case(opsets=LATER)
def grouped_queries_interleaved_rotation() -> Built:
    return found(Interleaved())


@case(opsets=LATER)
def grouped_queries_partial_rotation() -> Built:
    return found(Partial())


@case(opsets=LATER)
def grouped_queries_repeated() -> Built:
    return found(Repeated())


@case(opsets=LATER)
def grouped_queries_kept_apart() -> Built:
    return found(Apart())


@case(opsets=SDPA)
def grouped_queries_by_sdpa() -> Built:
    return found(BySdpa())


@case(exporters=("dynamo",))
def grouped_queries_within_sdpa() -> Built:
    return found(ByGroupedSdpa())


@case(opsets=LATER)
def relative_bias_with_causal_mask() -> Built:
    return found(Relative())


@case(opsets={"ts": (14, 17), "dynamo": (18,)})
def decoder_layer() -> Built:
    return Built(Layer(), (torch.randint(0, 11, (N, L)), torch.randn(N, S, C)),
                 [Block("attention", name="layer.self_attn"), Block("attention", name="layer.multihead_attn")])


if __name__ == "__main__":
    main()
