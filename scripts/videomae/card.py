"""What does the model card say?  What was converted from what, and how it was verified."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from huggingface_hub import ModelCard, ModelCardData

from videomae.folder import CLASSES

TEMPLATE = Path(__file__).with_name("card.md.jinja")


def model_card(
    report: Mapping[str, Any],
    receipt: Mapping[str, Any],
    license: str | None,
    published: Mapping[str, Any] | None,
) -> str:
    """Write the card from the verification's report and the download's receipt.

    No license is assumed: without one the card names none.
    """
    classifier = report["kind"] == "classifier"
    data = ModelCardData(
        license=license,
        library_name="transformers",
        pipeline_tag="video-classification" if classifier else None,
        tags=["videomae", *(["rehearsal"] if report["rehearsal"] else [])],
        model_name=report["variant"],
    )
    card = ModelCard.from_template(
        data,
        template_path=str(TEMPLATE),
        variant=report["variant"],
        kind=report["kind"],
        model_class=CLASSES[report["kind"]],
        rehearsal=report["rehearsal"],
        report=report,
        receipt=receipt,
        published=published,
    )
    return f"{card}\n"
