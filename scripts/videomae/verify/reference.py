"""The reference: the authors' forward pass on the original state dict.

Written from the description of the network with `torch.nn.functional` alone: it knows the authors'
tensor names, shares no code with transformers or with the conversion, and is itself tested against
outputs that the authors' code produced. Every step is yielded with its name, in order, so that a
model can be compared as it runs and nothing has to be kept.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from videomae.model import imagenet
from videomae.model.architecture import DECODER_POSITIONS, Architecture
from videomae.model.positions import sinusoid_positions

CPU = torch.device("cpu")

EMBEDDED = "patch embedding"
POSITIONS = "positions"
LOGITS = "logits"
BEFORE_FINAL_NORM = "input of the final norm"
FEATURES = "input of the head"

Step = tuple[str, Tensor]


class Reference:
    """The authors' network, computing on a state dict by their names.

    ``tensors`` are float32 (narrower ones widened); each is asked for when it is needed and moved
    to the ``device`` that is to compute. ``architecture`` supplies the head counts.
    """

    def __init__(
        self,
        tensors: Mapping[str, Tensor],
        architecture: Architecture,
        device: torch.device = CPU,
    ) -> None:
        self.tensors = tensors
        self.architecture = architecture
        self.config = architecture.config
        self.eps = architecture.layer_norm_eps
        self.device = device

    def _tensor(self, name: str) -> Tensor:
        return self.tensors[name].to(self.device)

    def steps(
        self, pixels: Tensor, mask: Tensor | None = None, final_norm_eps: float | None = None
    ) -> Iterator[Step]:
        """Compute; yield the name and value of every step, the logits last.

        pixels: (batch, frames, channels, height, width), normalised. mask: (batch, tokens), True
        where a token is hidden; needed for pre-training, possible for an encoder alone.
        final_norm_eps: of ``fc_norm`` or the decoder's norm (None: that of all norms), which
        transformers builds with 1e-5 whatever the config says. Logits: (batch, classes), or
        (batch, width) without a head, or (batch, hidden tokens, tubelet * patch * patch *
        channels), or an encoder's output alone, (batch, visible tokens, width).
        """
        prefix = self.architecture.prefix
        tokens = self._embed(pixels)
        yield EMBEDDED, tokens
        positions = self._positions((f"{prefix}pos_embed",), tokens.shape)
        yield POSITIONS, positions
        tokens = tokens + positions
        if mask is not None:
            tokens = _select(tokens, ~mask)
        yield "patch embedding with positions", tokens
        for step in self._blocks(tokens, f"{prefix}blocks", "encoder", ""):
            yield step
            tokens = step[1]
        hidden = tokens
        if self.architecture.kind == "classifier":
            hidden = self._pool(tokens)
        elif self.architecture.kind == "pretraining":
            assert mask is not None
            for step in self._decode(tokens, mask):
                yield step
                hidden = step[1]
        yield BEFORE_FINAL_NORM, hidden
        features = self.features(hidden, final_norm_eps)
        yield FEATURES, features
        yield LOGITS, self._head(features)

    def features(self, hidden: Tensor, final_norm_eps: float | None) -> Tensor:
        """Apply the final norm, if the network has one after its last block: what the head reads.

        For a classifier (batch, width); for pre-training (batch, hidden tokens, decoder's width).
        """
        if self.architecture.kind == "encoder":  # transformers has the authors' eps in this norm
            pooled, name = self.config["use_mean_pooling"], f"{self.architecture.prefix}norm"
            return hidden if pooled else self._norm(name, hidden)
        if self.architecture.kind == "pretraining":
            return self._norm("decoder.norm", hidden, final_norm_eps)
        if self.config["use_mean_pooling"]:
            return self._norm("fc_norm", hidden, final_norm_eps)
        return hidden

    def logits(self, hidden: Tensor, final_norm_eps: float) -> Tensor:
        """Apply what follows the last block: the final norm and the head, of those that exist."""
        return self._head(self.features(hidden, final_norm_eps))

    def _head(self, features: Tensor) -> Tensor:
        names = {"classifier": "head", "pretraining": "decoder.head"}
        name = names.get(self.architecture.kind)
        headless = self.architecture.num_labels == 0
        return self._linear(name, features) if name and not headless else features

    def losses(self, logits: Tensor, pixels: Tensor, mask: Tensor) -> dict[bool, float]:
        """Compute both losses, by ``norm_pix_loss``: the mean squared error over hidden tokens.

        Targets are pixels in 0..1; with ``norm_pix_loss`` each patch's channel has zero mean and
        unit (unbiased) variance. Source: the authors' engine_for_pretraining.py.
        """
        shape = (1, 1, -1, 1, 1)
        mean, std = (
            torch.tensor(values, device=self.device).view(shape)
            for values in (imagenet.MEAN, imagenet.STD)
        )
        raw = patches(pixels * std + mean, self.config)
        average, deviation = patch_statistics(raw)
        targets = {True: (raw - average) / deviation, False: raw}
        return {
            norm_pix_loss: functional.mse_loss(logits, _select(target.flatten(2), mask)).item()
            for norm_pix_loss, target in targets.items()
        }

    def _embed(self, pixels: Tensor) -> Tensor:
        name = f"{self.architecture.prefix}patch_embed.proj"
        weight, bias = self._tensor(f"{name}.weight"), self._tensor(f"{name}.bias")
        patches = functional.conv3d(pixels.transpose(1, 2), weight, bias, stride=weight.shape[2:])
        return patches.flatten(2).transpose(1, 2)

    def _positions(self, names: Iterable[str], shape: Sequence[int]) -> Tensor:
        """Return positions for tokens of such a shape, learned ones if a tensor holds them."""
        learned = [self._tensor(name) for name in names if name in self.tensors]
        table = learned[0] if learned else sinusoid_positions(shape[1], shape[2])
        return table[:, : shape[1]].to(self.device)

    def _blocks(self, tokens: Tensor, prefix: str, part: str, config: str) -> Iterator[Step]:
        heads = self.config[f"{config}num_attention_heads"]
        for layer in range(self.config[f"{config}num_hidden_layers"]):
            name = f"{prefix}.{layer}"
            attention = self._attention(f"{name}.attn", self._norm(f"{name}.norm1", tokens), heads)
            attention = self._scale(f"{name}.gamma_1", attention)
            yield f"{part} layer {layer}, attention output", attention
            tokens = tokens + attention
            inner = self._linear(f"{name}.mlp.fc1", self._norm(f"{name}.norm2", tokens))
            outer = self._linear(f"{name}.mlp.fc2", functional.gelu(inner))
            tokens = tokens + self._scale(f"{name}.gamma_2", outer)
            yield f"{part} layer {layer}, output", tokens

    def _attention(self, name: str, tokens: Tensor, heads: int) -> Tensor:
        weight = self._tensor(f"{name}.qkv.weight")
        bias = None
        if f"{name}.q_bias" in self.tensors:
            query, value = self._tensor(f"{name}.q_bias"), self._tensor(f"{name}.v_bias")
            bias = torch.cat([query, torch.zeros_like(value), value])
        batch, number, _ = tokens.shape
        projected = functional.linear(tokens, weight, bias).reshape(batch, number, 3, heads, -1)
        query, key, value = projected.permute(2, 0, 3, 1, 4)
        attended = functional.scaled_dot_product_attention(query, key, value)
        return self._linear(f"{name}.proj", attended.transpose(1, 2).flatten(2))

    def _scale(self, name: str, tokens: Tensor) -> Tensor:
        """Multiply what a block adds by its layer scale, if the network has one."""
        return self._tensor(name) * tokens if name in self.tensors else tokens

    def _pool(self, tokens: Tensor) -> Tensor:
        """Reduce tokens to what the classifier reads: their mean, or the first one normalised."""
        if self.config["use_mean_pooling"]:
            return tokens.mean(1)
        return self._norm("norm", tokens)[:, 0]

    def _decode(self, visible: Tensor, mask: Tensor) -> Iterator[Step]:
        """Run the decoder on visible tokens, then mask tokens; the last step is the hidden ones."""
        encoded = self._norm("encoder.norm", visible)
        yield "encoder norm", encoded
        visible = functional.linear(encoded, self._tensor("encoder_to_decoder.weight"))
        yield "encoder_to_decoder", visible
        table = self._positions(DECODER_POSITIONS, (*mask.shape, visible.shape[2]))
        positions = table.expand(len(mask), -1, -1)
        hidden = self._tensor("mask_token") + _select(positions, mask)
        tokens = torch.cat([visible + _select(positions, ~mask), hidden], dim=1)
        for step in self._blocks(tokens, "decoder.blocks", "decoder", "decoder_"):
            yield step
            tokens = step[1]
        yield "decoder's hidden tokens", tokens[:, -hidden.shape[1] :]

    def _linear(self, name: str, tokens: Tensor) -> Tensor:
        return functional.linear(
            tokens, self._tensor(f"{name}.weight"), self._tensor(f"{name}.bias")
        )

    def _norm(self, name: str, tokens: Tensor, eps: float | None = None) -> Tensor:
        eps = self.eps if eps is None else eps
        weight, bias = self._tensor(f"{name}.weight"), self._tensor(f"{name}.bias")
        return functional.layer_norm(tokens, weight.shape, weight, bias, eps)


def patches(frames: Tensor, config: Mapping[str, Any]) -> Tensor:
    """Cut (batch, frames, channels, height, width) into (batch, tokens, pixels, channels)."""
    batch, time, channels, height, width = frames.shape
    t, p = config["tubelet_size"], config["patch_size"]
    cut = frames.reshape(batch, time // t, t, channels, height // p, p, width // p, p)
    # batch, time, t, channels, rows, h, columns, w -> batch, time, rows, columns, t, h, w, c
    return cut.permute(0, 1, 4, 6, 2, 5, 7, 3).flatten(4, 6).flatten(1, 3)


def patch_statistics(cut: Tensor) -> tuple[Tensor, Tensor]:
    """Return each patch's mean and deviation (unbiased, plus 1e-6), by channel, of `patches`."""
    variance, average = torch.var_mean(cut, dim=-2, keepdim=True)
    return average, variance.sqrt() + 1e-6


def _select(tokens: Tensor, mask: Tensor) -> Tensor:
    """Keep the tokens where the mask is True; every item of the batch has the same number."""
    return tokens[mask].reshape(len(tokens), -1, tokens.shape[2])
