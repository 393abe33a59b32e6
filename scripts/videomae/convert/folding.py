"""Folds layer scale into weights and removes position tables that transformers computes itself.

transformers' VideoMAE has no layer scale. ``gamma_1`` and ``gamma_2`` multiply the output of a
linear layer, so that layer's weights can be multiplied instead. A stored position table that still
equals the fixed sinusoids is not needed. One that was computed in float32 differs from them by
rounding, whose effect on the outputs verification measures.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from videomae.checkpoint.lazy_tensor import Entry, widen
from videomae.checkpoint.tensor_names import merge_layers
from videomae.convert import weight_mapping
from videomae.errors import ConversionError, listing
from videomae.model.architecture import DECODER_POSITIONS, Architecture, tokens

# Each gamma and the linear layer whose output it multiplies. Source: the authors' Block
# (modeling_finetune.py): x + gamma_1 * attn(norm1(x)), then x + gamma_2 * mlp(norm2(x)).
SCALED = {"gamma_1": "attn.proj", "gamma_2": "mlp.fc2"}

POSITION_TOLERANCE = 1e-6  # absolute, of values in -1..1


@dataclass(frozen=True)
class Folded:
    """The remaining tensors by the authors' names, and a note on each kind that was removed.

    ``rounded`` are position tables that were removed although float32 arithmetic moved them.
    """

    entries: dict[str, Entry]
    notes: tuple[str, ...]
    rounded: tuple[str, ...] = ()


def fold(entries: Mapping[str, Entry], architecture: Architecture) -> Folded:
    """Return the tensors without layer scale and position tables, computing the same function.

    Folded weights are float32. Raises `ConversionError` for any other tensor that is unknown,
    missing or misshapen, and if folding would change the function.
    """
    gammas = list(_gammas(entries, architecture))
    tables = [name for name in _tables(architecture) if name in entries]
    gone = {*gammas, *tables}
    rest = {name: entry for name, entry in entries.items() if name not in gone}
    weight_mapping.check_tensors({n: tuple(entry.shape) for n, entry in rest.items()}, architecture)
    notes, rounded = [], []
    for name in tables:
        largest, explained = _position_errors(name, entries[name], architecture)
        notes.append(f"positions: {name} left out, because it is the sinusoid table {explained}")
        rounded += [name] if largest > POSITION_TOLERANCE else []
    for name in gammas:
        _multiply(rest, name, entries[name])
    if gammas:
        into = " and ".join(SCALED.values())
        notes.append(f"layer scale: {len(gammas)} gammas folded into {into}")
    return Folded(rest, tuple(notes), tuple(rounded))


def _gammas(entries: Mapping[str, Entry], architecture: Architecture) -> Iterator[str]:
    """Yield the names of the gammas; every block of encoder or decoder must have both, or none."""
    config = architecture.config
    parts = {f"{architecture.prefix}blocks": config["num_hidden_layers"]}
    if architecture.kind == "pretraining":
        parts["decoder.blocks"] = config["decoder_num_hidden_layers"]
    for blocks, layers in parts.items():
        names = [f"{blocks}.{layer}.{gamma}" for layer in range(layers) for gamma in SCALED]
        missing = [name for name in names if name not in entries]
        if missing and len(missing) < len(names):
            raise ConversionError(
                "layer scale is incomplete: "
                f"{listing(merge_layers(missing))} missing, but other {blocks} have it; the "
                "authors' network has it in all blocks or in none"
            )
        yield from () if missing else names


def _multiply(entries: dict[str, Entry], name: str, scale: Entry) -> None:
    """Multiply a linear layer by a gamma; raises `ConversionError` where float32 overflows."""
    import torch

    block, _, short = name.rpartition(".")
    gamma = widen(scale)
    for part in ("bias", "weight"):
        target = f"{block}.{SCALED[short]}.{part}"
        factor = widen(entries[target])
        if gamma.shape != factor.shape[:1]:
            raise ConversionError(
                f"tensor {name} has shape {list(gamma.shape)}, but {target} needs {[len(factor)]}"
            )
        rows = gamma.view(-1, *[1] * (factor.dim() - 1))
        product = factor * rows
        lost = (product == 0) & (factor != 0) & (rows != 0)
        lost |= ~torch.isfinite(product) & torch.isfinite(factor) & torch.isfinite(rows)
        if lost.any():
            raise ConversionError(
                f"{name} can't be folded into {target}: {int(lost.sum())} products are too small "
                "or too large for float32, and transformers' VideoMAE has no layer scale"
            )
        entries[target] = product


def _tables(architecture: Architecture) -> dict[str, str]:
    """Return the position tables of such a network by name, with the config key of the width."""
    tables = {f"{architecture.prefix}pos_embed": "hidden_size"}
    if architecture.kind == "pretraining":
        tables |= dict.fromkeys(DECODER_POSITIONS, "decoder_hidden_size")
    return tables


def _position_errors(name: str, held: Entry, architecture: Architecture) -> tuple[float, str]:
    """Return how far a table is from the fixed positions, for a note too.

    Raises `ConversionError` if that is more than rounding in float32 explains.
    """
    from videomae.model.positions import in_float32, sinusoid_positions

    config = architecture.config
    width = config[_tables(architecture)[name]]
    known = {"num_frames", "image_size"} <= config.keys()
    # Each token's position is the same however many there are, so the number may be unknown yet.
    shape = [1, tokens(config) if known else math.prod(held.shape[1:2]), width]
    if list(held.shape) != shape:
        sizes = (f"{size} {config.get(size, '?')}" for size in ("num_frames", "image_size"))
        raise ConversionError(
            f"tensor {name} has shape {list(held.shape)}, but {' and '.join(sizes)} "
            f"require {shape if known else [1, '?', width]}; correct the wrong value"
        )
    differences = (widen(held) - sinusoid_positions(*shape[1:])).abs()
    largest = differences.max().item()
    if largest <= POSITION_TOLERANCE:
        return largest, f"(to {largest:.2g})"
    over = (~in_float32(widen(held))).sum().item()  # a NaN counts
    if over:
        raise ConversionError(
            f"{name} differs by up to {largest:.3g} from the sinusoid positions (limit "
            f"{POSITION_TOLERANCE:g}), and rounding in float32 does not explain {over:,} of its "
            f"{differences.numel():,} values; transformers' VideoMAE has no other positions"
        )
    return largest, f"computed in float32 (to {largest:.2g}, which rounding explains)"
