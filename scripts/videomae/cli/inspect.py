"""Describe checkpoint files, and print the entry of config.yaml that converts each.

The exit code is 1 if a file can't be converted.

Example:
  videomae inspect best.pth
  videomae inspect best.pth --config num_attention_heads=12 --json
"""

import argparse
import json
import sys
from pathlib import Path

from videomae.cli.options import add_given, add_selection, selection
from videomae.convert.description import describe
from videomae.errors import printable


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument("checkpoints", nargs="+", type=Path, metavar="FILE", help="a checkpoint")
    add_given(parser)
    add_selection(parser)
    parser.add_argument("--json", action="store_true", help="print the description as a JSON list")


def run(arguments: argparse.Namespace) -> None:
    """Read the command line and describe each file; exit code 1 if one can't be converted."""
    given = dict(arguments.config)
    chosen = selection(arguments)
    described = [describe(path, given, chosen) for path in arguments.checkpoints]
    if arguments.json:
        contents = [one.content() for one in described]
        print(json.dumps(contents, indent=2, allow_nan=False, default=str))
    else:
        print(printable("\n\n".join("\n".join(one.lines()) for one in described)))
    if any(one.reasons for one in described):
        sys.exit(1)
