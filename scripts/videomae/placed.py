"""Did someone put a checkpoint in its place by hand?  Snakemake has no or wrong notes of that."""

from base64 import urlsafe_b64encode
from pathlib import Path

from videomae import receipts
from videomae.errors import ConversionError

NOTES = Path(".snakemake")


def accept(checkpoint: Path, source: str) -> None:
    """Let a checkpoint stand, unless it was put there for another source.

    It has its name only when it is whole. Where a download was interrupted, Snakemake would all
    the same take a file that is there now for unfinished, and delete it. And of a file that it did
    not make it would not notice that the source is another now, so that raises `ConversionError`.
    """
    if not checkpoint.exists():
        return
    _note("incomplete", checkpoint).unlink(missing_ok=True)
    receipt = checkpoint.with_suffix(".json")
    if receipt.exists() and not _note("metadata", checkpoint).exists():
        meant, _ = receipts.read(receipt)
        if meant != source:
            raise ConversionError(
                f"{checkpoint} was put there as {meant}, but is to be {source} now; remove it to "
                f"have that brought, or remove {receipt} if it is that already"
            )


def _note(kind: str, path: Path) -> Path:
    """Give the file in which Snakemake notes something of an output."""
    return NOTES / kind / urlsafe_b64encode(str(path).encode()).decode()
