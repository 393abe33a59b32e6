"""Checks a card's metadata by the hub's rules, offline.

`ModelCard.validate` needs the network, so the rules are repeated here. A push also asks the hub
(`publish.push`).
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

# The required keys of each result in a model-index.
REQUIRED = (("task", "type"), ("dataset", "type"), ("dataset", "name"))


def check(card: str) -> None:
    """Raise `ConversionError` for metadata that the hub would refuse or that only it may add."""
    try:
        # As the hub's client reads and writes it: results go through EvalResult and back.
        data = yaml.safe_load(str(ModelCard(card).data))
    except (ValueError, yaml.YAMLError) as error:
        raise ConversionError(f"the card's metadata can't be read: {error}") from error
    licenses.check(data)
    if faults := list(_faults(data)):
        raise ConversionError(f"the hub would refuse the card's metadata: {'; '.join(faults)}")


def _faults(data: Mapping[str, Any]) -> Iterator[str]:
    """Yield the fault of each wrong key."""
    if data.get("library_name") != LIBRARY:
        yield f"library_name is {data.get('library_name')!r}, but should be {LIBRARY}"
    if data.get("pipeline_tag", TASK) != TASK:
        yield f"pipeline_tag is {data['pipeline_tag']!r}, but should be {TASK} or absent"
    for key in ("tags", "datasets"):
        values = data.get(key, [])
        if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
            yield f"{key} is {values!r}, but should be a list of texts"
        elif key == "datasets":
            yield from (fault for value in values if (fault := _id_fault(key, value)))
    base = data.get("base_model")
    if base is not None and "/" not in str(base):
        yield f"base_model is {base!r}, but should be OWNER/NAME"
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
    """Yield the faults of a result in the model-index."""
    for part, key in REQUIRED:
        if not isinstance(result[part][key], str):
            yield f"{part}.{key} of a result is {result[part][key]!r}, but should be a text"
    for metric in result["metrics"]:
        if type(metric["value"]) not in (int, float):
            yield f"the value of a result is {metric['value']!r}, but should be a number"
        if {"verified", "verifyToken"} & metric.keys():
            yield "a result is marked as verified, which only the hub may do"
