"""Positional encodings: tables that are learned or of sines, added to tokens or maps, and rotary tables.
Near misses among them: what is added is the same at every place, or is no constant."""
import math

import torch
from harness import Block, Built, case, main
from torch import Tensor, nn
from torch.nn import functional as F

N, L, H, D = 2, 6, 2, 4  # batch, tokens, heads, a head's width
C = H * D
LATER = {"ts": (17,), "dynamo": (18,)}


def table(block: Tensor) -> list[Block]:
    return [Block("position", {"table": block})]


class Patches(nn.Module):
    """ViT's embedding: patches, a class token before them, and a learned table."""

    def __init__(self):
        super().__init__()
        self.proj, self.norm = nn.Conv2d(3, C, 4, 4), nn.LayerNorm(C)
        self.cls_token = nn.Parameter(torch.randn(1, 1, C))
        self.pos_embed = nn.Parameter(torch.randn(1, L + 1, C))

    def forward(self, x: Tensor) -> Tensor:
        x = self.proj(x).flatten(2).transpose(1, 2)
        x = torch.cat((self.cls_token.expand(x.shape[0], -1, -1), x), dim=1) + self.pos_embed
        return self.norm(x)


class Words(nn.Module):
    """BERT's embedding: words, a kind that is the same for all of them, and positions looked up by a buffer."""

    def __init__(self):
        super().__init__()
        self.word, self.kind, self.position = nn.Embedding(11, C), nn.Embedding(2, C), nn.Embedding(2 * L, C)
        self.norm = nn.LayerNorm(C)
        self.register_buffer("places", torch.arange(2 * L).unsqueeze(0))

    def forward(self, ids: Tensor) -> Tensor:
        kinds = torch.zeros_like(ids)
        x = self.word(ids) + self.kind(kinds)
        return self.norm(x + self.position(self.places[:, : ids.shape[1]]))


class Sines(nn.Module):
    """Vaswani's sines, as PyTorch's tutorial has them: tokens before the batch."""

    def __init__(self):
        super().__init__()
        place = torch.arange(2 * L).unsqueeze(1)
        rate = torch.exp(torch.arange(0, C, 2) * (-math.log(10000.0) / C))
        pe = torch.zeros(2 * L, 1, C)
        pe[:, 0, 0::2], pe[:, 0, 1::2] = torch.sin(place * rate), torch.cos(place * rate)
        self.register_buffer("pe", pe)
        self.fc = nn.Linear(C, C)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(x * math.sqrt(C) + self.pe[: x.size(0)])


class Table(nn.Module):
    """nanoGPT's: a table without a dimension for the batch."""

    def __init__(self):
        super().__init__()
        self.wte, self.wpe, self.fc = nn.Embedding(11, C), nn.Embedding(2 * L, C), nn.Linear(C, C)

    def forward(self, ids: Tensor) -> Tensor:
        return self.fc(self.wte(ids) + self.wpe(torch.arange(0, ids.size(1), dtype=torch.long)))


class MapTable(nn.Module):
    """A table for a map with its channels last, as in SAM."""

    def __init__(self):
        super().__init__()
        self.proj, self.fc = nn.Conv2d(3, C, 4, 4), nn.Linear(C, C)
        self.pos_embed = nn.Parameter(torch.randn(1, 2, 3, C))

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.proj(x).permute(0, 2, 3, 1) + self.pos_embed)


class Rotated(nn.Module):
    """Tokens turned by rotary tables. turn is the subclass's."""

    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(C, C)
        angles = torch.outer(torch.arange(L).float(), 1.0 / 10000 ** (torch.arange(0, D, 2) / D))
        self.register_buffer("angles", angles)

    def turn(self, x: Tensor) -> Tensor:
        raise NotImplementedError

    def forward(self, x: Tensor) -> Tensor:
        return self.turn(self.fc(x).view(N, L, H, D).transpose(1, 2))


class Halves(Rotated):
    """Llama's: rotate_half."""

    def turn(self, x: Tensor) -> Tensor:
        angles = torch.cat((self.angles, self.angles), dim=-1)
        half = torch.cat((-x[..., D // 2:], x[..., : D // 2]), dim=-1)
        return (x * angles.cos()) + (half * angles.sin())


class Neighbours(Rotated):
    """GPT-J's: rotate_every_two."""

    def turn(self, x: Tensor) -> Tensor:
        angles = torch.stack((self.angles, self.angles), dim=-1).flatten(-2)
        turned = torch.stack((-x[..., 1::2], x[..., ::2]), dim=-1).flatten(-2)
        return x * angles.cos() + turned * angles.sin()


class Pairs(Rotated):
    """The two parts of each pair computed apart."""

    def turn(self, x: Tensor) -> Tensor:
        a, b = x.chunk(2, dim=-1)
        cos, sin = self.angles.cos(), self.angles.sin()
        return torch.cat((a * cos - b * sin, b * cos + a * sin), dim=-1)


class SameEverywhere(nn.Module):
    """A bias, spread over all places."""

    def __init__(self):
        super().__init__()
        self.fc, self.bias = nn.Linear(C, C, bias=False), nn.Parameter(torch.randn(C))

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(x) + self.bias.expand(1, L, C)


class Residual(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(C, C)

    def forward(self, x: Tensor) -> Tensor:
        return x + F.relu(self.fc(x))


@case()
def learned_table() -> Built:
    module = Patches()
    return Built(module, (torch.randn(N, 3, 8, 12),), lambda: table(module.pos_embed))


@case()
def looked_up_positions() -> Built:
    module = Words()
    return Built(module, (torch.randint(0, 11, (N, L)),), lambda: table(module.position.weight[None, :L]))


@case()
def sines() -> Built:
    module = Sines()
    return Built(module, (torch.randn(L, N, C),), lambda: table(module.pe[:L]))


@case(opsets=LATER)
def table_without_batch() -> Built:
    module = Table()
    return Built(module, (torch.randint(0, 11, (N, L)),), lambda: table(module.wpe.weight[:L]))


@case(opsets=LATER)
def table_of_a_map() -> Built:
    module = MapTable()
    return Built(module, (torch.randn(N, 3, 8, 12),), lambda: table(module.pos_embed))


@case()
def rotary_halves() -> Built:
    module = Halves()
    return Built(module, (torch.randn(N, L, C),), lambda: table(torch.cat([module.angles] * 2, -1).cos()))


@case()
def rotary_neighbours() -> Built:
    module = Neighbours()
    return Built(module, (torch.randn(N, L, C),), lambda: table(module.angles.repeat_interleave(2, -1).cos()))


@case(opsets=LATER)
def rotary_pairs() -> Built:
    module = Pairs()
    return Built(module, (torch.randn(N, L, C),), lambda: table(module.angles.cos()))


@case(opsets=LATER)
def miss_bias_of_all_places() -> Built:
    return Built(SameEverywhere(), (torch.randn(N, L, C),), [])


@case(opsets=LATER)
def miss_residual() -> Built:
    return Built(Residual(), (torch.randn(N, L, C),), [])


if __name__ == "__main__":
    main()
