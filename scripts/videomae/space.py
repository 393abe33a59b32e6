"""How much disk does a run take?  Told beforehand, where the sizes are known."""

import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from videomae import recipes
from videomae.errors import ConversionError
from videomae.progress import STEPS
from videomae.settings import Variant

ENVIRONMENT = 950_000_000  # bytes; measured with the CPU build of torch


def check(variants: Iterable[Variant], results: Path, environments: int = 0) -> str:
    """Say what is needed and free; raises `ConversionError` if that is less, or closed to writing.

    A variant takes its checkpoint (unless it is linked) and the folder made from it;
    ``environments`` is how many are to be made for releases of transformers.
    """
    needed, unknown = environments * ENVIRONMENT, 0
    for variant in variants:
        bytes_ = _bytes(variant, results)
        unknown += bytes_ is None
        needed += bytes_ or 0
    results.mkdir(parents=True, exist_ok=True)
    if not os.access(results, os.W_OK):
        raise ConversionError(
            f"{results.absolute()} can't be written to: it is read-only, or of somebody else; "
            "choose another folder by --directory"
        )
    free = shutil.disk_usage(results).free
    message = f"disk: {_gigabytes(needed)} needed in {results.absolute()}, {_gigabytes(free)} free"
    if unknown:
        message += f" ({unknown} variants come from the network, their sizes are not known yet)"
    if needed > free:
        raise ConversionError(f"{message}; {_gigabytes(needed - free)} more must be freed")
    return message


def _bytes(variant: Variant, results: Path) -> int | None:
    """Tell what a variant will add to the disk; None if that can't be known beforehand."""
    brought, made = (
        (results / STEPS[step].format(variant.name)).exists() for step in ("download", "convert")
    )
    source = variant.source
    if source.kind == "synthetic":
        return recipes.weights_bytes(source.address) * ((not made) + (not brought))
    if made:
        return 0
    linked = Path(variant.at_hand or source.address)
    if (variant.at_hand or source.kind == "file") and linked.is_file():
        return linked.stat().st_size
    return None


def _gigabytes(size: int) -> str:
    return f"{size / 1e9:.1f} GB"
