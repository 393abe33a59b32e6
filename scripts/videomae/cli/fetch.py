"""Download one file from Google Drive, the hub or https, or link a local one.

A transfer that breaks off is tried again. The file appears when it is complete and checked.

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
from videomae.file_state import hashed, stat
from videomae.files import appearing
from videomae.network.retry import add_wait


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument("source", type=sources.parse, help="gdrive:ID, hub:OWNER/REPO/PATH, …")
    parser.add_argument("output", type=Path, help="where the file goes when it is complete")
    parser.add_argument("--name", help="what to call it in messages (default: the output's name)")
    parser.add_argument("--checkpoint", action="store_true", help="refuse what is no .pth file")
    parser.add_argument(
        "--shared", type=Path, help="link this file, and make it first if it is not there"
    )
    parser.add_argument("--receipt", type=Path, help="note source, size and SHA-256 here (JSON)")
    parser.add_argument(
        "--fetched", type=Path, help="note here what came, and if it did over the network (JSON)"
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
    """Fetch beside where it goes and check there, so that only what is right gets its name.

    What somebody puts there meanwhile stays, and then nothing else is needed: a run would take this
    for a failure, and remove it.
    """
    refuse_existing(arguments.output, arguments.overwrite)
    before = os.path.lexists(arguments.output)
    try:
        with appearing(arguments.output) as new:
            if arguments.shared is None:
                found = bring(arguments, new, name)
            else:
                link(arguments, new, name)
                found = None
            if not before:
                refuse_existing(arguments.output, overwrite=False)
    except (ConversionError, OSError) as error:
        if before or not os.path.lexists(arguments.output):
            raise
        print(f"{arguments.output} was put there meanwhile and stays ({error})")
        return
    if found and arguments.fetched:
        file = stat(arguments.output)  # the name that it has now counts as a change of the file
        fetched = arguments.source.kind in sources.ON_NETWORK
        receipts.write(arguments.fetched, found._replace(file=file, fetched=fetched))


def bring(arguments: argparse.Namespace, new: Path, name: str) -> Receipt | None:
    """Fetch the file to a new path, and refuse another than it should be."""
    sources.fetch(arguments.source, new, name, arguments.output, arguments.wait)
    return check(arguments, new)


def link(arguments: argparse.Namespace, new: Path, name: str) -> None:
    """Link the file in the shared folder, once it is there."""
    checkpoint, source = arguments.shared.absolute(), str(arguments.source)
    there = checkpoint.exists()
    if not there:
        cache.add(checkpoint, source, lambda path: bring(arguments, path, name))
    cache.hold(checkpoint, source)
    new.symlink_to(checkpoint)
    if there:
        check(arguments, new)


def check(arguments: argparse.Namespace, path: Path) -> Receipt | None:
    """Note what the file is; raise `ConversionError` for another than it should be.

    Gives what was noted, or None where nothing asks for the file's hash.
    """
    if arguments.checkpoint and (fault := formats.fault(path)):
        raise ConversionError(f"{arguments.source} gave {fault}")
    if not (arguments.sha256 or arguments.locked or arguments.receipt or arguments.fetched):
        return None
    file, sha256 = hashed(path)
    found = receipts.of_hashed(file, sha256)
    receipts.hold(found, f"what came from {arguments.source}", arguments)
    made = Receipt(str(arguments.source), found, file)
    if arguments.receipt:
        receipts.write(arguments.receipt, made)
    return made
