"""Did someone put a checkpoint in its place by hand?  Snakemake has no or wrong notes of that."""

import os
from base64 import urlsafe_b64encode
from pathlib import Path

from videomae import receipts, unchanged
from videomae.errors import ConversionError

NOTES = Path(".snakemake")
LONGEST = 254  # bytes of a name, with room for Snakemake's mark of a part


def accept(checkpoint: Path, source: str) -> bool:
    """Let a checkpoint stand, unless it was put there for another source; tell if it was by hand.

    It has its name only when it is whole. Where a download was interrupted, Snakemake would all
    the same take a file that is there now for unfinished, and delete it. And of a file that it did
    not make it would not notice that the source is another now, so that raises `ConversionError`.
    """
    if not checkpoint.exists():
        return False
    note("incomplete", checkpoint).unlink(missing_ok=True)
    receipt = checkpoint.with_suffix(".json")
    if not by_hand(checkpoint):
        return False
    if receipt.exists():
        meant = receipts.read(receipt).source
        if meant != source:
            raise ConversionError(
                f"{checkpoint} was put there as {meant}, but is to be {source} now; remove it to "
                f"have that brought, or remove {receipt} if it is that already"
            )
    return True


def discard(checkpoint: Path) -> str:
    """Remove a checkpoint that was downloaded or linked; say what was done.

    Snakemake's note goes too, so that what is put there afterwards is not taken for the download.
    One that was put there by hand stays.
    """
    if by_hand(checkpoint):
        return f"{checkpoint} stays: it is not the file that was downloaded"
    there = os.path.lexists(checkpoint)
    for path in (checkpoint, note("metadata", checkpoint)):
        path.unlink(missing_ok=True)
    return f"{checkpoint} was removed" if there else f"{checkpoint} was not there"


def by_hand(checkpoint: Path) -> bool:
    """Tell whether there is a checkpoint that no step brought here, or not as it is now.

    Snakemake deletes what its rules made before they make it again, whatever it is by then. Of a
    link only the link would go.
    """
    if not checkpoint.exists():
        return False
    if not note("metadata", checkpoint).exists():
        return True
    return not (checkpoint.is_symlink() or _is_as_fetched(checkpoint))


def _is_as_fetched(checkpoint: Path) -> bool:
    """Tell whether a file is what its download noted; what has another stat is hashed."""
    noted = checkpoint.parents[1] / f"logs/download/{checkpoint.stem}.json"
    if not noted.exists() or not noted.stat().st_size:
        return False
    known = receipts.read(noted)
    if receipts.describes(known, checkpoint) is not None:
        return False
    if known.file != (file := unchanged.stat(checkpoint)):
        receipts.refresh(noted, file)  # so that the next plan need not hash it
    return True


def note(kind: str, path: Path) -> Path:
    """Give the file in which Snakemake notes something of an output.

    Where a file's name can't be as long, it begins in folders' names.
    """
    name = urlsafe_b64encode(str(path).encode()).decode()
    *folders, name = (name[i : i + LONGEST] for i in range(0, len(name), LONGEST))
    return NOTES.joinpath(kind, *(f"@{part}" for part in folders), name)
