"""Replaces a file or folder with a new one so that a killed process loses neither."""

import ctypes
import os
from collections.abc import Iterable
from pathlib import Path

from videomae.errors import ConversionError

# From Linux's fcntl.h and fs.h: paths are relative to the working directory; swap two names.
AT_FDCWD = -100
RENAME_EXCHANGE = 2


def take_place(new: Path, path: Path, old: Path) -> None:
    """Move ``new`` to ``path``; the earlier content moves to ``new`` or ``old``, or is removed.

    A folder that is not empty can't be replaced by a rename. Linux swaps two names in one step on
    most file systems (renameat2); elsewhere the earlier folder waits at ``old`` for a moment.
    If the move fails, raises `OSError` and leaves the earlier content at ``path``.
    """
    if path.is_dir():  # or a link to one, which goes as a link
        if exchange(new, path):
            return
        path.rename(old)
    try:
        new.replace(path)
    except OSError:
        if old.exists():
            old.rename(path)
        raise


def exchange(one: Path, other: Path) -> bool:
    """Swap two names in one step; return False if the system or file system can't."""
    try:
        renameat2 = ctypes.CDLL(None, use_errno=True).renameat2
    except (AttributeError, OSError):  # not Linux, or a C library from before 2018
        return False
    names = os.fsencode(one), os.fsencode(other)
    return bool(renameat2(AT_FDCWD, names[0], AT_FDCWD, names[1], RENAME_EXCHANGE) == 0)


def recover(path: Path, orphans: Iterable[Path]) -> None:
    """Restore the content that a killed process had moved away from ``path``, if nothing is there.

    ``orphans`` are files and folders that dead processes left beside the path. Those that end with
    ``.old`` are earlier content; the youngest of them was complete last.
    """
    if os.path.lexists(path):
        return
    earlier = [orphan for orphan in orphans if orphan.suffix == ".old"]
    if earlier:
        max(earlier, key=lambda orphan: orphan.lstat().st_mtime_ns).rename(path)


def refuse_existing(path: Path, overwrite: bool) -> None:
    """Raise `ConversionError` if the output path exists and the user did not give --overwrite.

    An empty folder may be replaced.
    """
    empty = path.is_dir() and not path.is_symlink() and not any(path.iterdir())
    if os.path.lexists(path) and not (overwrite or empty):
        raise ConversionError(f"{path} exists; give --overwrite to replace it, or another name")
