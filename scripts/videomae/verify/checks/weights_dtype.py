"""Checks that a folder's config.json and weights have the same precision."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from videomae.checkpoint import safetensors_file
from videomae.convert.model_folder import CONFIG, DTYPES, WEIGHTS, read_json
from videomae.errors import ConversionError
from videomae.verify.report import Check


def of_folder(folder: Path) -> tuple[str, Check]:
    """Return the precision that a folder is of, and whether its config and its weights agree on it.

    Where they don't, or can't be read, that is what config.json says, else float32.
    """
    try:
        said = _said(read_json(folder / CONFIG))
        held = Counter(str(e.dtype) for e in safetensors_file.entries(folder / WEIGHTS).values())
    except (ConversionError, OSError) as error:
        return DTYPES[0], Check("precision", False, message=f"the file can't be read: {error}")
    dtypes = {name.removeprefix("torch."): number for name, number in held.items()}
    precision = said if said in DTYPES else DTYPES[0]
    agree = said in DTYPES and dtypes.keys() == {said}
    found = ", ".join(f"{number} of {name}" for name, number in sorted(dtypes.items()))
    message = f"{CONFIG} says {said}, {WEIGHTS} has tensors {found}"
    if not agree:
        message += f"; a folder has one precision of {', '.join(DTYPES)}, which both say"
    return precision, Check("precision", agree, message=message)


def _said(config: Mapping[str, Any]) -> str:
    """Return what a config says; releases differ in the name of the key."""
    names = [str(config[key]) for key in ("dtype", "torch_dtype") if config.get(key) is not None]
    return " and ".join(dict.fromkeys(name.removeprefix("torch.") for name in names)) or "nothing"
