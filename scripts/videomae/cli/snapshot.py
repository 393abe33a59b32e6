"""Download a published model folder from the hub.

Example:
  videomae snapshot MCG-NJU/videomae-base published/
"""

import argparse
from pathlib import Path

from videomae.cli.options import add_log
from videomae.download import sources
from videomae.files import appearing
from videomae.network.retry import add_wait


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument("repository", help="OWNER/REPO[@REVISION]")
    parser.add_argument("folder", type=Path, help="the folder to write; it appears when complete")
    add_wait(parser)
    add_log(parser)


def run(arguments: argparse.Namespace) -> None:
    """Read the command line and download the folder."""
    with appearing(arguments.folder) as new:
        sources.fetch_model(arguments.repository, new, arguments.wait)
