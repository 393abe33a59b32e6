"""Finds the state dict in a file and maps the names of its tensors to the authors'.

Training programs wrap the authors' network and save it beside other data. Users can choose among
several state dicts. The wrappers' prefixes carry no information and are removed.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from videomae.checkpoint.lazy_tensor import is_tensor
from videomae.checkpoint.unpickler import Shadow
from videomae.errors import ConversionError, listing
from videomae.model.architecture import PROJECTION

# In the order of the authors' loader, `--model_key model|module`; then Lightning's, and averages.
CONTAINERS = ("model", "module", "state_dict", "model_ema")
ITSELF = "the file itself"

# mmaction2's names for the parts of the same network (its VideoMAE backbone and head).
MMACTION2_ANCHOR = "patch_embed.projection.weight"
MMACTION2 = {
    "patch_embed.projection.": "patch_embed.proj.",
    ".mlp.layers.0.0.": ".mlp.fc1.",
    ".mlp.layers.1.": ".mlp.fc2.",
    "cls_head.fc_cls.": "head.",
}


def choose(contents: Any, weights: str | None) -> tuple[str, Mapping[Any, Any], list[str]]:
    """Return the key of the state dict, the state dict, and the keys of other state dicts.

    ``weights`` chooses one by name. Raises `ConversionError` if there is none.
    """
    if not isinstance(contents, Mapping):
        raise ConversionError(
            f"the file holds a {class_name(contents)}, not a dict; save the state dict itself"
        )
    held = {str(key): value for key, value in contents.items() if _is_state_dict(value)}
    if any(is_tensor(value) for value in contents.values()):
        held[ITSELF] = contents
    known = [name for name in (*CONTAINERS, ITSELF) if name in held]
    chosen = weights or next(iter(known), None)
    if chosen not in held:
        there = f"only under {listing(held)}" if held else "nowhere"
        keys = listing(map(_described, contents.items()), most=12)
        raise ConversionError(
            f"there is no state dict under {weights or ' or '.join(CONTAINERS)}, {there}; choose "
            f"one by `weights`; the file's top-level keys are {keys}"
        )
    return chosen, held[chosen], [name for name in held if name != chosen]


def class_name(value: Any) -> str:
    """Return the name of a value's class, or of the class that a shadow stands for."""
    if is_tensor(value):
        return "Tensor"
    return value.name if isinstance(value, Shadow) else type(value).__name__


def _described(item: tuple[Any, Any]) -> str:
    key, value = item
    return f"{key} (a {value.name})" if isinstance(value, Shadow) else str(key)


def _is_state_dict(value: Any) -> bool:
    return isinstance(value, Mapping) and any(is_tensor(held) for held in value.values())


def authors_names(names: Iterable[str]) -> dict[str, str]:
    """Return the authors' name for each name in a state dict, without the wrappers' prefixes.

    Names that are not of the network stay unchanged; the conversion refuses them later. Raises
    `ConversionError` for two networks in one state dict, and for names that would collide.
    """
    names = list(names)
    # Every network has this tensor; its name shows the prefix of all others.
    roots = [*_before(PROJECTION, names), *_before(MMACTION2_ANCHOR, names)]
    if len(roots) > 1:
        raise ConversionError(
            f"the state dict has {len(roots)} networks, under "
            f"{listing(root or 'no prefix' for root in roots)}; save the one to convert alone"
        )
    if not roots:
        return {name: name for name in names}
    root = roots[0]
    mapped = {name: _without(_prefixes(root, names), name) for name in names}
    if MMACTION2_ANCHOR in mapped.values():
        mapped = {name: _renamed(short) for name, short in mapped.items()}
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
    """Return the prefixes to remove: the encoder's, and that of the tensors beside it.

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


def _renamed(name: str) -> str:
    for theirs, authors in MMACTION2.items():
        name = name.replace(theirs, authors)
    return name
