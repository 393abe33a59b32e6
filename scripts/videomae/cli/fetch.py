"""Download one file from Google Drive, the hub or https, or link a local one.

An interrupted transfer is tried again. The file appears when it is complete and checked.

Example:
  videomae fetch gdrive:1ygjLRm1kvs9mwGsP3lLxUExhRo6TWnrx small.pth --checkpoint
  videomae fetch hub:MCG-NJU/videomae-base/config.json config.json
"""

import argparse
import os
from pathlib import Path

from videomae.atomic_replace import refuse_existing
from videomae.checkpoint import formats
from videomae.cli.options import add_log, add_overwrite
from videomae.download import cache, receipts, sources
from videomae.download.receipts import Receipt
from videomae.errors import ConversionError, about
from videomae.file_state import Stat, hashed, stat
from videomae.files import appearing, link_or_copy
from videomae.network.retry import add_wait


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument(
        "source",
        type=sources.parse,
        help="gdrive:ID, hub:OWNER/REPO/PATH[@REVISION], https://… or a file path; or a hub "
        "repository, hub:OWNER/REPO[@REVISION] or a folder, which becomes one file",
    )
    parser.add_argument("output", type=Path, help="the file to write; it appears when complete")
    parser.add_argument("--name", help="the name for messages (default: the output's file name)")
    parser.add_argument(
        "--checkpoint", action="store_true", help="refuse a file that is no checkpoint"
    )
    parser.add_argument(
        "--shared", type=Path, help="a file in a shared folder: downloaded if missing, then linked"
    )
    parser.add_argument(
        "--receipt", type=Path, help="a file to write: source, size and SHA-256 (JSON)"
    )
    parser.add_argument(
        "--fetched",
        type=Path,
        help="a file to write: the same, and whether the network was used (JSON)",
    )
    add_overwrite(parser)
    receipts.add_expected(parser)
    add_wait(parser)
    add_log(parser)


def run(arguments: argparse.Namespace) -> None:
    """Read the command line and download."""
    name = arguments.name or arguments.output.name
    with about(name):
        download(arguments, name)


def download(arguments: argparse.Namespace, name: str) -> None:
    """Download to a temporary file and check it, so that only a correct file gets the final name.

    A file that a user puts there meanwhile stays, and the command succeeds: after a failure
    Snakemake would remove it.
    """
    refuse_existing(arguments.output, arguments.overwrite)
    before = os.path.lexists(arguments.output)
    try:
        with appearing(arguments.output) as new:
            if arguments.shared is None:
                found = bring(arguments, new, name)
            else:
                found = link(arguments, new, name)
            if not before:
                refuse_existing(arguments.output, overwrite=False)
    except (ConversionError, OSError) as error:
        if before or not os.path.lexists(arguments.output):
            raise
        print(f"{arguments.output} appeared during the download and stays ({error})")
        return
    # A link is nobody's own file, with or without a record; a real file is by its record.
    if found and not arguments.output.is_symlink():
        note(arguments, found)


def note(arguments: argparse.Namespace, found: Receipt) -> None:
    """Write down what came: a file that is no link."""
    file = stat(arguments.output)  # the name that it has now counts as a change of the file
    if arguments.fetched:
        fetched = came_over_network(arguments, found)
        receipts.write(arguments.fetched, found._replace(file=file, fetched=fetched))
    if arguments.receipt and arguments.source.packed:
        receipts.write(arguments.receipt, found._replace(file=file))


def came_over_network(arguments: argparse.Namespace, found: Receipt) -> bool:
    """Return whether a file came from its source, and not from somebody who put it there."""
    if arguments.shared is None:
        return arguments.source.kind in sources.ON_NETWORK
    return cache.fetched(arguments.shared, str(arguments.source), found.content)


def bring(arguments: argparse.Namespace, new: Path, name: str) -> Receipt | None:
    """Download the file to a new path; raises `ConversionError` for an unexpected file."""
    source = arguments.source
    local = formats.located(Path(source.address)) if source.kind == "file" else None
    original = stat(local) if local and local.is_file() else None
    sources.fetch(source, new, name, arguments.output, arguments.wait)
    return check(arguments, new, original)


def link(arguments: argparse.Namespace, new: Path, name: str) -> Receipt | None:
    """Link the file in the shared folder, after downloading it if it is missing.

    Returns a receipt of a copy, where the file system has no links.
    """
    checkpoint, source = arguments.shared.absolute(), str(arguments.source)
    there = checkpoint.exists()
    if not there:
        cache.add(checkpoint, source, lambda path: bring(arguments, path, name))
    cache.hold(checkpoint, source)
    link_or_copy(new, checkpoint)
    return check(arguments, new) if there or not new.is_symlink() else None


def check(
    arguments: argparse.Namespace, path: Path, original: Stat | None = None
) -> Receipt | None:
    """Return a receipt of the file; raises `ConversionError` for an unexpected file.

    Returns None if no option needs the file's hash. ``original`` is the stat of the local file that
    was linked or copied, which later runs compare.
    """
    if arguments.checkpoint and (fault := formats.fault(path)):
        raise ConversionError(f"{arguments.source} gave {fault}")
    if not (arguments.sha256 or arguments.locked or arguments.receipt or arguments.fetched):
        return None
    file, sha256 = hashed(path)
    found = receipts.of_hashed(file, sha256)
    receipts.hold(found, f"the file from {arguments.source}", arguments)
    made = Receipt(str(arguments.source), found, original or file)
    if arguments.receipt:
        receipts.write(arguments.receipt, made)
    return made
