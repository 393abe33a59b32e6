"""Publish a verified folder on the hub."""

import argparse
import json
from pathlib import Path

from videomae.command import run
from videomae.files import appearing
from videomae.folder import read_json
from videomae.publishing import check_publishable, publish


def main() -> None:
    """Read the command line and push."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="the transformers folder")
    parser.add_argument("report", type=Path, help="the verification's report (JSON)")
    parser.add_argument("repo_id", help="NAMESPACE/NAME on the hub")
    parser.add_argument("receipt", type=Path, help="where the receipt goes (JSON)")
    parser.add_argument("--public", action="store_true", help="create the repository public")
    parser.add_argument("--overwrite", action="store_true", help="replace other files there")
    arguments = parser.parse_args()
    check_publishable(arguments.folder, read_json(arguments.report))
    receipt = publish(
        arguments.folder, arguments.repo_id, not arguments.public, arguments.overwrite
    )
    with appearing(arguments.receipt) as new:
        new.write_text(json.dumps(receipt, indent=2) + "\n")
    print(f"{arguments.repo_id}: commit {receipt['commit']}")


if __name__ == "__main__":
    run(main)
