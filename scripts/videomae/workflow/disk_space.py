"""Computes the disk space that a run needs, as far as sizes are known before it starts."""

import os
import shutil
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

from videomae.config.variant import Variant
from videomae.errors import ConversionError
from videomae.files import takes_links
from videomae.workflow.states import STEPS


def check(variants: Collection[Variant], results: Path, kept: bool = True) -> str:
    """Return a line on needed and free space; raises `ConversionError` if it is too little.

    A variant needs space for its folder and, unless it can be linked, its checkpoint. Without
    ``kept`` the checkpoints are removed later, but all of them may exist at once.
    """
    results.mkdir(parents=True, exist_ok=True)
    if not os.access(results, os.W_OK):
        raise ConversionError(
            f"{results.absolute()} is not writable: it is read-only or belongs to another user; "
            "choose another folder with --directory"
        )
    links = takes_links(results)
    sizes = [_bytes(variant, results, links) for variant in variants]
    brought, made = (sum(known) for known in zip((0, 0), *filter(None, sizes), strict=True))
    needed, unknown = brought + made, sizes.count(None)
    more = "" if links else " (with copies of local files: this file system has no links)"
    more += "" if kept else f"; {_gigabytes(needed - brought)} after checkpoints are removed"
    if unknown:
        more += f" (without {unknown} variants from the network, whose sizes are unknown)"
    return "\n".join([_stated(needed, results, more), *_shared(variants)])


def _shared(variants: Iterable[Variant]) -> Iterator[str]:
    """Yield a line on the space in the shared folder, if this run adds to it."""
    added = [variant for variant in variants if variant.shared and not variant.at_hand]
    if not added:
        return
    needed = sum(variant.locked.bytes for variant in added if variant.locked)
    yield _stated(needed, Path(added[0].shared).parent)


def _stated(needed: int, folder: Path, more: str = "") -> str:
    """Return a line on needed and free space; raises `ConversionError` if it is too little."""
    free = shutil.disk_usage(folder).free
    said = (
        f"disk: {_gigabytes(needed)} needed in {folder.absolute()}, {_gigabytes(free)} free{more}"
    )
    if needed > free:
        raise ConversionError(f"{said}; free {_gigabytes(needed - free)} more")
    return said


def _bytes(variant: Variant, results: Path, links: bool) -> tuple[int, int] | None:
    """Return the bytes that a variant's checkpoint and folder will add; None if unknown.

    Without ``links`` a local file is copied.
    """
    checkpoint, folder = (
        results / STEPS[step].format(variant.name) for step in ("download", "convert")
    )
    size = variant.known_bytes
    if folder.exists():
        return 0, 0  # at most a checkpoint that was changed meanwhile
    if size is None:
        return None
    linked = variant.source.kind == "file" and not variant.source.packed
    elsewhere = variant.shared or variant.at_hand or linked
    return 0 if (elsewhere and links) or checkpoint.exists() else size, size


def _gigabytes(size: int) -> str:
    return f"{size / 1e9:.1f} GB"
