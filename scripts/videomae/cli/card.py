"""Write the model card of a verified folder.

Example:
  videomae card report.json receipt.json out/README.md --family VideoMAE
"""

import argparse
import json
from pathlib import Path

from videomae.convert.model_folder import read_json
from videomae.files import appearing
from videomae.model import datasets
from videomae.model.families import FAMILIES
from videomae.network.addresses import shown
from videomae.publish.model_card import Stated, check_receipt, model_card


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument("report", type=Path, help="the report of the verification (JSON)")
    parser.add_argument("receipt", type=Path, help="the receipt of the download (JSON)")
    parser.add_argument("card", type=Path, help="the README.md to write")
    parser.add_argument("--license", help="the hub's identifier of the license (default: none)")
    parser.add_argument("--license-name", help="the name of a license without an identifier")
    parser.add_argument("--license-link", help="the link to a license without an identifier")
    parser.add_argument(
        "--family", choices=FAMILIES, help="the project of the code and paper: %(choices)s"
    )
    parser.add_argument(
        "--published", type=json.loads, help="the accuracy that the authors published (JSON)"
    )
    parser.add_argument(
        "--data-set", action="append", default=[], help="a data set of the training; repeatable"
    )
    parser.add_argument(
        "--base-model", help="the model that was fine-tuned; OWNER/NAME if it is on the hub"
    )
    parser.add_argument(
        "--loaded",
        type=Path,
        nargs="*",
        default=[],
        help="reports of `videomae load`: releases that the folder was tested with (JSON)",
    )
    parser.add_argument(
        "--scores", type=Path, nargs="*", default=[], help="results of `videomae score` (JSON)"
    )


def run(arguments: argparse.Namespace) -> None:
    """Read the command line and write the card."""
    report, receipt = read_json(arguments.report), read_json(arguments.receipt)
    check_receipt(report, receipt)
    receipt["source"] = shown(receipt["source"])  # earlier versions may have stored secrets
    if arguments.published and not report["rehearsal"] and "classes" in report:
        datasets.refuse_other_classes(arguments.published["dataset"], report["classes"])
    loaded = [read_json(path) for path in arguments.loaded]
    stated = Stated(
        license=arguments.license,
        license_name=arguments.license_name,
        license_link=arguments.license_link,
        family=arguments.family,
        published=arguments.published,
        datasets=arguments.data_set,
        base_model=arguments.base_model,
    )
    scores = [read_json(path) for path in arguments.scores]
    text = model_card(report, receipt, stated, loaded, scores)
    with appearing(arguments.card) as new:
        new.write_text(text, encoding="utf-8")
