"""What does the model card say?  What was converted from what, and how it was verified."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from huggingface_hub import EvalResult, ModelCard, ModelCardData

from videomae.compatibility.releases import said
from videomae.convert.model_folder import CLASSES, WEIGHTS
from videomae.errors import ConversionError, one_line
from videomae.model import datasets
from videomae.model.families import CLOSEST, FAMILIES
from videomae.publish import markdown, metadata
from videomae.verify import summary

NAME = re.compile(r"[\w .+-]+", re.ASCII)
TEMPLATE = Path(__file__).parent / "templates/card.md.jinja"


@dataclass(frozen=True)
class Stated:
    """What config.yaml states of a model and verifying can't find; nothing of it is assumed.

    ``published`` is the accuracy that the authors state: ``dataset``, ``top1``, ``top5`` and its
    ``source``. ``base_model`` is OWNER/NAME if it is known where on the hub it is.
    """

    license: str | None = None
    license_name: str | None = None
    license_link: str | None = None
    family: str | None = None
    published: Mapping[str, Any] | None = None
    datasets: Sequence[str] = ()
    base_model: str | None = None


NOTHING = Stated()


def model_card(
    report: Mapping[str, Any],
    receipt: Mapping[str, Any],
    stated: Stated = NOTHING,
    loaded: Iterable[Mapping[str, Any]] = (),
    scores: Iterable[Mapping[str, Any]] = (),
) -> str:
    """Write the card from the reports of verifying, loading and scoring, and the receipt.

    Scores of other weights than were verified are left out.
    Raises `ConversionError` for metadata that the hub would refuse, and for a name that would end
    the text of a program.
    """
    if not NAME.fullmatch(report["variant"]):  # it stands in the card's programs
        raise ConversionError(
            f"{one_line(report['variant'])!r} can't be the name in a card; verify with --variant "
            "NAME of letters, digits, spaces and . _ + -"
        )
    if report["rehearsal"]:  # whose network may be the authors', but not what they trained
        stated = replace(stated, published=None, datasets=(), base_model=None)
    elif not stated.datasets and report["data_set"]:
        stated = replace(stated, datasets=[report["data_set"]])
    published = stated.published
    card = ModelCard.from_template(
        _metadata(report, stated),
        template_path=str(TEMPLATE),
        variant=report["variant"],
        kind=report["kind"],
        model_class=CLASSES[report["kind"]],
        rehearsal=report["rehearsal"],
        report=report,
        status=report.get("status"),
        meaning=summary.meaning(report),
        training_code=summary.TRAINING_CODE,
        assumed=[
            {key: markdown.plain(text) for key, text in one.items()}
            for one in summary.assumed(report)
        ],
        unknown_options=[markdown.plain(name) for name in summary.unknown_options(report)],
        receipt=receipt,
        as_text=markdown.plain,
        as_code=markdown.code,
        as_address=markdown.address,
        stated=stated,
        **FAMILIES[stated.family or CLOSEST]._asdict(),
        protocol=datasets.protocol(published["dataset"]) if published else None,
        every=_distance(stated),
        loaded=[(cell, "; ".join(said(cell))) for cell in loaded],
        measured=[
            each for each in scores if each["sha256"].get(WEIGHTS) == report["sha256"][WEIGHTS]
        ],
    )
    metadata.check(str(card))
    return f"{card}\n"


def check_receipt(report: Mapping[str, Any], receipt: Mapping[str, Any]) -> None:
    """Refuse a receipt of another checkpoint than was verified: the card states both."""
    verified = report["checkpoint"]["sha256"]
    if receipt["sha256"] != verified:
        raise ConversionError(
            f"{report['variant']} was verified against a checkpoint of SHA-256 {verified}, but its "
            f"receipt says {receipt['sha256']}; run again, and it is verified as it is now"
        )


def _distance(stated: Stated) -> int | None:
    """Give how many frames lie between those of a clip; None where they span the whole video.

    The program that reads a video takes frames as the model was trained on them, where that is
    known: by what `published` is of, or the only data set.
    """
    named = [stated.published["dataset"]] if stated.published else stated.datasets
    protocol = datasets.protocol(named[0]) if len(named) == 1 else None
    return protocol.every if protocol else None


def _metadata(report: Mapping[str, Any], stated: Stated) -> ModelCardData:
    """Give what the hub reads: it finds the paper by the link in the text."""
    base = stated.base_model
    return ModelCardData(
        license=stated.license,
        license_name=stated.license_name,
        license_link=stated.license_link,
        library_name=metadata.LIBRARY,
        pipeline_tag=metadata.TASK if report["kind"] == "classifier" else None,
        tags=["videomae", "video", *(["rehearsal"] if report["rehearsal"] else [])],
        datasets=[datasets.identifier(name) for name in stated.datasets] or None,
        base_model=base if base and "/" in base else None,  # the hub takes no bare name
        model_name=report["variant"],
        eval_results=list(_results(stated.published)) if stated.published else None,
    )


def _results(published: Mapping[str, Any]) -> Iterator[EvalResult]:
    """Give the accuracy as the authors state it, and as theirs; `verified` is the hub's to say."""
    protocol = datasets.protocol(published["dataset"])
    for best in (1, 5):
        if f"top{best}" in published:
            yield EvalResult(
                task_type=metadata.TASK,
                dataset_type=datasets.identifier(published["dataset"]),
                dataset_name=published["dataset"],
                metric_type="accuracy",
                metric_name=f"Top-{best} accuracy, stated by the authors",
                metric_value=published[f"top{best}"],
                metric_args={"clips": protocol.clips, "crops": protocol.crops}
                if protocol
                else None,
                source_name="the authors' statement, not measured on this conversion",
                source_url=published["source"],
            )
