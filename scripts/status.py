"""Show how far every variant is, also while a run goes on: done, running, failed or waiting."""

import argparse
from pathlib import Path

from videomae.command import run
from videomae.errors import ConversionError
from videomae.status import table


def main() -> None:
    """Read the command line and draw the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--directory", "-d", type=Path, default=Path(), help="where it runs or ran")
    directory = parser.parse_args().directory
    if not (directory / "results").is_dir():
        raise ConversionError(
            f"{(directory / 'results').absolute()}: there is none, so nothing has run there"
        )
    print(table(directory))


if __name__ == "__main__":
    run(main)
