"""What can go from a checkpoint, since the rest can do its work?

transformers' VideoMAE has no layer scale: ``gamma_1`` and ``gamma_2`` multiply what a block adds,
which is the output of a linear layer, so its weights can be multiplied instead.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from videomae import renaming
from videomae.architecture import Architecture
from videomae.checkpoint import widen
from videomae.errors import ConversionError, listing

# Each gamma and the linear layer that it multiplies the output of. Source: the authors' Block
# (modeling_finetune.py): x + gamma_1 * attn(norm1(x)), then x + gamma_2 * mlp(norm2(x)).
SCALED = {"gamma_1": "attn.proj", "gamma_2": "mlp.fc2"}


@dataclass(frozen=True)
class Folded:
    """The tensors that remain, by the authors' names, and a note on each kind that went."""

    tensors: dict[str, Tensor]
    notes: tuple[str, ...]


def fold(tensors: Mapping[str, Tensor], architecture: Architecture) -> Folded:
    """Do without the tensors that transformers has no place for, where that changes nothing.

    What is computed is float32, whatever the tensors are. Raises `ConversionError` for any other
    tensor that is unknown, missing or misshapen, and where folding would change the function.
    """
    gammas = list(_gammas(tensors, architecture))
    rest = {name: tensor for name, tensor in tensors.items() if name not in gammas}
    shapes = {name: tuple(tensor.shape) for name, tensor in rest.items()}
    renaming.check_tensors(shapes, architecture)
    for name in gammas:
        _multiply(rest, name, tensors[name])
    said = f"layer scale: {len(gammas)} gammas folded into {' and '.join(SCALED.values())}"
    return Folded(rest, (said,) if gammas else ())


def _gammas(tensors: Mapping[str, Tensor], architecture: Architecture) -> Iterator[str]:
    """Name the gammas: every block of encoder or decoder has both, or none has one."""
    config = architecture.config
    parts = {f"{architecture.prefix}blocks": config["num_hidden_layers"]}
    if architecture.kind == "pretraining":
        parts["decoder.blocks"] = config["decoder_num_hidden_layers"]
    for blocks, layers in parts.items():
        names = [f"{blocks}.{layer}.{gamma}" for layer in range(layers) for gamma in SCALED]
        missing = [name for name in names if name not in tensors]
        if missing and len(missing) < len(names):
            raise ConversionError(
                f"layer scale is not whole: {listing(renaming.merge_layers(missing))} missing, "
                f"while other {blocks} have it; the authors' network has it everywhere or nowhere"
            )
        yield from () if missing else names


def _multiply(tensors: dict[str, Tensor], name: str, gamma: Tensor) -> None:
    """Multiply the rows of a linear layer and its bias; refuse what float32 can't hold."""
    block, _, short = name.rpartition(".")
    gamma = widen(gamma)
    for part in ("bias", "weight"):
        target = f"{block}.{SCALED[short]}.{part}"
        factor = widen(tensors[target])
        if gamma.shape != factor.shape[:1]:
            raise ConversionError(
                f"tensor {name} has shape {list(gamma.shape)}; {target} needs {[len(factor)]}"
            )
        rows = gamma.view(-1, *[1] * (factor.dim() - 1))
        product = factor * rows
        lost = (product == 0) & (factor != 0) & (rows != 0)
        lost |= ~torch.isfinite(product) & torch.isfinite(factor) & torch.isfinite(rows)
        if lost.any():
            raise ConversionError(
                f"{name} can't be folded into {target}: {int(lost.sum())} products are too small "
                "or too large for float32, and transformers' VideoMAE has no layer scale to keep"
            )
        tensors[target] = product
