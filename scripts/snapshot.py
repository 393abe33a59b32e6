"""Bring a published model folder here from the hub."""

import argparse
from pathlib import Path

from videomae import sources
from videomae.command import add_log, run
from videomae.files import appearing
from videomae.retrying import add_wait


def main() -> None:
    """Read the command line and bring the folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("repository", help="OWNER/REPO[@REVISION]")
    parser.add_argument("folder", type=Path, help="the folder to make; it appears when complete")
    add_wait(parser)
    add_log(parser)
    arguments = parser.parse_args()
    with appearing(arguments.folder) as new:
        sources.fetch_model(arguments.repository, new, arguments.wait)


if __name__ == "__main__":
    run(main)
