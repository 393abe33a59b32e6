"""Shares one folder of checkpoints among several runs."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

from videomae.download import receipts
from videomae.errors import ConversionError
from videomae.file_state import hashed, renamed, stat
from videomae.files import appearing


def hold(checkpoint: Path, source: str, ours: Path | None = None) -> None:
    """Raise `ConversionError` if the receipt beside a checkpoint has another source or content.

    ``ours`` is this run's own receipt, which may know the file: then it need not be hashed. Without
    a receipt beside it somebody put the file there, and its name has to do.
    """
    receipt = checkpoint.with_suffix(".json")
    if not receipt.exists():
        return
    known = receipts.read(receipt)
    if known.source != source:
        raise ConversionError(
            f"{checkpoint} comes from {known.source} by the receipt beside it, but the variant's "
            f"source is {source}; rename the variant, or choose another checkpoints_dir"
        )
    if ours and ours.exists():
        mine = receipts.read(ours)
        known = mine if mine.content == known.content else known
    if found := receipts.describes(known, checkpoint):
        raise ConversionError(
            f"{checkpoint} has {found}, but the receipt beside it says {known.content}; if you "
            f"replaced the file, remove {receipt}"
        )


def fetched(checkpoint: Path, source: str, found: receipts.Content) -> bool:
    """Return whether the receipt beside a checkpoint says that these bytes came from the source."""
    receipt = checkpoint.with_suffix(".json")
    if not receipt.exists():
        return False
    known = receipts.read(receipt)
    return known.fetched and (known.source, known.content) == (source, found)


def add(checkpoint: Path, source: str, bring: Callable[[Path], object]) -> None:
    """Download a checkpoint to a path that other runs read, and may write to at the same time.

    ``bring`` makes the file at the path it is given. There is no lock, and a file has its name only
    when it is whole; the second of two processes has downloaded the same file in vain.
    """
    receipt = checkpoint.with_suffix(".json")
    with appearing(checkpoint) as new:
        bring(new)
        if new.is_symlink():  # to the hub's cache, which is the user's own
            _replace_by_copy(new)
        file, sha256 = hashed(new)
        made = receipts.Receipt(source, receipts.of_hashed(file, sha256), file, fetched=True)
        receipts.write(receipt, made)
        if checkpoint.exists():
            _keep_time(new, checkpoint)
    now = stat(checkpoint)  # the new name counts as a change of the file
    if renamed(file, now) or receipts.describes(made, checkpoint) is None:
        receipts.write(receipt, made._replace(file=now))


def _keep_time(new: Path, checkpoint: Path) -> None:
    """Give a file the time of the one that it replaces, by which the others' work is up to date.

    Where the file system has hard links, that one stays: it is renamed to itself.
    """
    before = checkpoint.stat()
    again = new.with_name("again")
    try:
        again.hardlink_to(checkpoint)
    except OSError:
        os.utime(new, ns=(before.st_atime_ns, before.st_mtime_ns))
    else:
        again.replace(new)


def _replace_by_copy(link: Path) -> None:
    real = link.resolve()
    link.unlink()
    shutil.copyfile(real, link)
