"""Publish a verified folder on the hub as one commit.

Example:
  videomae push out/ report.json you/best plan.txt --dry-run
  videomae push out/ report.json you/best pushed.json --public
"""

import argparse
import json
from pathlib import Path

from videomae.cli.options import add_log
from videomae.convert.model_folder import read_json
from videomae.files import appearing
from videomae.network.retry import add_wait
from videomae.publish.push import MAIN, Target, plan, publish
from videomae.publish.verified_folder import publishable


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument("folder", type=Path, help="the transformers folder")
    parser.add_argument("report", type=Path, help="the report of the verification (JSON)")
    parser.add_argument("repo_id", help="NAMESPACE/NAME on the hub")
    parser.add_argument(
        "receipt", type=Path, help="the receipt to write (JSON), or the plan (text)"
    )
    parser.add_argument(
        "--revision", default=MAIN, help="the branch to push to (default: %(default)s)"
    )
    parser.add_argument("--public", action="store_true", help="make a new repository public")
    parser.add_argument(
        "--overwrite",
        action="store_true",
        help="replace files that differ on the hub, and remove others that loaders would read",
    )
    parser.add_argument("--dry-run", action="store_true", help="only list what would be pushed")
    add_wait(parser)
    add_log(parser)


def run(given: argparse.Namespace) -> None:
    """Read the command line and push."""
    folder = publishable(given.folder, read_json(given.report))
    target = Target(given.repo_id, given.revision, not given.public, given.overwrite)
    if given.dry_run:
        text = said = plan(folder, target, given.wait)
    else:
        receipt = publish(folder, target, given.wait)
        text = json.dumps(receipt, indent=2)
        said = f"{target}: commit {receipt['commit']}"
    with appearing(given.receipt) as new:
        new.write_text(f"{text}\n")
    print(said)
