"""Did files stay the same while they were used?  Size, times and inode, and the SHA-256.

Reading a file's times costs nothing, so a plan of a thousand variants can do it. They tell of every
change that did not take pains to hide: whoever sets a modification time back sets the time of the
last change of the inode to now. Where they differ, the SHA-256 decides.
"""

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path
from typing import IO, NamedTuple

from videomae.errors import ConversionError


class Stat(NamedTuple):
    """What tells, without reading a file, that it is the one that was read before."""

    bytes: int
    mtime_ns: int
    ctime_ns: int
    inode: int


def stat(file: Path | int) -> Stat:
    """Give the stat of a file, of what a link points to, or of an open descriptor."""
    found = os.fstat(file) if isinstance(file, int) else file.stat()
    return Stat(found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino)


def renamed(before: Stat, after: Stat) -> bool:
    """Tell whether a file is the one that it was, perhaps under another name or with a second."""
    return before == after._replace(ctime_ns=before.ctime_ns)


def hashed(path: Path) -> tuple[Stat, str]:
    """Give a file's stat and its SHA-256; raises `ConversionError` if it changes meanwhile."""
    with path.open("rb") as file:
        before = stat(file.fileno())
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        if not before == stat(file.fileno()) == stat(path):
            raise ConversionError(f"{path} changed while it was hashed; run again when it is done")
    return before, sha256


class Watched:
    """Files that are hashed when this is made, and must be the same when `changed` is asked.

    Without hashing their stats alone are compared.
    """

    def __init__(self, *paths: Path, folder: Path | None = None, hashing: bool = True) -> None:
        self.found = {path: hashed(path) if hashing else (stat(path), "") for path in paths}
        # Whoever puts another file in a name's place, even for a moment, changes the folder.
        places = [*paths, folder] if folder else paths
        self.places = {path: _place(path) for path in places}

    def sha256(self, path: Path) -> str:
        """Give the SHA-256 that a file had."""
        return self.found[path][1]

    def changed(self, opened: Iterable[IO[bytes]] = ()) -> list[str]:
        """Name the paths that are not what they were; ``opened`` are files that were read.

        A path may have led somewhere else while it was opened, so that counts as a change too.
        """
        names = [str(path) for path, before in self.places.items() if _place(path) != before]
        known = {found for found, _ in self.found.values()}
        others = {stat(file.fileno()) for file in opened} - known
        return names or [str(path) for path in self.found if others]


def _place(path: Path) -> tuple[Stat, int, int] | None:
    """Give what tells a path from another that leads elsewhere; None if nothing is there."""
    try:
        link = path.lstat()
        return stat(path), link.st_ino, link.st_ctime_ns
    except OSError:
        return None
