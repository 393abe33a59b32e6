"""Finds the state dict in a file.

Training programs save it beside other data. Users can choose among several state dicts.
"""

from collections.abc import Mapping
from typing import Any

from videomae.checkpoint import repository
from videomae.checkpoint.lazy_tensor import is_tensor
from videomae.checkpoint.unpickler import Shadow
from videomae.errors import ConversionError, listing

# In the order of the authors' loader, `--model_key model|module`; then Lightning's, a repository's,
# and averages by the names that timm, mmengine and others give them.
AVERAGES = ("model_ema", "state_dict_ema", "ema_state_dict", "ema")
CONTAINERS = ("model", "module", "state_dict", repository.WEIGHTS, *AVERAGES)
ITSELF = "the file itself"


def choose(contents: Any, weights: str | None) -> tuple[str, Mapping[Any, Any], list[str]]:
    """Return the key of the state dict, the state dict, and the keys of other state dicts.

    ``weights`` chooses one by name; if one state dict holds several networks, by their prefix.
    Raises `ConversionError` if there is none.
    """
    if not isinstance(contents, Mapping):
        raise ConversionError(
            f"the file holds a {class_name(contents)}, not a dict; save the state dict itself"
        )
    held = {str(key): value for key, value in contents.items() if _is_state_dict(value)}
    if any(is_tensor(value) for value in contents.values()):
        held[ITSELF] = contents
    known = [name for name in (*CONTAINERS, ITSELF) if name in held]
    usual = next(iter(known), None)
    if usual and weights and weights not in held:
        # Such as ema-pytorch's online_model and ema_model.
        network = {n: v for n, v in held[usual].items() if str(n).startswith(f"{weights}.")}
        if network:
            return f"{usual}: {weights}", network, [name for name in held if name != usual]
    chosen = weights or usual
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
