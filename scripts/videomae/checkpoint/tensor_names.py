"""What are a network's tensors called by the authors?

Wrappers put names of theirs before and into the tensors' names, which tell nothing and are taken
off; other implementations of the same network have words of their own.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from videomae.errors import ConversionError, listing
from videomae.model.architecture import PROJECTION

LAYER_NUMBER = re.compile(r"(?<=\.)\d+(?=\.)")

# What torch's wrappers put anywhere into a name: data parallel, compiled, sharded, checkpointed.
WRAPPERS = {"module", "_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module"}

# The tensor by which MARLIN's encoder is known (marlin_pytorch/model at c9d5698), and what its code
# says: torch's eps, and pixels in 0..1 that are not normalised further.
MARLIN = "patch_embedding.projection.weight"
IMPLIED: dict[str, dict[str, Any]] = {
    MARLIN: {"layer_norm_eps": 1e-5, "image_mean": [0.0, 0.0, 0.0], "image_std": [1.0, 1.0, 1.0]}
}
IMPLIED_BY = "as in MARLIN's code, whose names the tensors have"

# Patterns of the names that other implementations have for parts of the same network, by the
# tensor that tells them.
VOCABULARIES: dict[str, dict[str, str]] = {
    # AdaptFormer (models/vit_video.py at 6967d67) has the authors' names but for the MLP's.
    PROJECTION: {r"(blocks\.\d+)\.(fc[12])\.": r"\1.mlp.\2."},
    # mmaction2's VideoMAE backbone and head (vit_mae.py at 4d6c934), and OpenTAD's.
    "patch_embed.projection.weight": {
        r"patch_embed\.projection\.": "patch_embed.proj.",
        r"\.mlp\.layers\.0\.0\.": ".mlp.fc1.",
        r"\.mlp\.layers\.1\.": ".mlp.fc2.",
        r"cls_head\.fc_cls\.": "head.",
    },
    MARLIN: {
        r"patch_embedding\.projection\.": "patch_embed.proj.",
        r"pos_embedding\.emb$": "pos_embed",
        r"\.mlp\.layers\.0\.linear\.": ".mlp.fc1.",
        r"\.mlp\.layers\.1\.linear\.": ".mlp.fc2.",
    },
}


def plain(names: Iterable[Any]) -> dict[str, str]:
    """Map names to those without what wrappers put into them; what is no text is left out."""
    return {
        name: ".".join(part for part in name.split(".") if part not in WRAPPERS)
        for name in names
        if isinstance(name, str)
    }


def root_of(names: Iterable[str]) -> str | None:
    """Return the prefix of the names of the network's tensors; None if there is no network.

    Raises `ConversionError` for two networks.
    """
    return _found(list(names))[0]


def implied(names: Iterable[Any]) -> Mapping[str, Any]:
    """Return the options of the project whose names a network's tensors have; usually none."""
    root, anchor = _found(list(plain(names).values()))
    return IMPLIED.get(anchor, {}) if root is not None else {}


def _found(names: list[str]) -> tuple[str | None, str]:
    """Return the network's root, and the tensor that tells its vocabulary."""
    # Every network has one such tensor, and its name tells what stands before all others.
    found = [(root, anchor) for anchor in VOCABULARIES for root in _before(anchor, names)]
    if len(found) > 1:
        raise ConversionError(
            f"the state dict has {len(found)} networks, under "
            f"{listing(root or 'no prefix' for root, _ in found)}; choose one by `weights`: its "
            "prefix"
        )
    return found[0] if found else (None, PROJECTION)


def authors_names(names: Iterable[str]) -> dict[str, str]:
    """Map the names of a state dict to the authors', without what wrappers put into them.

    Names of something else than the one network are left as they are, to be refused by name later.
    Raises `ConversionError` for two networks in one state dict, and for names that would collide.
    """
    whole = plain(names)
    root, anchor = _found(list(whole.values()))
    if root is None:
        return {name: name for name in whole}
    prefixes = _prefixes(root, list(whole.values()))
    mapped = {
        name: _renamed(_without(prefixes, short), VOCABULARIES[anchor])
        for name, short in whole.items()
    }
    holders = Counter(mapped.values())
    twice = [name for name, short in mapped.items() if holders[short] > 1]
    if twice:
        raise ConversionError(f"tensors have the same name without prefix: {listing(twice)}")
    return mapped


def _before(anchor: str, names: Iterable[str]) -> Iterator[str]:
    for name in names:
        if name == anchor or name.endswith(f".{anchor}"):
            yield name.removesuffix(anchor)


def _prefixes(root: str, names: list[str]) -> tuple[str, ...]:
    """Return the prefix that may be removed: the encoder's, or that of what is beside it.

    In pre-training ``encoder.`` is part of the authors' own names.
    """
    *outer, last = root.split(".")[:-1] or [""]
    beside = "".join(f"{part}." for part in outer)
    heads = {f"{prefix}head.weight" for prefix in (root, beside)}
    if last == "encoder" and not heads & set(names):
        return (beside,)
    return (root, beside)


def _without(prefixes: tuple[str, ...], name: str) -> str:
    for prefix in prefixes:
        if name.startswith(prefix):
            return name.removeprefix(prefix)
    return name


def _renamed(name: str, vocabulary: Mapping[str, str]) -> str:
    for theirs, authors in vocabulary.items():
        name = re.sub(theirs, authors, name)
    return name


def merge_layers(names: Iterable[str]) -> list[str]:
    """Fold names that differ in the layer number into one: ``blocks.{0...11}.attn.k_bias``."""
    layers: dict[str, list[int]] = {}
    for name in names:
        number = LAYER_NUMBER.search(name)
        layers.setdefault(LAYER_NUMBER.sub("{}", name, count=1), []).extend(
            [int(number[0])] if number else []
        )
    return [
        template.replace("{}", _span(numbers)) if numbers else template
        for template, numbers in layers.items()
    ]


def _span(numbers: list[int]) -> str:
    if len(numbers) == 1:
        return str(numbers[0])
    if numbers == list(range(numbers[0], numbers[0] + len(numbers))):
        return f"{{{numbers[0]}...{numbers[-1]}}}"
    return "{" + ",".join(map(str, numbers)) + "}"
