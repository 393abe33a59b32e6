"""Write the report's page of all variants, and the plots.

Example:
  videomae report-overview report/ videomae-base best --families videomae-base=VideoMAE
"""

import argparse
from pathlib import Path

from videomae import results_location
from videomae.cli.options import add_last_step
from videomae.files import appearing
from videomae.report import pages


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument("folder", type=Path, help="the folder for overview.html and the plots")
    parser.add_argument("variants", nargs="+", help="the names of the variants")
    parser.add_argument(
        "--results",
        type=results_location.results,
        default=results_location.HERE,
        help="the results folder of the run (default: %(default)s)",
    )
    parser.add_argument(
        "--families", nargs="*", default=[], help="VARIANT=FAMILY for each known family"
    )
    add_last_step(parser)


def run(arguments: argparse.Namespace) -> None:
    """Read the command line and write the files."""
    family = dict(pair.split("=", 1) for pair in arguments.families)
    variants = [
        pages.Facts(name, arguments.results, arguments.last_step, family.get(name))
        for name in arguments.variants
    ]
    texts = {f"{name}.svg": text for name, text in pages.drawn(variants).items()}
    texts["overview.html"] = pages.overview(variants)
    for name, text in texts.items():
        with appearing(arguments.folder / name) as new:
            new.write_text(text, encoding="utf-8")
