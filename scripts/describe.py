"""Say what checkpoint files are, and which entry of config.yaml converts them."""

import argparse
import json
import sys
from pathlib import Path

from videomae.command import add_given, add_weights, run
from videomae.description import describe
from videomae.errors import printable


def main() -> None:
    """Read the command line and describe each file; exit code 1 if one can't be converted."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoints", nargs="+", type=Path, metavar="FILE", help="a checkpoint")
    add_given(parser)
    add_weights(parser)
    parser.add_argument("--json", action="store_true", help="print a JSON list with all of it")
    arguments = parser.parse_args()
    given = dict(arguments.config)
    described = [describe(path, given, arguments.weights) for path in arguments.checkpoints]
    if arguments.json:
        contents = [one.content() for one in described]
        print(json.dumps(contents, indent=2, allow_nan=False, default=str))
    else:
        print(printable("\n\n".join("\n".join(one.lines()) for one in described)))
    if any(one.reasons for one in described):
        sys.exit(1)


if __name__ == "__main__":
    run(main)
