"""Note a checkpoint's source, size and SHA-256, and refuse it if it is not what it should be."""

import argparse
from pathlib import Path

from videomae import magic, receipts
from videomae.command import run
from videomae.errors import ConversionError, about


def main() -> None:
    """Read the command line and write the receipt."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoint", type=Path, help="the file, wherever it was put from")
    parser.add_argument("receipt", type=Path, help="the JSON file to write")
    parser.add_argument("--source", required=True, help="its source, as in config.yaml")
    parser.add_argument("--name", help="what to call it in messages (default: the file's name)")
    receipts.add_expected(parser)
    arguments = parser.parse_args()
    with about(arguments.name or arguments.checkpoint.name):
        note(arguments.checkpoint, arguments)


def note(path: Path, arguments: argparse.Namespace) -> None:
    """Write the receipt of a file that is right; raises `ConversionError` for another."""
    what = f"{path} (a link to {path.resolve()})" if path.is_symlink() else str(path)
    if fault := magic.fault(path):
        raise ConversionError(f"{what} is {fault}; remove {path}, and it is brought again")
    found = receipts.content(path)
    try:
        receipts.hold(found, what, arguments)
    except ConversionError as error:
        raise ConversionError(f"{error}; if not, remove {path}: it is brought again") from error
    receipts.write(arguments.receipt, arguments.source, found)
    print(f"{path}: {found}")


if __name__ == "__main__":
    run(main)
