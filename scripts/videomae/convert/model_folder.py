"""Writes a transformers folder: config.json, the processor's config and the weights."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from videomae.checkpoint.lazy_tensor import Entry
from videomae.errors import ConversionError, listing
from videomae.files import appearing, saving
from videomae.model import pixels
from videomae.model.architecture import Architecture, Kind

CONFIG = "config.json"
WEIGHTS = "model.safetensors"
PROCESSOR = "preprocessor_config.json"
CARD = "README.md"
DTYPES = ("float32", "float16", "bfloat16")  # of the weights
CONVERTED = (CONFIG, WEIGHTS, PROCESSOR)
PUBLISHED = (*CONVERTED, CARD)

CLASSES: dict[Kind, str] = {
    "classifier": "VideoMAEForVideoClassification",
    "pretraining": "VideoMAEForPreTraining",
    "encoder": "VideoMAEModel",
}

UNSAID = "as in the authors' code"  # the origin of values that checkpoints don't have

# The key in config.json and model.safetensors that marks synthetic weights; the name is older.
SYNTHETIC = "rehearsal"

MOST_TIMES = 8


def model_config(
    architecture: Architecture,
    id2label: Mapping[int, str],
    synthetic: str | None,
    dtype: str = "float32",
) -> dict[str, Any]:
    """Return config.json; the dtype and the biases have the key names of every release."""
    config: dict[str, Any] = {
        "architectures": [CLASSES[architecture.kind]],
        "model_type": "videomae",
        **{name: value for name, value in architecture.config.items() if name not in pixels.NAMES},
        "qkv_bias": architecture.config["qv_bias"],
        "layer_norm_eps": architecture.layer_norm_eps,
        "hidden_act": "gelu",
        "hidden_dropout_prob": 0.0,
        "attention_probs_dropout_prob": 0.0,
        "initializer_range": 0.02,
        "dtype": dtype,
        "torch_dtype": dtype,
    }
    if architecture.kind == "classifier":
        config["id2label"] = {str(number): label for number, label in id2label.items()}
        config["label2id"] = {label: number for number, label in id2label.items()}
    if synthetic:
        config[SYNTHETIC] = synthetic
    return config


def processor_config(architecture: Architecture) -> dict[str, Any]:
    """Return preprocessor_config.json: resize the shorter side, centre crop, normalise."""
    size = architecture.config["image_size"]
    return {
        "image_processor_type": "VideoMAEImageProcessor",
        "do_resize": True,
        "size": {"shortest_edge": size},
        "resample": 2,
        "do_center_crop": True,
        "crop_size": {"height": size, "width": size},
        "do_rescale": architecture.pixels.rescale,
        "rescale_factor": 1 / 255,
        "do_normalize": True,
        "image_mean": list(architecture.pixels.mean),
        "image_std": list(architecture.pixels.std),
    }


def wrong_values(
    found: Mapping[str, Any], expected: Mapping[str, Any], origin: Mapping[str, str]
) -> list[str]:
    """Return a text for each wrong value, with the origin of the expected one."""
    return [
        f"{name} is {found.get(name)!r}, should be {value!r} ({origin.get(name, UNSAID)})"
        for name, value in expected.items()
        if found.get(name) != value
    ]


def refuse_oversized(config: Mapping[str, Any], architecture: Architecture) -> None:
    """Raise `ConversionError` for sizes far beyond the network's: loading would allocate them.

    Sizes that are only wrong may be loaded; other checks then find them.
    """
    sizes = {name: value for name, value in architecture.config.items() if type(value) is int}
    for name, value in {**sizes, "num_labels": architecture.num_labels or 1000}.items():
        found = config.get(name)
        if isinstance(found, int) and found > MOST_TIMES * value:
            raise ConversionError(
                f"the folder is not loaded: {name} in {CONFIG} is {found}, more than {MOST_TIMES} "
                f"times the network's {value}"
            )


def write_folder(
    folder: Path,
    config: Mapping[str, Any],
    processor: Mapping[str, Any],
    tensors: Mapping[str, Entry],
    progress: Callable[[int, int], object] = lambda *_: None,
    check: Callable[[], object] = lambda: None,
) -> None:
    """Write a model folder, which appears complete or not at all.

    ``progress`` is called with the bytes of weights written so far and in total. ``check`` is
    called last; if it raises, the folder does not appear. Raises `ConversionError` if the folder
    holds other files than a conversion, and `safetensors_file.NotFiniteError` for values that are
    not finite.
    """
    from videomae.checkpoint import (
        safetensors_file,  # NumPy, which reading a config need not import
    )

    refuse_strangers(folder)
    # An earlier conversion is removed with its card, which states figures of that conversion.
    with appearing(folder) as new:
        new.mkdir()
        metadata = {"format": "pt"}
        if SYNTHETIC in config:
            metadata[SYNTHETIC] = str(config[SYNTHETIC])
        with saving(new / WEIGHTS):
            safetensors_file.write(new / WEIGHTS, tensors, metadata, progress)
        for name, content in ((PROCESSOR, processor), (CONFIG, config)):
            (new / name).write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n")
        check()


def refuse_strangers(folder: Path) -> None:
    """Raise `ConversionError` for a folder that holds other files than a conversion's."""
    if folder.is_file():
        raise ConversionError(f"{folder} is a file, but must be a folder; choose another name")
    held = {path.name for path in folder.iterdir()} if folder.exists() else set()
    ours = set(PUBLISHED if is_model_card(folder / CARD) else CONVERTED)
    if strangers := sorted(held - ours):
        raise ConversionError(
            f"{folder} has other files ({listing(strangers)}); choose a new or an empty folder"
        )


def is_model_card(path: Path) -> bool:
    """Return whether a README.md is a model card: it begins with the hub's metadata."""
    start = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
    return start.startswith("---\n") and "\nlibrary_name: transformers\n" in start


def read_json(path: Path) -> dict[str, Any]:
    """Return the JSON object in a file; raises `ConversionError` for anything else."""
    return parse_json(path.read_bytes(), path)


def parse_json(text: bytes, path: Path) -> dict[str, Any]:
    """Return the JSON object in a file's text; raises `ConversionError` for anything else."""
    try:
        content = json.loads(text.decode())
    except (ValueError, RecursionError) as error:
        raise ConversionError(f"{path}: not valid JSON: {error}") from error
    if not isinstance(content, dict):
        raise ConversionError(f"{path}: the file must hold a JSON object")
    return content
