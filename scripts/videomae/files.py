"""How does a file or folder appear?  Whole, under its final name, or not at all."""

import errno
import glob
import hashlib
import math
import os
import platform
import re
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from videomae.atomic_replace import recover, take_place
from videomae.errors import ConversionError, said


@contextmanager
def appearing(path: Path) -> Iterator[Path]:
    """Give a path in a new folder beside; what the block makes there then takes the path's place.

    The folder is this user's alone and nobody can foretell its name: in a folder that others write
    to too, they can put no link there, through which the block would write to a file elsewhere. If
    the block fails, what stood at the path before still does and nothing else is left. What a
    killed process left is removed by the next one that makes the same path; a folder that it had
    moved away, and not replaced, gets its name back first.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    _remove_orphans(path)
    mine = f"{_temporary(path)}{os.getpid()}-"
    private = Path(mkdtemp(dir=path.parent, prefix=mine, suffix=".new"))
    new, old = private / path.name, private.with_suffix(".old")
    try:
        yield new
        _give_usual_mode(new)
        _check_kind(new, path)
        take_place(new, path, old)
    finally:
        for leftover in (private, old):
            remove(leftover)


def _temporary(path: Path) -> str:
    """Give how the names begin of what this machine's processes make beside a path."""
    return f".{path.name}.{platform.node()}-"


def _check_kind(new: Path, path: Path) -> None:
    """Refuse to put a file in a folder's place: what is in the folder would be lost."""
    if path.is_dir() and not path.is_symlink() and not new.is_dir():
        raise ConversionError(f"{path} is a folder, where a file is to be; move it elsewhere")


def not_through_link(path: str, flags: int) -> int:
    """Open a file as ``opener`` of `open`; raises `ConversionError` for a link in its place."""
    try:
        return os.open(path, flags | os.O_NOFOLLOW, 0o666)
    except OSError as error:
        if error.errno != errno.ELOOP:
            raise
        raise ConversionError(
            f"{path} is a link, through which nothing is written; remove it"
        ) from error


def make_private(folder: Path) -> None:
    """Make a folder that this user alone can write to; raises `ConversionError` for another's."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
        raise ConversionError(
            f"{folder} is a link, a file, or another user's folder, where this run writes; "
            "remove it"
        )
    if stat.S_IMODE(found.st_mode) & 0o022:  # as an earlier version made it
        folder.chmod(0o700)


@contextmanager
def saving(path: Path, kind: type[Exception] = OSError) -> Iterator[None]:
    """Say which file could not be written, and how much space is left where it was to be.

    ``kind`` is what a library that writes raises in place of an `OSError`.
    """
    try:
        yield
    except (OSError, kind) as error:
        free = shutil.disk_usage(path.parent).free / 1e6
        raise ConversionError(
            f"{path} can't be written, with {free:,.1f} MB free there: {said(error)}"
        ) from error


def _remove_orphans(path: Path) -> None:
    """Remove what dead processes of this machine left beside a path, but not its last content."""
    # Names without a random part are of an earlier version, or planted.
    recover(path, [one for one in _orphans(path) if re.search(r"-\d+-\w+\.old$", one.name)])
    for leftover in _orphans(path):
        remove(leftover)


def _orphans(path: Path) -> list[Path]:
    """List what processes of this machine that are dead left beside a path."""
    beginning, found = _temporary(path), []
    for leftover in path.parent.glob(f"{glob.escape(beginning)}*"):
        # Names had no random part before.
        match = re.fullmatch(r"(\d+)(-\w+)?\.(new|old)", leftover.name.removeprefix(beginning))
        if match and not _lives(int(match[1])):
            found.append(leftover)
    return found


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # another user's
    return True


def remove(path: Path) -> None:
    """Remove a file, a link, or a folder with all in it; nothing if it isn't there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def sha256(path: Path) -> str:
    """Hash a file's content; hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _give_usual_mode(path: Path) -> None:
    """Give files the mode that the umask allows: gdown and safetensors write theirs as 0600."""
    umask = os.umask(0)
    os.umask(umask)
    for file in path.iterdir() if path.is_dir() else [path]:
        if not file.is_symlink():
            file.chmod(0o666 & ~umask)


def finite(content: Any) -> Any:
    """Replace numbers that JSON does not have, infinity and NaN, by their names."""
    if isinstance(content, dict):
        return {key: finite(value) for key, value in content.items()}
    if isinstance(content, list):
        return [finite(value) for value in content]
    if isinstance(content, float) and not math.isfinite(content):
        return str(content)
    return content
