"""Show how far every variant is, also while a run goes on: done, running, failed or waiting."""

import argparse
from pathlib import Path

from videomae import remote
from videomae.command import run
from videomae.errors import ConversionError
from videomae.status import table


def main() -> None:
    """Read the command line and draw the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--directory", "-d", type=Path, default=Path(), help="where it runs or ran")
    parser.add_argument(
        "--results", help="where its results are if not there: s3://BUCKET/FOLDER/results"
    )
    arguments = parser.parse_args()
    directory = arguments.directory
    results = remote.results(arguments.results or str(directory.absolute() / remote.HERE))
    if not results.is_dir():
        raise ConversionError(f"{results}: there is none, so nothing has run there")
    print(table(directory, results))


if __name__ == "__main__":
    run(main)
