"""Remove a downloaded checkpoint whose variant is done, unless it was replaced by hand."""

import argparse
from pathlib import Path

from videomae import placed
from videomae.command import run
from videomae.files import appearing


def main() -> None:
    """Read the command line and discard."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoint", type=Path, help="the file in its place among the results")
    parser.add_argument("said", type=Path, help="the text file to write: what was done, and why")
    arguments = parser.parse_args()
    said = placed.discard(arguments.checkpoint)
    print(said)
    with appearing(arguments.said) as new:
        new.write_text(f"{said}\n", encoding="utf-8")


if __name__ == "__main__":
    run(main)
