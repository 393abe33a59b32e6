"""Writes files and folders so that they appear complete at their final path, or not at all."""

import errno
import glob
import hashlib
import math
import os
import platform
import re
import shutil
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryFile, mkdtemp
from typing import Any

from videomae.atomic_replace import recover, take_place
from videomae.errors import ConversionError, said

# What file systems without modes or links say, such as mounted buckets, exFAT and SMB.
NOT_HERE = {errno.EPERM, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP}


@contextmanager
def appearing(path: Path) -> Iterator[Path]:
    """Yield a temporary path; what the block writes there then replaces ``path``.

    The temporary folder is private and its name is random, so that no other user can put a link
    there through which the block would write elsewhere. If the block fails, the earlier content of
    ``path`` stays and the temporary folder is removed. Leftovers of a killed process are removed
    by the next one that writes the same path; an earlier folder that it had moved away is restored.
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
    """Return the prefix of temporary names that this machine's processes use beside a path."""
    return f".{path.name}.{platform.node()}-"


def _check_kind(new: Path, path: Path) -> None:
    """Refuse to replace a folder with a file: the folder's content would be lost."""
    if path.is_dir() and not path.is_symlink() and not new.is_dir():
        raise ConversionError(f"{path} is a folder, but a file must go there; move the folder")


def not_through_link(path: str, flags: int) -> int:
    """Open a file, as the ``opener`` of `open`; raises `ConversionError` for a symbolic link."""
    try:
        return os.open(path, flags | os.O_NOFOLLOW, 0o666)
    except OSError as error:
        if error.errno != errno.ELOOP:
            raise
        raise ConversionError(
            f"{path} is a link, and files are not written through links; remove it"
        ) from error


def make_private(folder: Path) -> None:
    """Make a folder that only this user can write to; raises `ConversionError` for another's."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    found = folder.lstat()
    ours = found.st_uid == os.geteuid() or found.st_uid == _owner(folder.parent)
    if not (stat.S_ISDIR(found.st_mode) and ours):
        raise ConversionError(
            f"{folder} is a link, a file or another user's folder, but this run needs a folder "
            "of its own there; remove it"
        )
    if stat.S_IMODE(found.st_mode) & 0o022:  # as an earlier version made it
        _chmod(folder, 0o700)


def _owner(folder: Path) -> int:
    """Return who owns what this process makes in a folder: mounts may give all to one user."""
    with TemporaryFile(dir=folder) as file:
        return os.fstat(file.fileno()).st_uid


def _chmod(path: Path, mode: int) -> None:
    """Set a mode, if the file system has modes."""
    _possible(lambda: path.chmod(mode))


def link_or_copy(new: Path, original: Path) -> None:
    """Make a symbolic link to a file; a copy of it where the file system has no links."""
    if _possible(lambda: new.symlink_to(original)):
        return
    with saving(new):
        shutil.copyfile(original, new)
    print(f"{original} was copied, because the file system of {new.parent} has no links")


def _possible(attempt: Callable[[], None]) -> bool:
    """Do something; return False where the file system has no such thing."""
    try:
        attempt()
    except OSError as error:
        if error.errno not in NOT_HERE:
            raise
        return False
    return True


def takes_links(folder: Path) -> bool:
    """Return whether symbolic links can be made in a folder, by making one."""
    return _works(folder, lambda probe: (probe / "link").symlink_to("nowhere"))


def takes_modes(folder: Path) -> bool:
    """Return whether files in a folder can be given a mode, by giving one."""
    return _works(folder, lambda probe: probe.chmod(0o700))


def _works(folder: Path, attempt: Callable[[Path], None]) -> bool:
    """Return whether something can be done in a new folder in a folder."""
    probe = Path(mkdtemp(dir=folder, prefix=".probe-"))
    try:
        attempt(probe)
    except OSError:
        return False
    finally:
        remove(probe)
    return True


@contextmanager
def saving(path: Path, kind: type[Exception] = OSError) -> Iterator[None]:
    """Raise `ConversionError` with the file and the free space if the block can't write.

    ``kind`` is the exception that a library raises in place of an `OSError`.
    """
    try:
        yield
    except (OSError, kind) as error:
        free = shutil.disk_usage(path.parent).free / 1e6
        raise ConversionError(
            f"{path} can't be written ({free:,.1f} MB are free there): {said(error)}"
        ) from error


def _remove_orphans(path: Path) -> None:
    """Remove leftovers of this machine's dead processes beside a path; restore lost content."""
    # Names without a random part come from an earlier version or from somebody else.
    recover(path, [one for one in _orphans(path) if re.search(r"-\d+-\w+\.old$", one.name)])
    for leftover in _orphans(path):
        remove(leftover)


def _orphans(path: Path) -> list[Path]:
    """Return the leftovers of this machine's dead processes beside a path."""
    beginning, found = _temporary(path), []
    for leftover in path.parent.glob(f"{glob.escape(beginning)}*"):
        # Earlier versions used names without a random part.
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
    """Return the SHA-256 of a file's content, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _give_usual_mode(path: Path) -> None:
    """Give files the mode that the umask allows: gdown and safetensors write theirs as 0600."""
    umask = os.umask(0)
    os.umask(umask)
    for file in path.iterdir() if path.is_dir() else [path]:
        if not file.is_symlink():
            _chmod(file, 0o666 & ~umask)


def finite(content: Any) -> Any:
    """Replace infinity and NaN, which JSON does not have, by their names."""
    if isinstance(content, dict):
        return {key: finite(value) for key, value in content.items()}
    if isinstance(content, list):
        return [finite(value) for value in content]
    if isinstance(content, float) and not math.isfinite(content):
        return str(content)
    return content
