"""Remove a downloaded checkpoint after its variant is done, unless a user replaced the file.

Example:
  videomae discard results/checkpoints/best.pth discarded.txt
"""

import argparse
from pathlib import Path

from videomae.download import manual_files
from videomae.files import appearing


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument("checkpoint", type=Path, help="the checkpoint among the results")
    parser.add_argument("said", type=Path, help="a text file to write: whether it was removed")


def run(arguments: argparse.Namespace) -> None:
    """Read the command line and discard."""
    said = manual_files.discard(arguments.checkpoint)
    print(said)
    with appearing(arguments.said) as new:
        new.write_text(f"{said}\n", encoding="utf-8")
