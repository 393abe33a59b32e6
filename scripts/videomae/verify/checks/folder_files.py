"""Checks a folder's files: their names, config.json, the processor and the weights."""

from collections.abc import Generator, Iterator, Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from videomae.checkpoint import safetensors_file
from videomae.checkpoint.lazy_tensor import Entry, Values
from videomae.checkpoint.tensor_names import merge_layers
from videomae.convert import model_folder, weight_mapping
from videomae.errors import ConversionError, listing
from videomae.model.architecture import Architecture
from videomae.verify import clips
from videomae.verify.checks import allowed_contents, processor_pixels
from videomae.verify.checks.tensors import same_tensors
from videomae.verify.expected import ExpectedConfig
from videomae.verify.report import NOT_COMPARED, Check


def file_names(folder: Path) -> Check:
    """Look for files that loaders read and a conversion does not write."""
    others = list(allowed_contents.strangers(folder)) if folder.is_dir() else []
    message = f"files that should not be there: {listing(others)}" if others else ""
    return Check("files", not others, message=message)


def config(folder: Path, expected: ExpectedConfig) -> Iterator[Check]:
    """Compare every value of config.json with what the checkpoint and the person say."""
    values = expected.values(folder)
    label_maps = {name: values.pop(name, None) for name in ("id2label", "label2id")}
    try:
        found = model_folder.read_json(folder / model_folder.CONFIG)
    except (ConversionError, OSError) as error:
        yield Check("config", False, message=str(error))
        return
    architecture = expected.architecture
    also = label_maps if architecture.kind == "classifier" else {}
    wrong = allowed_contents.config_faults(found, values, architecture.origin, also)
    yield Check("config", not wrong, message=listing(wrong))
    headless = architecture.num_labels == 0  # so that there are no labels either
    if architecture.kind == "classifier" and (headless or expected.compare_labels):
        yield _labels(found, label_maps)
    elif architecture.kind == "classifier":
        yield _labels_without_list(folder, expected)


def _labels(found: Mapping[str, Any], expected: Mapping[str, Any]) -> Check:
    """Compare both label maps with the list's."""
    wrong = [name for name, value in expected.items() if found.get(name) != value]
    message = _label_message(found, expected, wrong[0]) if wrong else ""
    return Check("labels", not wrong, message=message)


def _labels_without_list(folder: Path, expected: ExpectedConfig) -> Check:
    """Return whether there is a label for each class."""
    try:
        number = len(expected.labels_of(folder))
    except ConversionError as error:
        return Check("labels", False, message=str(error))
    message = f"{NOT_COMPARED}, as no list was given; there are {number}, all different"
    return Check("labels", True, message=message)


def _label_message(found: Mapping[str, Any], expected: Mapping[str, Any], name: str) -> str:
    """Return the fault of the first wrong entry in a label map; empty if none is wrong."""
    entries, wanted = found.get(name), expected[name]
    if not isinstance(entries, dict):
        return f"{name} is {entries!r}, should be a map with {len(wanted)} entries"
    for key, value in wanted.items():
        if entries.get(key) != value:
            return f"{name}[{key!r}] is {entries.get(key)!r}, should be {value!r}"
    return f"{name} has {len(entries)} entries, should have {len(wanted)}"


def processor(folder: Path, architecture: Architecture) -> Generator[Check, None, Tensor | None]:
    """Compare the processor's config, and the pixels that each class makes of frames.

    Returns the image processor's pixels of the usual clip, for the model; None if it makes none.
    """
    expected = model_folder.processor_config(architecture)
    sizes = architecture.config
    clip = clips.synthetic_clip(sizes["num_frames"], sizes["image_size"])
    pixels = None
    try:
        found = model_folder.read_json(folder / model_folder.PROCESSOR)
        wrong = allowed_contents.processor_faults(found, expected)
        yield Check("processor config", not wrong, message=listing(wrong))
        for number, loaded in enumerate(processor_pixels.processors(folder)):
            name = "video processor" if number else "processor"
            yield from processor_pixels.checks(loaded, expected, name)
            if not number:
                pixels = processor_pixels.pixels(loaded, clip)
    except Exception as error:  # whatever a broken processor raises, it is not usable
        yield Check("processor", False, message=f"the processor does not load or run: {error}")
    return pixels


def weights(
    folder: Path, expected: Mapping[str, Entry], architecture: Architecture
) -> Iterator[Check]:
    """Compare the weights file with the checkpoint: every name, both biases, bit by bit."""
    path = folder / model_folder.WEIGHTS
    try:
        metadata = safetensors_file.metadata(path)
        tensors = Values(safetensors_file.entries(path))
    except (ConversionError, OSError) as error:
        yield Check("weights file", False, message=f"{model_folder.WEIGHTS}: {error}")
        return
    rows = weight_mapping.renames(architecture)
    missing = [name for row in rows for name in row.targets if name not in tensors]
    wrong = f"missing {listing(merge_layers(missing))}" if missing else ""
    if metadata.get("format") != "pt":
        wrong = f"metadata's format is {metadata.get('format')!r}, should be 'pt'"
    yield Check("weights file", not wrong, message=wrong)
    yield same_tensors("weights file, bit by bit", tensors, expected, architecture)
