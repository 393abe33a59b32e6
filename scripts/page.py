"""Write one variant's page of the report, from what its steps left."""

import argparse
from pathlib import Path

from videomae import pages, remote
from videomae.command import add_last_step, run
from videomae.files import appearing

MADE_UP = "A made-up clip, since no recorded one is at hand."


def main() -> None:
    """Read the command line, run the model, if given, on a clip if verified, write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("variant")
    parser.add_argument("page", type=Path, help="the HTML file to write")
    parser.add_argument("--results", type=remote.results, default=remote.HERE)
    parser.add_argument("--model", type=Path, help="the folder that the pictures are made by")
    parser.add_argument("--clip", type=Path, help="what the pictures are of, an .npy file")
    parser.add_argument("--family", help="whose code and paper it is of")
    add_last_step(parser)
    arguments = parser.parse_args()
    facts = pages.Facts(arguments.variant, arguments.results, arguments.last_step, arguments.family)
    pictures, clip = None, MADE_UP
    if arguments.model and facts.kind and facts.report["passed"]:
        from videomae import clips, drawing  # which take torch

        pixels = clips.synthetic_clip(facts.config["num_frames"], facts.config["image_size"])
        if arguments.clip:
            pixels, clip = clips.load_clip(arguments.clip), f"The clip {arguments.clip.name}."
        pictures = drawing.draw(arguments.model, facts.kind, pixels)
    with appearing(arguments.page) as new:
        new.write_text(pages.page(facts, pictures, clip), encoding="utf-8")


if __name__ == "__main__":
    run(main)
