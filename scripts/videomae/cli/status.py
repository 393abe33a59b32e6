"""Show how far every variant is, also during a run: done, running, failed or waiting.

Example:
  videomae status --directory rehearsal
  videomae status --results s3://BUCKET/FOLDER/results
"""

import argparse
from pathlib import Path

from videomae import results_location
from videomae.errors import ConversionError
from videomae.workflow.status import table


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument("--directory", "-d", type=Path, default=Path(), help="where it runs or ran")
    parser.add_argument(
        "--results", help="where its results are if not there: s3://BUCKET/FOLDER/results"
    )


def run(arguments: argparse.Namespace) -> None:
    """Read the command line and draw the table."""
    directory = arguments.directory
    results = results_location.results(
        arguments.results or str(directory.absolute() / results_location.HERE)
    )
    if not results.is_dir():
        raise ConversionError(f"{results}: there is none, so nothing has run there")
    print(table(directory, results))
