"""Detects changes of files by size, times and inode, and by the SHA-256.

Reading a file's times costs almost nothing, so a plan of a thousand variants can do it. They show
every ordinary change: resetting the modification time changes the inode's change time. Where the
times differ, the SHA-256 decides.
"""

import hashlib
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import IO, NamedTuple

from videomae.errors import ConversionError


class Stat(NamedTuple):
    """Size, times and inode: they identify a file's content without reading it."""

    bytes: int
    mtime_ns: int
    ctime_ns: int
    inode: int


def stat(file: Path | int) -> Stat:
    """Return the stat of a file, of what a link points to, or of an open descriptor."""
    found = os.fstat(file) if isinstance(file, int) else file.stat()
    return Stat(found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino)


def renamed(before: Stat, after: Stat) -> bool:
    """Return whether a file is unchanged except for a rename or a second hard link."""
    return before == after._replace(ctime_ns=before.ctime_ns)


def hashed(path: Path) -> tuple[Stat, str]:
    """Return a file's stat and its SHA-256; raises `ConversionError` if it changes meanwhile."""
    with path.open("rb") as file:
        before = stat(file.fileno())
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        if not before == stat(file.fileno()) == stat(path):
            raise ConversionError(
                f"{path} changed while it was hashed; run again once nothing writes to it"
            )
    return before, sha256


class Watched:
    """Files that must stay the same: hashed at first, compared again by `changed`.

    With ``hashing`` off, only their stats are compared. Of a file that still has a stat of
    ``hashes``, the SHA-256 is taken from there.
    """

    def __init__(
        self,
        *paths: Path,
        folder: Path | None = None,
        hashing: bool = True,
        hashes: Mapping[Stat, str] = MappingProxyType({}),
    ) -> None:
        self.found: dict[Path, tuple[Stat, str]] = {}
        for path in paths:
            now = stat(path)
            known = (now, hashes.get(now, ""))
            self.found[path] = hashed(path) if hashing and now not in hashes else known
        # Replacing a file changes its folder, even if the first file is put back later.
        places = [*paths, folder] if folder else paths
        self.places = {path: _place(path) for path in places}

    def sha256(self, path: Path) -> str:
        """Return the SHA-256 that a file had."""
        return self.found[path][1]

    def changed(self, opened: Iterable[IO[bytes]] = ()) -> list[str]:
        """Return the paths that changed; ``opened`` are the open files that were read.

        An open file that is none of the watched ones counts as a change too: its path may have led
        somewhere else when it was opened.
        """
        names = [str(path) for path, before in self.places.items() if _place(path) != before]
        known = {found for found, _ in self.found.values()}
        others = {stat(file.fileno()) for file in opened} - known
        return names or [str(path) for path in self.found if others]


def _place(path: Path) -> tuple[Stat, int, int] | None:
    """Return the stat of a path's target and the inode of the path; None if nothing is there."""
    try:
        link = path.lstat()
        return stat(path), link.st_ino, link.st_ctime_ns
    except OSError:
        return None
