"""What does the model card say?  What was converted from what, and how it was verified."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from huggingface_hub import ModelCard, ModelCardData

from videomae.folder import CLASSES
from videomae.releases import said

TEMPLATE = Path(__file__).with_name("card.md.jinja")


def model_card(
    report: Mapping[str, Any],
    receipt: Mapping[str, Any],
    license: str | None,
    published: Mapping[str, Any] | None,
    loaded: Iterable[Mapping[str, Any]] = (),
) -> str:
    """Write the card from the reports of verifying and loading, and the download's receipt.

    No license is assumed: without one the card names none.
    """
    kind = report["kind"]
    data = ModelCardData(
        license=license,
        library_name="transformers",
        pipeline_tag="video-classification" if kind == "classifier" else None,
        tags=["videomae", *(["rehearsal"] if report["rehearsal"] else [])],
        model_name=report["variant"],
    )
    card = ModelCard.from_template(
        data,
        template_path=str(TEMPLATE),
        variant=report["variant"],
        kind=kind,
        model_class=CLASSES[kind],
        rehearsal=report["rehearsal"],
        report=report,
        receipt=receipt,
        published=published,
        loaded=[(cell, "; ".join(said(cell))) for cell in loaded],
    )
    return f"{card}\n"
