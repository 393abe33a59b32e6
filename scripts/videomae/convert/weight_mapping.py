"""Maps tensor names by one table, read forwards to convert and backwards to verify.

``{}`` stands for a layer number. A tensor without a row is an error, and so is a row without its
tensor: nothing is dropped, and nothing stays random.

Query and value biases are written under two names. transformers up to 5.5.0 reads ``q_bias``,
5.5.1 to 5.17.0 reads ``query.bias``, later releases read either; a file with both works in every
release. The authors' key has no bias.
"""

import re
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from videomae.checkpoint.lazy_tensor import Entry
from videomae.checkpoint.tensor_names import LAYER_NUMBER, merge_layers
from videomae.errors import ConversionError, listing
from videomae.model.architecture import Architecture, tensor_shapes

if TYPE_CHECKING:
    from torch import Tensor

Kept = TypeVar("Kept", bound=Entry)  # tensors in a file stay there


@dataclass(frozen=True)
class Rename:
    """One row: the authors' name and the name or names in transformers.

    Each target holds the whole tensor, or with ``split`` its equal share of the rows, in order.
    """

    source: str
    targets: tuple[str, ...]
    split: bool = False

    def numbered(self, layer: str) -> "Rename":
        """Return the row with a layer number in every name."""
        targets = tuple(target.replace("{}", layer) for target in self.targets)
        return Rename(self.source.replace("{}", layer), targets, self.split)

    def alone(self) -> "Rename":
        """Return the row for VideoMAEModel alone, whose names have no prefix ``videomae.``."""
        targets = tuple(target.removeprefix("videomae.") for target in self.targets)
        return Rename(self.source, targets, self.split)

    def forwards(self, entry: Kept) -> dict[str, Kept]:
        """Return the tensors of transformers that are made from this tensor of the checkpoint."""
        if self.split:
            parts: Any = entry.chunk(len(self.targets))
            return dict(zip(self.targets, parts, strict=True))
        return dict.fromkeys(self.targets, entry)

    def missing(self, names: Container[str]) -> list[str]:
        """Return the missing names; one of several names for a whole tensor is enough."""
        absent = [target for target in self.targets if target not in names]
        return absent if self.split or len(absent) == len(self.targets) else []

    def backwards(self, tensors: Mapping[str, "Tensor"]) -> "Tensor":
        """Return the checkpoint's tensor; raise `ConversionError` if its copies differ."""
        import torch

        present = [tensors[target] for target in self.targets if target in tensors]
        if self.split:
            return torch.cat(present)
        if any(not same_bits(present[0], other) for other in present[1:]):
            raise ConversionError(f"{' and '.join(self.targets)} differ, but must be equal")
        return present[0]


def _block(source: str, target: str) -> Iterator[Rename]:
    """Yield the rows of a transformer block, the same in encoder and decoder."""
    attention = f"{target}attention.attention."
    rows = (f"{attention}query.weight", f"{attention}key.weight", f"{attention}value.weight")
    yield Rename(f"{source}attn.qkv.weight", rows, split=True)
    for short, long in (("q", "query"), ("v", "value")):
        names = (f"{attention}{short}_bias", f"{attention}{long}.bias")
        yield Rename(f"{source}attn.{short}_bias", names)
    yield from _affine(f"{source}norm1", f"{target}layernorm_before")
    yield from _affine(f"{source}attn.proj", f"{target}attention.output.dense")
    yield from _affine(f"{source}norm2", f"{target}layernorm_after")
    yield from _affine(f"{source}mlp.fc1", f"{target}intermediate.dense")
    yield from _affine(f"{source}mlp.fc2", f"{target}output.dense")


def _affine(source: str, target: str) -> Iterator[Rename]:
    for part in ("weight", "bias"):
        yield Rename(f"{source}.{part}", (f"{target}.{part}",))


def _encoder(prefix: str) -> Iterator[Rename]:
    yield from _affine(
        f"{prefix}patch_embed.proj", "videomae.embeddings.patch_embeddings.projection"
    )
    yield from _block(f"{prefix}blocks.{{}}.", "videomae.encoder.layer.{}.")


TABLE: dict[str, Rename] = {
    row.source: row
    for row in (
        *_encoder(""),
        *_affine("norm", "videomae.layernorm"),
        *_affine("fc_norm", "fc_norm"),
        *_affine("head", "classifier"),
        *_encoder("encoder."),
        *_affine("encoder.norm", "videomae.layernorm"),
        Rename("encoder_to_decoder.weight", ("encoder_to_decoder.weight",)),
        Rename("mask_token", ("mask_token",)),
        *_block("decoder.blocks.{}.", "decoder.decoder_layers.{}."),
        *_affine("decoder.norm", "decoder.norm"),
        *_affine("decoder.head", "decoder.head"),
    )
}

