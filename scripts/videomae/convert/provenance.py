"""Checks and records the bytes and the options from which a folder is made.

A receipt has the checkpoint's SHA-256 at the time of the download. The file may have changed since,
so verifying hashes it again; converting does where size, times or inode are not the receipt's.
"""

import argparse
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from videomae import results_location
from videomae.checkpoint import repository
from videomae.checkpoint.lazy_tensor import Entry, Stored
from videomae.checkpoint.selection import Selection
from videomae.convert.model_folder import CONVERTED, read_json
from videomae.errors import ConversionError, listing
from videomae.file_state import Stat, Watched


def add_provenance(parser: argparse.ArgumentParser) -> None:
    """Add the options with the expected checksum, and with files to remove at the start."""
    parser.add_argument("--sha256", help="the expected SHA-256 of the checkpoint")
    parser.add_argument("--receipt", type=Path, help="a receipt with the expected SHA-256 (JSON)")
    parser.add_argument(
        "--withdraw",
        action="append",
        type=_remove,  # removed while options are read, so even if others are wrong
        metavar="FILE",
        help="a file to remove first: the result of an earlier verification",
    )


def _remove(name: str) -> str:
    results_location.results(name).unlink(missing_ok=True)
    return name


def watch(
    path: Path, pinned: str | None = None, receipt: Path | None = None, hashing: bool = True
) -> Watched:
    """Return a watch on a checkpoint; raises `ConversionError` for an unexpected SHA-256.

    Without ``hashing`` the file is hashed only if a SHA-256 is expected and the receipt is of an
    earlier state of the file.
    """
    files = repository.files(path) if path.is_dir() else [path]
    noted = read_json(receipt) if receipt else {}
    hashes = {} if hashing else _hashes(noted)
    watched = Watched(*files, hashing=hashing or bool(pinned or receipt), hashes=hashes)
    found = describe(watched, path)["sha256"]
    if pinned and found != pinned.lower():
        raise ConversionError(f"the file has SHA-256 {found}, but {pinned} is expected")
    if receipt and found != (expected := noted.get("sha256")):
        raise ConversionError(
            f"the file has SHA-256 {found}, but {receipt} has {expected}: the file changed after "
            "the download; run again to use it as it is now"
        )
    return watched


def _hashes(noted: Mapping[str, Any]) -> dict[Stat, str]:
    """Return a receipt's SHA-256, by the stat that the hashed file had."""
    return {Stat(*(int(noted.get(name) or 0) for name in Stat._fields)): str(noted.get("sha256"))}


def watch_beside(*paths: Path) -> Watched:
    """Return a watch on other input files: labels, a clip, a mask, an .npz file.

    A missing file raises an error where it is read. A file that appears meanwhile is a change too.
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
    """Return a watch on a folder's files, with their hashes."""
    files = [path for name in CONVERTED if (path := folder / name).is_file()]
    return Watched(*files, folder=folder)


def describe(watched: Watched, path: Path) -> dict[str, Any]:
    """Return the facts about the checkpoint for a report; of a folder also each file's."""
    if path in watched.found:
        file, sha256 = watched.found[path]
        return {"sha256": sha256, "bytes": file.bytes}
    files = {file.name: sha256 for file, (_, sha256) in watched.found.items()}
    size = sum(file.bytes for file, _ in watched.found.values())
    return {"sha256": digest(files) if all(files.values()) else "", "bytes": size, "files": files}


def digest(content: Any) -> str:
    """Return the SHA-256 of JSON content, in hexadecimal; equal content gives equal hashes."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def conversion(
    config: Mapping[str, Any],
    dtype: str,
    selection: Selection,
    labels: str | None,
) -> dict[str, Any]:
    """Return the options of a conversion for a report; ``labels`` is a SHA-256."""
    return {"config": dict(config), "dtype": dtype, **selection.asked(), "labels": labels}


def recorded(outputs: Any, use: str) -> dict[str, Any]:
    """Return a digest of the recorded outputs for a report, and how they are used.

    The hash of an .npz file is recorded elsewhere.
    """
    held = digest(outputs) if isinstance(outputs, dict) and outputs else None
    return {"recorded": held, "recorded_outputs": use}
