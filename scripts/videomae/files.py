"""How does a file or folder appear?  Whole, under its final name, or not at all."""

import glob
import hashlib
import os
import platform
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from videomae.errors import ConversionError, said
from videomae.replacing import recover, take_place


@contextmanager
def appearing(path: Path) -> Iterator[Path]:
    """Give a temporary path beside; what the block makes there then takes the path's place.

    If the block fails, what stood at the path before still does and nothing else is left. What a
    killed process left is removed by the next one that makes the same path; a folder that it had
    moved away, and not replaced, gets its name back first.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    _remove_orphans(path)
    mine = f".{path.name}.{platform.node()}-{os.getpid()}"
    new, old = (path.with_name(f"{mine}.{age}") for age in ("new", "old"))
    try:
        yield new
        _give_usual_mode(new)
        take_place(new, path, old)
    finally:
        for leftover in (new, old):
            remove(leftover)


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
    recover(path, _orphans(path))
    for leftover in _orphans(path):
        remove(leftover)


def _orphans(path: Path) -> list[Path]:
    """List what processes of this machine that are dead left beside a path."""
    found = []
    for leftover in path.parent.glob(f".{glob.escape(path.name)}.{platform.node()}-*.*"):
        pid = leftover.stem.rpartition("-")[2]
        if leftover.suffix in (".new", ".old") and pid.isdecimal() and not _lives(int(pid)):
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
