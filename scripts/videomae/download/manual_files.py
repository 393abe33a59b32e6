"""Recognises checkpoints that a user put in the place of a download, by the download's record.

Snakemake deletes what its rules made before they make it again, whatever the file is by then. So a
file that no download brought here, or that was replaced since, is an output of no rule.
"""

import os
from pathlib import Path

from videomae import file_state
from videomae.download import receipts
from videomae.errors import ConversionError


def accept(checkpoint: Path, source: str) -> bool:
    """Return whether a user put the checkpoint there.

    Raises `ConversionError` if it was put there for another source than ``source``.
    """
    if not by_hand(checkpoint):
        return False
    receipt = checkpoint.with_suffix(".json")
    if receipt.exists():
        meant = receipts.read(receipt).source
        if meant != source:
            raise ConversionError(
                f"{checkpoint} was added by hand for {meant}, but the source is {source} now; "
                f"remove the file to download it, or remove {receipt} if the file is correct"
            )
    return True


def discard(checkpoint: Path) -> str:
    """Remove a checkpoint that was downloaded or linked; return a text on what was done.

    One that was put there by hand stays. The download's record goes too, so that what is put there
    afterwards is not taken for the download.
    """
    if by_hand(checkpoint):
        return f"{checkpoint} stays, because it is not the downloaded file"
    there = os.path.lexists(checkpoint)
    for path in (checkpoint, record(checkpoint)):
        path.unlink(missing_ok=True)
    return f"{checkpoint} was removed" if there else f"{checkpoint} did not exist"


def by_hand(checkpoint: Path) -> bool:
    """Return whether there is a file that no download brought here, or not as it is now.

    Of a link only the link would go, so that is never one.
    """
    if checkpoint.is_symlink() or not checkpoint.exists():
        return False
    known = fetched(checkpoint)
    if known is None or receipts.describes(known, checkpoint) is not None:
        return True
    if known.file != (file := file_state.stat(checkpoint)):
        receipts.refresh(record(checkpoint), file)  # so that the next plan need not hash it
    return False


def is_copy(checkpoint: Path) -> bool:
    """Return whether this is a copy of a local file, made where no links are possible."""
    if checkpoint.is_symlink() or not checkpoint.exists():
        return False
    known = fetched(checkpoint)
    return known is not None and not known.fetched and not by_hand(checkpoint)


def fetched(checkpoint: Path) -> receipts.Receipt | None:
    """Return what a download wrote down of the file that it brought; None without a record."""
    path = record(checkpoint)
    # Snakemake leaves an empty file where a checkpoint was linked.
    return receipts.read(path) if path.exists() and path.stat().st_size else None


def record(checkpoint: Path) -> Path:
    """Return the file in which a download writes down what it brought."""
    return checkpoint.absolute().parent.parent / f"logs/download/{checkpoint.stem}.json"
