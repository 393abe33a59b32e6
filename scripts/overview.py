"""Write the report's page of all variants, and the plots over them."""

import argparse
from pathlib import Path

from videomae import pages, remote
from videomae.command import add_last_step, run
from videomae.files import appearing


def main() -> None:
    """Read the command line and write the files."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="where overview.html and the plots go")
    parser.add_argument("variants", nargs="+", help="their names")
    parser.add_argument("--results", type=remote.results, default=remote.HERE)
    parser.add_argument(
        "--families", nargs="*", default=[], help="VARIANT=FAMILY, where it is known"
    )
    add_last_step(parser)
    arguments = parser.parse_args()
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


if __name__ == "__main__":
    run(main)
