"""Reads a verified folder for publishing, and checks that its files don't change meanwhile."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from huggingface_hub import CommitOperationAdd
from huggingface_hub.utils.sha import git_hash

from videomae.convert.model_folder import CONFIG, CONVERTED, PUBLISHED, SYNTHETIC, parse_json
from videomae.errors import ConversionError, listing
from videomae.files import sha256

# The hub stores larger files outside git. Smaller files are read once and sent from memory.
SMALL = 10 << 20  # bytes
GIT_HASH = 40  # hexadecimal digits; a SHA-256 has 64


class Identity(NamedTuple):
    """The stat fields that change when a file is replaced or written to."""

    device: int
    inode: int
    size: int
    modified: int
    changed: int

    @classmethod
    def of(cls, path: Path) -> "Identity":
        """Return the identity of a file; times are in nanoseconds."""
        stat = path.stat()
        return cls(stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns)


@dataclass(frozen=True)
class File:
    """One hashed file of a folder; ``content`` is None for a large file."""

    path: Path
    identity: Identity
    sha256: str
    content: bytes | None = None

    @classmethod
    def read(cls, path: Path) -> "File":
        """Return a file with its hash, and with its content if it is small."""
        before = Identity.of(path)
        if before.size > SMALL:
            return cls(path, before, sha256(path))
        content = path.read_bytes()
        return cls(path, before, hashlib.sha256(content).hexdigest(), content)

    @property
    def size(self) -> int:
        """The number of bytes to send."""
        return self.identity.size if self.content is None else len(self.content)

    def addition(self) -> CommitOperationAdd:
        """Return the commit operation that adds this file.

        The hub's client hashes a large file itself: with Xet it hashes the bytes that it sends, but
        would trust a hash that it was given.
        """
        return CommitOperationAdd(
            self.path.name, self.path if self.content is None else self.content
        )

    def was_written_to(self) -> bool:
        """Return whether a large file was written to or replaced since it was read."""
        if self.content is not None:
            return False
        try:
            return Identity.of(self.path) != self.identity
        except OSError:
            return True

    def is_at(self, hash_: str | None) -> bool:
        """Return whether the hub's hash (SHA-256, or git's for small files) is of this file."""
        if hash_ is not None and len(hash_) == GIT_HASH:
            return self.content is not None and git_hash(self.content) == hash_
        return hash_ == self.sha256


@dataclass(frozen=True)
class Publishable:
    """A verified folder's four files by name, each with the SHA-256 that was verified."""

    folder: Path
    files: Mapping[str, File]

    @property
    def hashes(self) -> dict[str, str]:
        """Each file's SHA-256."""
        return {name: file.sha256 for name, file in self.files.items()}

    def differing(self, held: Mapping[str, str]) -> list[str]:
        """Return the files that the hub lacks or that differ; ``held`` are the hub's hashes."""
        return [name for name, file in self.files.items() if not file.is_at(held.get(name))]

    def amount(self, names: Iterable[str]) -> str:
        """Return the number of these files and their bytes, as a text."""
        sizes = [self.files[name].size for name in names]
        return f"{len(sizes)} files, {sum(sizes):,} bytes"

    def check_sent(self, sent: Iterable[CommitOperationAdd]) -> None:
        """Raise `ConversionError` if the files to commit are not the verified ones.

        Their SHA-256 is of the bytes that the hub's client read. If it read a file a second time
        to send it, only the file's times and inode show whether it was the same.
        """
        hashes = {each.path_in_repo: each.upload_info.sha256.hex() for each in sent}
        self._refuse([name for name in hashes if hashes[name] != self.files[name].sha256])
        self.check_unchanged()

    def check_unchanged(self) -> None:
        """Raise `ConversionError` if large files were written to or replaced since the read."""
        self._refuse([name for name, file in self.files.items() if file.was_written_to()])

    def _refuse(self, changed: list[str]) -> None:
        if changed:
            raise ConversionError(
                f"{self.folder} changed during the push: {listing(changed)}; nothing was "
                "committed; verify the folder again"
            )


def publishable(folder: Path, report: Mapping[str, Any]) -> Publishable:
    """Read a folder that may be published.

    Raises `ConversionError` for one that failed, was changed since it was verified, is incomplete,
    or holds synthetic weights.
    """
    missing = [name for name in PUBLISHED if not (folder / name).is_file()]
    if missing:
        raise ConversionError(f"{folder} is incomplete: {listing(missing)} missing")
    if not report.get("passed"):
        raise ConversionError(f"{folder} did not pass verification; convert and verify it again")
    files = {name: File.read(folder / name) for name in PUBLISHED}
    config = parse_json(files[CONFIG].content or b"", folder / CONFIG)
    if config.get(SYNTHETIC) or report.get("rehearsal"):
        raise ConversionError(f"{folder} holds synthetic weights, which are never pushed")
    verified = report.get("sha256", {})
    changed = [name for name in CONVERTED if files[name].sha256 != verified.get(name)]
    if changed:
        raise ConversionError(
            f"{folder} changed after its verification: {listing(changed)}; verify it again"
        )
    return Publishable(folder, files)
