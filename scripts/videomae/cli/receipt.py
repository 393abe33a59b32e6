"""Record a checkpoint's source, size and SHA-256; refuse a file with an unexpected SHA-256.

Example:
  videomae receipt small.pth small.json --source gdrive:1ygjLRm1kvs9mwGsP3lLxUExhRo6TWnrx
"""

import argparse
from pathlib import Path

from videomae import results_location
from videomae.checkpoint import formats
from videomae.download import cache, receipts, sources
from videomae.download.receipts import Content, Receipt
from videomae.errors import ConversionError, about
from videomae.file_state import Stat, hashed, stat


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument("checkpoint", type=Path, help="the checkpoint file")
    parser.add_argument("receipt", type=Path, help="the JSON file to write")
    parser.add_argument("--source", required=True, help="the source, as in config.yaml")
    parser.add_argument("--name", help="the name for messages (default: the file's name)")
    parser.add_argument("--fetched", help="the file that `videomae fetch --fetched` wrote (JSON)")
    receipts.add_expected(parser)


def run(arguments: argparse.Namespace) -> None:
    """Read the command line and write the receipt."""
    with about(arguments.name or arguments.checkpoint.name):
        note(arguments.checkpoint, arguments)


def note(path: Path, arguments: argparse.Namespace) -> None:
    """Write the receipt of a file; raises `ConversionError` for an unexpected file."""
    what = f"{path} (a link to {path.resolve()})" if path.is_symlink() else str(path)
    if fault := formats.fault(path):
        raise ConversionError(f"{what} is {fault}; remove {path} to download it again")
    file, found, fetched = look(path, arguments)
    try:
        receipts.hold(found, what, arguments)
    except ConversionError as error:
        raise ConversionError(f"{error}; else remove {path} to download it again") from error
    receipts.write(arguments.receipt, Receipt(arguments.source, found, file, fetched))
    print(f"{path}: {found}")


def look(path: Path, arguments: argparse.Namespace) -> tuple[Stat, Content, bool]:
    """Return the file's stat and content, and whether it came over the network.

    A file that is unchanged since the download is not hashed again.
    """
    noted = results_location.results(arguments.fetched) if arguments.fetched else None
    # Snakemake leaves an empty file where a shared one was linked.
    came = receipts.read(noted) if noted and noted.exists() and noted.stat().st_size else None
    if came and came.file and (came.source, came.file) == (arguments.source, stat(path)):
        return came.file, came.content, came.fetched
    file, sha256 = hashed(path)
    found = receipts.of_hashed(file, sha256)
    if came and (came.source, came.content) == (arguments.source, found):
        return file, found, came.fetched
    linked = path.is_symlink() and sources.parse(arguments.source).kind in sources.ON_NETWORK
    return file, found, linked and cache.fetched(path.resolve(), arguments.source, found)
