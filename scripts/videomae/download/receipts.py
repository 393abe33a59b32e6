"""Receipts of checkpoints and their expected checksums, in config.yaml or checkpoints.lock.

The lock stands beside config.yaml and has, for each source on the network, what came from it first.
Later downloads must agree with it, unless config.yaml pins a SHA-256 itself.
"""

import argparse
import json
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from videomae.errors import ConversionError
from videomae.file_state import Stat, hashed, stat
from videomae.files import appearing
from videomae.network.addresses import shown

LOCK = Path("checkpoints.lock")
MEND = "correct the file, or remove it and run again"


class Content(NamedTuple):
    """The size and the SHA-256 of a file's content."""

    bytes: int
    sha256: str

    def __str__(self) -> str:
        """Return it as messages do."""
        return f"SHA-256 {self.sha256} ({self.bytes:,} bytes)"


class Receipt(NamedTuple):
    """A checkpoint's source, its content, and the stat of the hashed file.

    ``file`` is None in receipts of earlier releases. ``fetched`` tells that these bytes came from
    the source over the network, and were not put here by somebody who says so.
    """

    source: str
    content: Content
    file: Stat | None = None
    fetched: bool = False


def content(path: Path) -> Content:
    """Measure and hash a file."""
    return of_hashed(*hashed(path))


def of_hashed(file: Stat, sha256: str) -> Content:
    """Return the content of a file that was hashed."""
    return Content(file.bytes, sha256)


def add_expected(parser: argparse.ArgumentParser) -> None:
    """Add the options with the expected checksum of a file."""
    parser.add_argument("--sha256", help="the expected SHA-256 of the file")
    parser.add_argument(
        "--locked",
        nargs=3,
        metavar=("SOURCE", "BYTES", "SHA256"),
        help=f"the expected file by {LOCK}",
    )


def hold(found: Content, what: str, expected: argparse.Namespace) -> None:
    """Raise `ConversionError` for a file that has not the expected SHA-256."""
    if expected.sha256 and found.sha256 != expected.sha256.lower():
        raise ConversionError(
            f"{what} has {found}, but {expected.sha256} is expected; correct sha256 in config.yaml "
            "if the file was replaced on purpose"
        )
    if expected.locked:
        source, size, hashed = expected.locked
        if found != (recorded := Content(int(size), hashed)):
            raise ConversionError(
                f"{what} has {found}, but {LOCK} has {recorded} for {source}; remove that entry "
                f"from {LOCK} if the file was replaced on purpose"
            )


def read_lock(path: Path = LOCK) -> dict[str, Content]:
    """Return what is recorded of each source; nothing without a file."""
    if not path.exists():
        return {}
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConversionError(f"{path} can't be read: {error}; {MEND}") from error
    if not isinstance(entries, dict):
        raise ConversionError(f"{path} must be an object with an entry for each source; {MEND}")
    found = {shown(source): entry for source, entry in entries.items()}
    return {source: _recorded(f"{path}: {source}", entry) for source, entry in found.items()}


def _recorded(where: str, entry: Any) -> Content:
    match entry:
        case {"bytes": int(size), "sha256": str(hashed)} if re.fullmatch("[0-9a-f]{64}", hashed):
            return Content(size, hashed)
    raise ConversionError(
        f"{where}: {json.dumps(entry)} must have bytes (a number) and sha256 (64 hexadecimal "
        f"digits); {MEND}"
    )


def record(receipts: Iterable[Path], path: Path = LOCK) -> None:
    """Add an entry for each new source that was downloaded; else leave the file unchanged.

    What was not fetched is not entered: a training run may change a local file, and what somebody
    put in a download's place is what they say that it is.
    """
    known = read_lock(path)
    came = {one.source: one.content for one in map(read, receipts) if one.fetched}
    if came.keys() <= known.keys() and not _tells_secrets(path):
        return
    entries = {source: each._asdict() for source, each in sorted((came | known).items())}
    with appearing(path) as file:
        file.write_text(json.dumps(entries, indent=2) + "\n", encoding="utf-8")


def _tells_secrets(lock: Path) -> bool:
    """Return whether a lock of an earlier version has addresses with their secrets."""
    entries = json.loads(lock.read_text(encoding="utf-8")) if lock.exists() else {}
    return any(source != shown(source) for source in entries)


def write(receipt: Path, made: Receipt) -> None:
    """Write a receipt, whole or not at all."""
    _write(receipt, made, None)


def refresh(receipt: Path, file: Stat) -> None:
    """Record a verified file's stat in its receipt, without changing the receipt's time."""
    before = receipt.stat()
    _write(receipt, read(receipt)._replace(file=file), (before.st_atime_ns, before.st_mtime_ns))


def _write(receipt: Path, made: Receipt, times: tuple[int, int] | None) -> None:
    file = made.file._asdict() if made.file else {}
    known = {"source": made.source, "fetched": made.fetched, **file, **made.content._asdict()}
    with appearing(receipt) as new:
        new.write_text(f"{json.dumps(known, indent=2)}\n", encoding="utf-8")
        if times:
            os.utime(new, ns=times)


def of(checkpoint: Path) -> Receipt | None:
    """Return the receipt of a checkpoint; None without one, and if the file changed since."""
    receipt = checkpoint.with_suffix(".json")
    if not (receipt.exists() and checkpoint.exists()):
        return None
    current = receipt.stat().st_mtime >= checkpoint.stat().st_mtime
    return read(receipt) if current else None


def describes(known: Receipt, path: Path) -> Content | None:
    """Return what a file has instead of what its receipt tells; None if that is right.

    Where its size, times or inode are not the receipt's, it is hashed.
    """
    if known.file == stat(path):
        return None
    found = content(path)
    return None if found == known.content else found


def read(receipt: Path) -> Receipt:
    """Return what a receipt tells."""
    try:
        match json.loads(receipt.read_text(encoding="utf-8")):
            case {"source": str(source), "bytes": int(size), "sha256": str(hashed)} as held:
                file = [held.get(name) for name in Stat._fields]
                whole = all(type(number) is int for number in file)
                made = Stat(*file) if whole else None
                fetched = held.get("fetched") is True
                return Receipt(shown(source), Content(size, hashed), made, fetched)
    except ValueError:
        pass
    raise ConversionError(f"{receipt} is not a receipt; remove it and run again")
