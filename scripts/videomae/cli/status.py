"""Show the progress of every variant, also during a run: done, running, failed or waiting.

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
    parser.add_argument(
        "--directory", "-d", type=Path, default=Path(), help="the directory of the run"
    )
    parser.add_argument("--results", help="results in storage, such as s3://BUCKET/FOLDER/results")


def run(arguments: argparse.Namespace) -> None:
    """Read the command line and draw the table."""
    directory = arguments.directory
    results = results_location.results(
        arguments.results or str(directory.absolute() / results_location.HERE)
    )
    if not results.is_dir():
        raise ConversionError(f"{results}: no such folder, so no run has started there")
    print(table(directory, results))
