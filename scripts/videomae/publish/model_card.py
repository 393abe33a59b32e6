"""What does the model card say?  What the model is, how to use it, and how it was checked."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from huggingface_hub import EvalResult, ModelCard, ModelCardData

from videomae.compatibility.releases import said
from videomae.convert.model_folder import CLASSES, WEIGHTS
from videomae.errors import ConversionError, listing, one_line
from videomae.model import datasets, fine_tuning_recipes, pixels
from videomae.model.architecture import LAYER_NORM_EPS, Kind
from videomae.model.families import CLOSEST, FAMILIES
from videomae.publish import markdown, metadata
from videomae.verify import summary

NAME = re.compile(r"[\w .+-]+", re.ASCII)
TEMPLATE = Path(__file__).parent / "templates/card.md.jinja"
WHAT: dict[Kind, str] = {
    "classifier": "video classifier",
    "pretraining": "pre-training model (masked autoencoder)",
    "encoder": "video encoder, without a head and without a decoder,",
}
FEATURES = "video encoder, without a head, for the features of clips,"


@dataclass(frozen=True)
class Stated:
    """What config.yaml states about a model and no check can find out; nothing of it is assumed.

    ``published`` is the accuracy that the authors report: ``dataset``, ``top1``, ``top5`` and its
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
    """Write the card from the receipt and the reports of verification, releases and scores.

    Scores of other weights than the verified ones are left out.
    Raises `ConversionError` for metadata that the hub would refuse, and for a name that would end
    a string in the examples.
    """
    if not NAME.fullmatch(report["variant"]):  # it stands in the card's examples
        raise ConversionError(
            f"{one_line(report['variant'])!r} can't be the name in a card; verify with --variant "
            "NAME of letters, digits, spaces and . _ + -"
        )
    if report["rehearsal"]:  # nothing that the authors trained
        stated = replace(stated, published=None, datasets=(), base_model=None)
    elif not stated.datasets and report["data_set"]:
        stated = replace(stated, datasets=[report["data_set"]])
    published = stated.published
    headless = _headless(report)
    card = ModelCard.from_template(
        _metadata(report, stated),
        template_path=str(TEMPLATE),
        variant=report["variant"],
        kind=report["kind"],
        model_class=CLASSES[report["kind"]],
        what=FEATURES if headless else WHAT[report["kind"]],
        headless=headless,
        eps=_eps(report),
        pixels=markdown.plain(str(pixels.of(report["config"]))),
        usual_pixels=pixels.of(report["config"]) == pixels.IMAGENET,
        left_out=listing(report.get("left_out", ()), most=20),
        output=_output(report),
        synthetic=report["rehearsal"],
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
        recipes=fine_tuning_recipes.recipes(report["config"]),
        recipes_source=fine_tuning_recipes.SOURCE,
        recipes_in_all=fine_tuning_recipes.IN_ALL,
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


def _headless(report: Mapping[str, Any]) -> bool:
    """Return whether a classifier has no head; reports of earlier releases have none of these."""
    return report["kind"] == "classifier" and report.get("classes") == 0


def _eps(report: Mapping[str, Any]) -> str:
    """Return the eps of the network's layer norms as the card has it, such as 1e-6."""
    eps = report["config"].get("layer_norm_eps", LAYER_NORM_EPS)
    return f"{eps:g}".replace("e-0", "e-")


def _output(report: Mapping[str, Any]) -> str:
    """Return a few words on the model's output."""
    if _headless(report):
        return f"{report['config']['hidden_size']} features of a clip, as `logits`"
    if report["kind"] == "classifier":
        classes = report.get("classes")
        return f"a score for each of {classes} classes" if classes else "a score for each class"
    return (
        "the pixels of the hidden patches"
        if report["kind"] == "pretraining"
        else "a vector for each token"
    )


def _distance(stated: Stated) -> int | None:
    """Return the distance of a clip's frames in a video; None where they span the whole of it.

    The example that reads a video takes frames at the distance of the model's training, where that
    is known: from the data set of `published`, or the only data set.
    """
    named = [stated.published["dataset"]] if stated.published else stated.datasets
    protocol = datasets.protocol(named[0]) if len(named) == 1 else None
    return protocol.every if protocol else None


def _metadata(report: Mapping[str, Any], stated: Stated) -> ModelCardData:
    """Return the metadata that the hub reads. It finds the paper by the link in the text."""
    base = stated.base_model
    return ModelCardData(
        license=stated.license,
        license_name=stated.license_name,
        license_link=stated.license_link,
        library_name=metadata.LIBRARY,
        pipeline_tag=metadata.TASK if report.get("classes") else None,
        tags=["videomae", "video", *(["synthetic-weights"] if report["rehearsal"] else [])],
        datasets=[datasets.identifier(name) for name in stated.datasets] or None,
        base_model=base if base and "/" in base else None,  # the hub takes no bare name
        model_name=report["variant"],
        eval_results=list(_results(stated.published)) if stated.published else None,
    )


def _results(published: Mapping[str, Any]) -> Iterator[EvalResult]:
    """Yield the accuracy that the authors report, as theirs; only the hub may say `verified`."""
    protocol = datasets.protocol(published["dataset"])
    for best in (1, 5):
        if f"top{best}" in published:
            yield EvalResult(
                task_type=metadata.TASK,
                dataset_type=datasets.identifier(published["dataset"]),
                dataset_name=published["dataset"],
                metric_type="accuracy",
                metric_name=f"Top-{best} accuracy, reported by the authors",
                metric_value=published[f"top{best}"],
                metric_args={"clips": protocol.clips, "crops": protocol.crops}
                if protocol
                else None,
                source_name="reported by the authors, not measured on this conversion",
                source_url=published["source"],
            )
