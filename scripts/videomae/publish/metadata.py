"""Would the hub take what stands at a card's head?  Its rules, as far as they hold without asking.

These rules stay by hand because `ModelCard.validate` asks the hub over the network. A push asks it,
too (`publish.push`); this holds for every card, and offline.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import yaml
from huggingface_hub import ModelCard
from huggingface_hub.errors import HFValidationError
from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]

from videomae.errors import ConversionError
from videomae.model import licenses

LIBRARY = "transformers"

# The hub's name of the one task that a folder can be used for by transformers' pipeline.
TASK = "video-classification"

# What a model-index must say of each result.
REQUIRED = (("task", "type"), ("dataset", "type"), ("dataset", "name"))


def check(card: str) -> None:
    """Refuse a card whose metadata the hub would refuse, or that claims what only the hub may."""
    try:
        # As the hub's client reads and writes it: results go through EvalResult and back.
        data = yaml.safe_load(str(ModelCard(card).data))
    except (ValueError, yaml.YAMLError) as error:
        raise ConversionError(f"the card's metadata can't be read: {error}") from error
    licenses.check(data)
    if faults := list(_faults(data)):
        raise ConversionError(f"the hub would not take the card's metadata: {'; '.join(faults)}")


def _faults(data: Mapping[str, Any]) -> Iterator[str]:
    """Say what is wrong with each key."""
    if data.get("library_name") != LIBRARY:
        yield f"library_name is {data.get('library_name')!r}, should be {LIBRARY}"
    if data.get("pipeline_tag", TASK) != TASK:
        yield f"pipeline_tag is {data['pipeline_tag']!r}, should be {TASK} or absent"
    for key in ("tags", "datasets"):
        values = data.get(key, [])
        if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
            yield f"{key} is {values!r}, should be a list of texts"
        elif key == "datasets":
            yield from (fault for value in values if (fault := _id_fault(key, value)))
    base = data.get("base_model")
    if base is not None and "/" not in str(base):
        yield f"base_model is {base!r}, should be OWNER/NAME"
    elif base is not None and (fault := _id_fault("base_model", base)):
        yield fault
    for model in data.get("model-index", []):
        for result in model["results"]:
            yield from _result_faults(result)


def _id_fault(key: str, value: Any) -> str | None:
    try:
        validate_repo_id(value)
    except HFValidationError as error:
        return f"{key}: {error}"
    return None


def _result_faults(result: Mapping[str, Any]) -> Iterator[str]:
    """Say what is wrong with a result of the model-index, whose keys are there by now."""
    for part, key in REQUIRED:
        if not isinstance(result[part][key], str):
            yield f"{part}.{key} of a result is {result[part][key]!r}, should be a text"
    for metric in result["metrics"]:
        if type(metric["value"]) not in (int, float):
            yield f"the value of a result is {metric['value']!r}, should be a number"
        if {"verified", "verifyToken"} & metric.keys():
            yield "a result is said to be verified, which only the hub can say"
