"""Checks the loaded model: load report, config, tensors and positions."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
import transformers

from videomae.checkpoint import reader
from videomae.checkpoint.lazy_tensor import Entry
from videomae.checkpoint.tensor_names import merge_layers
from videomae.convert import model_folder
from videomae.errors import listing
from videomae.model.architecture import Architecture, tokens
from videomae.model.positions import sinusoid_positions
from videomae.verify.checks import allowed_contents
from videomae.verify.checks.tensors import same_tensors
from videomae.verify.comparison import difference, positions
from videomae.verify.report import Check, at_most

POSITION_TOLERANCE = 1e-6  # absolute, of values in -1..1


def load(folder: Path, architecture: Architecture) -> tuple[Any, Check]:
    """Load as a user would; anything the loader left over, left out or misfitted fails.

    In float32, so that of a narrower folder the rounding is the only thing to differ. The model is
    None if the folder does not load.
    """
    name = model_folder.CLASSES[architecture.kind]
    try:
        config = model_folder.read_json(folder / model_folder.CONFIG)
        model_folder.refuse_oversized(config, architecture)
        model, info = getattr(transformers, name).from_pretrained(
            folder,
            dtype=torch.float32,
            output_loading_info=True,
            trust_remote_code=False,
        )
    except Exception as error:  # whatever the loader raises, the folder is not usable
        return None, Check("load report", False, message=f"{name} does not load: {error}")
    left = {key: sorted(map(str, names)) for key, names in info.items() if names}
    message = "; ".join(f"{k}: {listing(merge_layers(v))}" for k, v in left.items())
    return model.eval(), Check("load report", not left, message=message)


def checks(
    model: Any,
    config: Mapping[str, Any],
    expected: Mapping[str, Entry],
    architecture: Architecture,
) -> Iterator[Check]:
    """Compare a loaded model's parts with the expected config.json and tensors of the folder."""
    yield _config(model, config)
    # Tensors that transformers loads are float32, whatever the file has.
    wide = reader.cast(expected, "float32")
    yield same_tensors("loaded tensors, bit by bit", model.state_dict(), wide, architecture)
    yield from _positions(model, tokens(architecture.config))


def _config(model: Any, expected: Mapping[str, Any]) -> Check:
    """Compare the config that transformers made of config.json, to the last value."""
    values = dict(expected)
    if "id2label" in values:  # numbers are strings in JSON
        values["id2label"] = {int(number): name for number, name in values["id2label"].items()}
    defaults = type(model.config)().to_dict()
    wrong = allowed_contents.loaded_faults(model.config.to_dict(), values, defaults)
    return Check("loaded config", not wrong, message=listing(wrong))


def _positions(model: Any, number: int) -> Iterator[Check]:
    """Compare all positions, of which the proof's smaller clips take the leading ones."""
    for owner, table in positions(model).items():
        expected = sinusoid_positions(number, table.shape[-1])
        name = f"positions of {type(owner).__name__}"
        message = f"shape {list(table.shape)} or values are not those of the sinusoid table"
        yield at_most(name, difference(table, expected), POSITION_TOLERANCE, message)
