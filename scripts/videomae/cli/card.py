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
    parser.add_argument("report", type=Path, help="the verification's report (JSON)")
    parser.add_argument("receipt", type=Path, help="the download's receipt (JSON)")
    parser.add_argument("card", type=Path, help="the README.md to write")
    parser.add_argument("--license", help="the hub's identifier of the license; none is assumed")
    parser.add_argument("--license-name", help="what a license without an identifier is called")
    parser.add_argument("--license-link", help="where that stands")
    parser.add_argument("--family", choices=FAMILIES, help="whose code and paper it is of")
    parser.add_argument("--published", type=json.loads, help="the accuracy that the authors state")
    parser.add_argument("--data-set", action="append", default=[], help="what it was trained on")
    parser.add_argument("--base-model", help="what it was fine-tuned from; on the hub OWNER/NAME")
    parser.add_argument(
        "--loaded", type=Path, nargs="*", default=[], help="reports of releases it was tested with"
    )
    parser.add_argument(
        "--scores", type=Path, nargs="*", default=[], help="accuracy measured here (JSON)"
    )


def run(arguments: argparse.Namespace) -> None:
    """Read the command line and write the card."""
    report, receipt = read_json(arguments.report), read_json(arguments.receipt)
    check_receipt(report, receipt)
    receipt["source"] = shown(receipt["source"])  # an earlier version's may tell secrets
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
