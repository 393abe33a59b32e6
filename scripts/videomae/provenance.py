"""Of which bytes, and by which options, is a folder made?  Held to the receipt, and noted.

A receipt tells what a checkpoint was when it came. Converting and verifying are only worth what
they read, so each hashes the file itself.
"""

import argparse
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from videomae import remote
from videomae.errors import ConversionError, listing
from videomae.folder import CONVERTED, read_json
from videomae.report import Check
from videomae.stored import Entry, Stored
from videomae.unchanged import Watched


def add_provenance(parser: argparse.ArgumentParser) -> None:
    """Let a command take what its checkpoint must be, and what goes before anything can fail."""
    parser.add_argument("--sha256", help="refuse a checkpoint that has another SHA-256")
    parser.add_argument("--receipt", type=Path, help="refuse another checkpoint than it describes")
    parser.add_argument(
        "--withdraw",
        action="append",
        type=_remove,  # while options are read, so that wrong ones leave nothing that says verified
        metavar="FILE",
        help="remove this file first: it states what an earlier verification found",
    )


def _remove(name: str) -> str:
    remote.results(name).unlink(missing_ok=True)
    return name


def watch(
    path: Path, pinned: str | None = None, receipt: Path | None = None, hashing: bool = True
) -> Watched:
    """Watch a checkpoint from here on; refuse another than is pinned, or than its receipt tells.

    Where nothing tells what it should be, it need not be hashed.
    """
    watched = Watched(path, hashing=hashing or bool(pinned or receipt))
    found = watched.sha256(path)
    if pinned and found != pinned.lower():
        raise ConversionError(f"SHA-256 is {found}, but {pinned} is pinned")
    if receipt and found != (noted := read_json(receipt).get("sha256")):
        raise ConversionError(
            f"SHA-256 is {found}, but {receipt} says {noted}: the file was changed since; run "
            "again, and it is taken as it is now"
        )
    return watched


def refuse_changed(watched: Watched, entries: Mapping[str, Entry]) -> None:
    """Raise `ConversionError` if a checkpoint, or the file that was opened, is not what it was."""
    opened = [entry.file for entry in entries.values() if isinstance(entry, Stored)]
    if changed := watched.changed(opened):
        raise ConversionError(
            f"{listing(changed)} changed while it was read; run again once nothing writes to it"
        )


def watch_folder(folder: Path) -> Watched:
    """Hash a folder's files that are there."""
    files = [path for name in CONVERTED if (path := folder / name).is_file()]
    return Watched(*files, folder=folder)


def unchanged(watched: Watched, after: Mapping[str, str]) -> Check:
    """Give the check that a folder is what it was, by the hashes of its files ``after`` the others.

    It was read many times in between, by transformers too, and could have been another each time.
    """
    before = {path.name: sha256 for path, (_, sha256) in watched.found.items()}
    others = {name for name in {*before, *after} if before.get(name) != after.get(name)}
    changed = sorted(others) or watched.changed()
    message = f"{listing(changed)} changed while it was verified; verify again once nothing does"
    return Check("files unchanged", not changed, message=message if changed else "")


def describe(watched: Watched, path: Path) -> dict[str, Any]:
    """Give what a report tells of the checkpoint."""
    file, sha256 = watched.found[path]
    return {"sha256": sha256, "bytes": file.bytes}


def digest(content: Any) -> str:
    """Give what is the same for the same content, which JSON can hold; hexadecimal."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def conversion(
    config: Mapping[str, Any], dtype: str, weights: str | None, labels: str | None
) -> dict[str, Any]:
    """Give what a report tells of how a checkpoint is converted; ``labels`` is a SHA-256."""
    return {"config": dict(config), "dtype": dtype, "weights": weights, "labels": labels}


def recorded(outputs: Any, use: str) -> dict[str, Any]:
    """Give what a report tells of the recorded outputs that it was asked to compare.

    Those in a file of one's own are told by the file's hash instead.
    """
    held = digest(outputs) if isinstance(outputs, dict) and outputs else None
    return {"recorded": held, "recorded_outputs": use}
