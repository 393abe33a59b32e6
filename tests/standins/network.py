"""A network as someone's training code has it: torch modules by the authors' names, in few lines.

Shares nothing with the reference or transformers. By other positions, or by selecting tokens, it
becomes what related projects train, whose checkpoints have the same names and shapes.
"""

import math
from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

EPS = 1e-6
Positions = Callable[[int, int, int], Tensor]  # of tubelets, patches a side, width


class PatchEmbed(nn.Module):
    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        width, channels, *kernel = weight.shape
        depth, height, across = kernel
        size = (depth, height, across)
        self.proj = nn.Conv3d(channels, width, size, size)

    def forward(self, pixels: Tensor) -> Tensor:
        cut: Tensor = self.proj(pixels)
        return cut.flatten(2).mT


class Attention(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv, self.proj = nn.Linear(width, 3 * width, bias=False), nn.Linear(width, width)
        self.q_bias, self.v_bias = (nn.Parameter(torch.zeros(width)) for _ in "qv")

    def forward(self, tokens: Tensor) -> Tensor:
        query, key, value = self.qkv(tokens).chunk(3, dim=-1)
        split = [
            one.unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for one in (query + self.q_bias, key, value + self.v_bias)
        ]
        weights = (split[0] @ split[1].mT / math.sqrt(split[0].shape[-1])).softmax(-1)
        attended: Tensor = self.proj((weights @ split[2]).transpose(1, 2).flatten(2))
        return attended


class Block(nn.Module):
    def __init__(self, width: int, hidden: int, heads: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width, EPS), nn.LayerNorm(width, EPS)
        self.attn = Attention(width, heads)
        layers = {
            "fc1": nn.Linear(width, hidden),
            "act": nn.GELU(),
            "fc2": nn.Linear(hidden, width),
        }
        self.mlp = nn.Sequential()
        for name, layer in layers.items():
            self.mlp.add_module(name, layer)

    def forward(self, tokens: Tensor) -> Tensor:
        tokens = tokens + self.attn(self.norm1(tokens))
        added: Tensor = self.mlp(self.norm2(tokens))
        return tokens + added


class Network(nn.Module):
    """A classifier with mean pooling, its weights those of a state dict."""

    def __init__(
        self,
        state: Mapping[str, Tensor],
        heads: int,
        positions: Positions | None = None,
        keep: int | None = None,
    ) -> None:
        super().__init__()
        self.positions, self.keep = positions or sinusoid, keep
        classes, width = state["head.weight"].shape
        layers = sum(name.endswith("norm1.weight") for name in state)
        hidden = len(state["blocks.0.mlp.fc1.bias"])
        self.patch_embed = PatchEmbed(state["patch_embed.proj.weight"])
        self.pos_drop = nn.Dropout(0.5)  # which does nothing once the network is in eval mode
        self.blocks = nn.ModuleList(Block(width, hidden, heads) for _ in range(layers))
        self.fc_norm, self.head = nn.LayerNorm(width, EPS), nn.Linear(width, classes)
        self.load_state_dict(state)

    def forward(self, pixels: Tensor) -> Tensor:
        tokens: Tensor = self.patch_embed(pixels)
        tubelets = pixels.shape[2] // self.patch_embed.proj.kernel_size[0]
        side = math.isqrt(tokens.shape[1] // tubelets)
        tokens = self.pos_drop(tokens + self.positions(tubelets, side, tokens.shape[2]))
        tokens = tokens[:, : self.keep]
        for block in self.blocks:
            tokens = block(tokens)
        logits: Tensor = self.head(self.fc_norm(tokens.mean(1)))
        return logits


def sinusoid(tubelets: int, side: int, width: int) -> Tensor:
    """The authors' positions, which count tokens in one sequence."""
    number = torch.arange(tubelets * side * side, dtype=torch.float64).unsqueeze(1)
    angles = number / 10000 ** (torch.arange(0, width, 2, dtype=torch.float64) / width)
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(1).float()


def of_three_axes(tubelets: int, side: int, width: int) -> Tensor:
    """MVD's positions, of time, row and column apart; a quarter of the width is time's."""

    def axis(number: Tensor, part: int) -> Tensor:
        omega = 10000 ** -(torch.arange(part // 2, dtype=torch.float64) / (part / 2))
        angles = number.flatten().double().unsqueeze(1) * omega
        return torch.cat([angles.sin(), angles.cos()], dim=1)

    sizes = (torch.arange(tubelets), torch.arange(side), torch.arange(side))
    time, row, column = torch.meshgrid(*sizes, indexing="ij")
    parts = (width // 4, 3 * width // 8, 3 * width // 8)
    inner = [axis(number, part) for number, part in zip((time, column, row), parts, strict=True)]
    return torch.cat(inner, dim=1).float()
