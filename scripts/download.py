"""Bring one file here: from Google Drive, the hub, https, a path (linked) or a rule."""

import argparse
import json
from pathlib import Path

from videomae import magic, sources
from videomae.command import add_log, run
from videomae.errors import ConversionError, about
from videomae.files import appearing, sha256
from videomae.retrying import add_wait


def main() -> None:
    """Read the command line and download."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", type=sources.parse, help="gdrive:ID, hub:OWNER/REPO/PATH, …")
    parser.add_argument("output", type=Path, help="where the file goes when it is complete")
    parser.add_argument("--name", help="what to call it in messages (default: the output's name)")
    parser.add_argument("--checkpoint", action="store_true", help="refuse what is no .pth file")
    parser.add_argument("--sha256", help="refuse a file with another SHA-256")
    parser.add_argument("--receipt", type=Path, help="write source, size and SHA-256 here (JSON)")
    add_log(parser)
    add_wait(parser)
    arguments = parser.parse_args()
    name = arguments.name or arguments.output.name
    with about(name):
        download(arguments, name)


def download(arguments: argparse.Namespace, name: str) -> None:
    """Fetch beside the output and check there, so that only what is right gets its name."""
    with appearing(arguments.output) as new:
        # Kept when this ends or is killed, and found again by the next start.
        parts = arguments.output.with_name(f".{arguments.output.name}.parts")
        sources.fetch(arguments.source, new, name, parts, arguments.wait)
        if arguments.checkpoint and (fault := magic.fault(new)):
            raise ConversionError(f"{arguments.source} gave {fault}")
        receipt = {
            "source": str(arguments.source),
            "bytes": new.stat().st_size,
            "sha256": sha256(new),
        }
        if arguments.sha256 and receipt["sha256"] != arguments.sha256.lower():
            raise ConversionError(
                f"what came has SHA-256 {receipt['sha256']} ({receipt['bytes']:,} bytes), but "
                f"{arguments.sha256} is pinned; correct the pin if the file was replaced on purpose"
            )
        print(f"{name}: {receipt['bytes']:,} bytes, SHA-256 {receipt['sha256']}")
        if arguments.receipt:
            with appearing(arguments.receipt) as file:
                file.write_text(json.dumps(receipt, indent=2) + "\n")


if __name__ == "__main__":
    run(main)
