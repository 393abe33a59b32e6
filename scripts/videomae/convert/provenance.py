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

from videomae import results_location
from videomae.checkpoint.lazy_tensor import Entry, Stored
from videomae.convert.model_folder import CONVERTED, read_json
from videomae.errors import ConversionError, listing
from videomae.file_state import Watched


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
    results_location.results(name).unlink(missing_ok=True)
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


def watch_beside(*paths: Path) -> Watched:
    """Watch what is read beside checkpoint and folder: labels, a clip, a mask, a truth file.

    A missing file is an error where it is read. One that appears meanwhile is a change too.
    """
    watched = Watched(*(path for path in paths if path.is_file()))
    watched.places |= {path: None for path in paths if path not in watched.found}
    return watched


def refuse_changed(watched: Watched, entries: Mapping[str, Entry] | None = None) -> None:
    """Raise `ConversionError` if files, or those that ``entries`` were read from, have changed."""
    opened = [entry.file for entry in (entries or {}).values() if isinstance(entry, Stored)]
    if changed := watched.changed(opened):
        raise ConversionError(
            f"{listing(changed)} changed while it was read; run again once nothing writes to it"
        )


def watch_folder(folder: Path) -> Watched:
    """Hash a folder's files that are there."""
    files = [path for name in CONVERTED if (path := folder / name).is_file()]
    return Watched(*files, folder=folder)


def changed_files(watched: Watched, after: Mapping[str, str]) -> list[str]:
    """Name the files of a folder that are not what they were, by their hashes ``after`` the checks.

    It was read many times in between, by transformers too, and could have been another each time.
    """
    before = {path.name: sha256 for path, (_, sha256) in watched.found.items()}
    others = {name for name in {*before, *after} if before.get(name) != after.get(name)}
    return sorted(others) or watched.changed()


def describe(watched: Watched, path: Path) -> dict[str, Any]:
    """Return what a report tells of the checkpoint."""
    file, sha256 = watched.found[path]
    return {"sha256": sha256, "bytes": file.bytes}


def digest(content: Any) -> str:
    """Return what is the same for the same content, which JSON can hold; hexadecimal."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def conversion(
    config: Mapping[str, Any], dtype: str, weights: str | None, labels: str | None
) -> dict[str, Any]:
    """Return what a report tells of how a checkpoint is converted; ``labels`` is a SHA-256."""
    return {"config": dict(config), "dtype": dtype, "weights": weights, "labels": labels}


def recorded(outputs: Any, use: str) -> dict[str, Any]:
    """Return what a report tells of the recorded outputs that it was asked to compare.

    Those in a file of one's own are told by the file's hash instead.
    """
    held = digest(outputs) if isinstance(outputs, dict) and outputs else None
    return {"recorded": held, "recorded_outputs": use}
