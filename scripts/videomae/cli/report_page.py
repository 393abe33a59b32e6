"""Write the report's page of one variant from the results of its steps.

Example:
  videomae report-page best best.html --model results/models/best
"""

import argparse
from pathlib import Path

from videomae import results_location
from videomae.cli.options import add_last_step
from videomae.files import appearing
from videomae.report import pages

MADE_UP = "A synthetic clip, because no recorded clip is available."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument("variant", help="the name of the variant")
    parser.add_argument("page", type=Path, help="the HTML file to write")
    parser.add_argument(
        "--results",
        type=results_location.results,
        default=results_location.HERE,
        help="the results folder of the run (default: %(default)s)",
    )
    parser.add_argument("--model", type=Path, help="the model folder that makes the pictures")
    parser.add_argument("--clip", type=Path, help="the clip in the pictures, an .npy file")
    parser.add_argument("--family", help="the project of the code and paper")
    add_last_step(parser)


def run(arguments: argparse.Namespace) -> None:
    """Write the page, with pictures of a clip if the model is given and verified."""
    facts = pages.Facts(arguments.variant, arguments.results, arguments.last_step, arguments.family)
    pictures, clip = None, MADE_UP
    if arguments.model and facts.kind and facts.report["passed"]:
        from videomae.report import images
        from videomae.verify import clips  # which take torch

        pixels = clips.synthetic_clip(facts.config["num_frames"], facts.config["image_size"])
        if arguments.clip:
            pixels, clip = clips.load_clip(arguments.clip), f"The clip {arguments.clip.name}."
        pictures = images.draw(arguments.model, facts.kind, pixels)
    with appearing(arguments.page) as new:
        new.write_text(pages.page(facts, pictures, clip), encoding="utf-8")
