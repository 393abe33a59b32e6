"""How much disk does a run take?  Told beforehand, where the sizes are known."""

import os
import shutil
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

from videomae.config.variant import Variant
from videomae.errors import ConversionError
from videomae.workflow.states import STEPS


def check(variants: Collection[Variant], results: Path, kept: bool = True) -> str:
    """Say what is needed and free; raises `ConversionError` if that is less, or closed to writing.

    A variant takes its checkpoint (unless it is linked) and the folder made from it. If checkpoints
    are not ``kept``, all of them may still be there at once, at the worst.
    """
    sizes = [_bytes(variant, results) for variant in variants]
    brought, made = (sum(known) for known in zip((0, 0), *filter(None, sizes), strict=True))
    needed, unknown = brought + made, sizes.count(None)
    results.mkdir(parents=True, exist_ok=True)
    if not os.access(results, os.W_OK):
        raise ConversionError(
            f"{results.absolute()} can't be written to: it is read-only, or of somebody else; "
            "choose another folder by --directory"
        )
    more = "" if kept else f"; {_gigabytes(needed - brought)} stay, without the checkpoints"
    if unknown:
        more += f" ({unknown} variants come from the network, their sizes are not known yet)"
    return "\n".join([_stated(needed, results, more), *_shared(variants)])


def _shared(variants: Iterable[Variant]) -> Iterator[str]:
    """Say what goes to the folder of checkpoints that runs share, if this run adds to it."""
    added = [variant for variant in variants if variant.shared and not variant.at_hand]
    if not added:
        return
    needed = sum(variant.locked.bytes for variant in added if variant.locked)
    yield _stated(needed, Path(added[0].shared).parent)


def _stated(needed: int, folder: Path, more: str = "") -> str:
    """Say what is needed and free in a folder, and more; raises `ConversionError` if it is less."""
    free = shutil.disk_usage(folder).free
    said = (
        f"disk: {_gigabytes(needed)} needed in {folder.absolute()}, {_gigabytes(free)} free{more}"
    )
    if needed > free:
        raise ConversionError(f"{said}; {_gigabytes(needed - free)} more must be freed")
    return said


def _bytes(variant: Variant, results: Path) -> tuple[int, int] | None:
    """Tell what a variant's checkpoint and its folder will add to the disk; None if unknown."""
    checkpoint, folder = (
        results / STEPS[step].format(variant.name) for step in ("download", "convert")
    )
    size = variant.known_bytes
    if folder.exists():
        return 0, 0  # at most a checkpoint that was changed meanwhile
    if size is None:
        return None
    elsewhere = variant.shared or variant.at_hand or variant.source.kind == "file"
    return 0 if elsewhere or checkpoint.exists() else size, size


def _gigabytes(size: int) -> str:
    return f"{size / 1e9:.1f} GB"