# Tensors of related networks: a pattern of the name, and what transformers' VideoMAE lacks.
UNEXPRESSED = {
    r"attn\.(logit_)?scale$": "cosine attention",
    r"relative_position|rel_pos": "relative position biases",
    r"attn\.k_bias$": "a bias of the key, which the authors' network lacks",
    r"attn\.qkv\.bias$": "one bias for query, key and value; the authors have q_bias and v_bias",
    r"[qk]_norm\.": "norms of query and key",
    r"cls_token$": "a class token",
    r"dist_token|head_dist|dist_head": "a distillation token or head",
    r"gamma_\d$": "layer scale in another place than in the authors' code",
    r"^(fc_norm|head)\.": "a part of an incomplete head",
}


def renames(architecture: Architecture) -> list[Rename]:
    """Return the rows, with their layer numbers, for every tensor that such a network has."""
    rows = []
    for name in tensor_shapes(architecture):
        layer = LAYER_NUMBER.search(name)
        row = TABLE[LAYER_NUMBER.sub("{}", name)]
        rows.append(row.numbered(layer[0]) if layer else row)
    return [row.alone() for row in rows] if architecture.kind == "encoder" else rows


def convert(entries: Mapping[str, Kept], architecture: Architecture) -> dict[str, Kept]:
    """Return a checkpoint's tensors by transformers' names; biases appear under two names.

    Raises `ConversionError` for unknown and for missing tensors.
    """
    check_tensors({name: tuple(entry.shape) for name, entry in entries.items()}, architecture)
    return {
        name: part
        for row in renames(architecture)
        for name, part in row.forwards(entries[row.source]).items()
    }


def check_tensors(shapes: Mapping[str, tuple[int, ...]], architecture: Architecture) -> None:
    """Raise `ConversionError` unless the tensors are exactly those of the architecture."""
    expected = tensor_shapes(architecture)
    unknown = [name for name in shapes if name not in expected]
    if unknown:
        raise ConversionError(
            f"{len(unknown)} of {len(shapes)} tensors have no place in transformers' VideoMAE "
            f"({architecture.kind}): {listing(map(_explained, merge_layers(unknown)))}. "
            "Nothing was converted, because the model would compute something else without them"
        )
    missing = [name for name in expected if name not in shapes]
    if missing:
        raise ConversionError(
            f"{len(missing)} tensors are missing from the checkpoint: "
            f"{listing(merge_layers(missing))}. Without them the model would have random values"
        )
    for name, shape in expected.items():
        if shapes[name] != shape:
            raise ConversionError(
                f"tensor {name} has shape {list(shapes[name])}, but the rest of the network "
                f"needs {list(shape)}"
            )


def _explained(name: str) -> str:
    """Return a tensor's name, with the reason why transformers has no place for it if known."""
    reasons = (reason for pattern, reason in UNEXPRESSED.items() if re.search(pattern, name))
    reason = next(reasons, "")
    return f"{name} ({reason})" if reason else name


def restore(
    tensors: Mapping[str, "Tensor"], architecture: Architecture
) -> Iterator[tuple[str, "Tensor"]]:
    """Return (authors' name, tensor) pairs of transformers' tensors: the reverse of `convert`.

    Raises `ConversionError` for missing and unknown tensors before the first pair, and if two names
    for one tensor hold different values.
    """
    rows = renames(architecture)
    targets = {target for row in rows for target in row.targets}
    unknown = [name for name in tensors if name not in targets]
    if unknown:
        raise ConversionError(
            f"the folder has unexpected tensors: {listing(merge_layers(unknown))}"
        )
    missing = [name for row in rows for name in row.missing(tensors)]
    if missing:
        raise ConversionError(f"the folder lacks tensors: {listing(merge_layers(missing))}")
    return ((row.source, row.backwards(tensors)) for row in rows)


def same_bits(one: "Tensor", other: "Tensor") -> bool:
    """Return whether two tensors are equal bit by bit: 0.0 is not -0.0, a NaN equals itself."""
    import torch

    if one.shape != other.shape or one.dtype != other.dtype:
        return False
    bits = {2: torch.int16, 4: torch.int32, 8: torch.int64}[one.element_size()]
    return torch.equal(one.view(bits), other.view(bits))
