"""Are these the bytes that should have come?  Receipts of checkpoints, pins, and checkpoints.lock.

The lock stands beside config.yaml and has, for each source on the network, what came from it first.
What comes later is held to that, unless config.yaml pins a SHA-256 itself.
"""

import argparse
import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from videomae import sources
from videomae.errors import ConversionError
from videomae.files import appearing, sha256

LOCK = Path("checkpoints.lock")
MEND = "mend it, or remove it and let it be written again"


class Content(NamedTuple):
    """What tells one file's content from another's."""

    bytes: int
    sha256: str

    def __str__(self) -> str:
        """Give it as messages do."""
        return f"SHA-256 {self.sha256} ({self.bytes:,} bytes)"


def content(path: Path) -> Content:
    """Measure and hash a file."""
    return Content(path.stat().st_size, sha256(path))


def add_expected(parser: argparse.ArgumentParser) -> None:
    """Let a command take what a file is held to."""
    parser.add_argument("--sha256", help="refuse a file with another SHA-256")
    parser.add_argument(
        "--locked",
        nargs=3,
        metavar=("SOURCE", "BYTES", "SHA256"),
        help=f"refuse another file than {LOCK} recorded",
    )


def hold(found: Content, what: str, expected: argparse.Namespace) -> None:
    """Refuse a file that is not the pinned one, or not the one that the lock recorded."""
    if expected.sha256 and found.sha256 != expected.sha256.lower():
        raise ConversionError(
            f"{what} has {found}, but {expected.sha256} is pinned; correct the pin if the file was "
            "replaced on purpose"
        )
    if expected.locked:
        source, size, hashed = expected.locked
        if found != (recorded := Content(int(size), hashed)):
            raise ConversionError(
                f"{what} has {found}, but {LOCK} recorded {recorded} for {source}; remove that "
                f"entry from {LOCK} if the file was replaced on purpose"
            )


def read_lock(path: Path = LOCK) -> dict[str, Content]:
    """Give what is recorded of each source; nothing without a file."""
    if not path.exists():
        return {}
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConversionError(f"{path} can't be read: {error}; {MEND}") from error
    if not isinstance(entries, dict):
        raise ConversionError(f"{path} is not an object with an entry for each source; {MEND}")
    return {source: _recorded(f"{path}: {source}", entry) for source, entry in entries.items()}


def _recorded(where: str, entry: Any) -> Content:
    match entry:
        case {"bytes": int(size), "sha256": str(hashed)} if re.fullmatch("[0-9a-f]{64}", hashed):
            return Content(size, hashed)
    raise ConversionError(
        f"{where}: {json.dumps(entry)} is not bytes (a number) and sha256 (64 hexadecimal digits); "
        f"{MEND}"
    )


def record(receipts: Iterable[Path], path: Path = LOCK) -> None:
    """Enter what came from the network, of sources that have no entry; else leave the file alone.

    A file at hand is not entered: a training run may change it, and then it is converted again.
    """
    known = read_lock(path)
    came = dict(map(read, receipts))
    new = {source: each for source, each in came.items() if _on_network(source)}
    if new.keys() <= known.keys():
        return
    entries = {source: each._asdict() for source, each in sorted((new | known).items())}
    with appearing(path) as file:
        file.write_text(json.dumps(entries, indent=2) + "\n", encoding="utf-8")


def write(receipt: Path, source: str, found: Content) -> None:
    """Write a receipt, whole or not at all: where a file came from, and its content."""
    text = json.dumps({"source": source, **found._asdict()}, indent=2)
    with appearing(receipt) as new:
        new.write_text(f"{text}\n", encoding="utf-8")


def of(checkpoint: Path) -> tuple[str, Content] | None:
    """Give what the receipt of a checkpoint tells; None without one, and if that is out of date."""
    receipt = checkpoint.with_suffix(".json")
    if not (receipt.exists() and checkpoint.exists()):
        return None
    current = receipt.stat().st_mtime >= checkpoint.stat().st_mtime
    return read(receipt) if current else None


def read(receipt: Path) -> tuple[str, Content]:
    """Give the source and the content that a receipt tells of."""
    try:
        match json.loads(receipt.read_text(encoding="utf-8")):
            case {"source": str(source), "bytes": int(size), "sha256": str(hashed)}:
                return source, Content(size, hashed)
    except ValueError:
        pass
    raise ConversionError(f"{receipt} is no receipt; remove it, and it is written again")


def _on_network(source: str) -> bool:
    return sources.parse(source).kind in sources.ON_NETWORK
