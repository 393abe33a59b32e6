"""Draw which releases of transformers load which folders, from what `snakemake releases` left.

Example:
  videomae release-table videomae-base --releases 5.0.0 5.24.0
"""

import argparse

from videomae import results_location
from videomae.compatibility import releases


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument("variants", nargs="+", help="their names")
    parser.add_argument("--releases", nargs="+", required=True, help="of transformers")
    parser.add_argument(
        "--place",
        choices=("models", "published"),
        default="models",
        help="whose folders: the converted ones, or published ones (default: %(default)s)",
    )
    parser.add_argument(
        "--results",
        type=results_location.results,
        default=results_location.HERE,
        help="where the results are (default: %(default)s)",
    )


def run(arguments: argparse.Namespace) -> None:
    """Draw the table."""
    given = arguments.variants, arguments.releases, arguments.results, arguments.place
    print(releases.table(*given))
