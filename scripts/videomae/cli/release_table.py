"""Print which releases of transformers load which folders, by the results of `snakemake releases`.

Example:
  videomae release-table videomae-base --releases 5.0.0 5.24.0
"""

import argparse

from videomae import results_location
from videomae.compatibility import releases


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument("variants", nargs="+", help="the names of the variants")
    parser.add_argument("--releases", nargs="+", required=True, help="releases of transformers")
    parser.add_argument(
        "--place",
        choices=("models", "published"),
        default="models",
        help="converted folders (models) or published ones (published) (default: %(default)s)",
    )
    parser.add_argument(
        "--results",
        type=results_location.results,
        default=results_location.HERE,
        help="the results folder (default: %(default)s)",
    )


def run(arguments: argparse.Namespace) -> None:
    """Draw the table."""
    given = arguments.variants, arguments.releases, arguments.results, arguments.place
    print(releases.table(*given))
