"""Did someone put a checkpoint in its place by hand?  Snakemake has no or wrong notes of that."""

from base64 import urlsafe_b64encode
from pathlib import Path

from videomae import receipts
from videomae.errors import ConversionError

NOTES = Path(".snakemake")


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


def downloaded(checkpoint: Path) -> list[str]:
    """Give what there is, or will be, of a checkpoint that Snakemake brings, with its note of it.

    Nothing if there is one that was put there by hand.
    """
    return [] if by_hand(checkpoint) else [str(checkpoint), str(note("metadata", checkpoint))]


def by_hand(checkpoint: Path) -> bool:
    """Tell whether there is a checkpoint that Snakemake did not make."""
    return checkpoint.exists() and not note("metadata", checkpoint).exists()


def note(kind: str, path: Path) -> Path:
    """Give the file in which Snakemake notes something of an output."""
    return NOTES / kind / urlsafe_b64encode(str(path).encode()).decode()
