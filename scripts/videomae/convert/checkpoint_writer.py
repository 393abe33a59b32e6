"""Writes a folder as a checkpoint of the authors' code, by `weight_mapping` backwards.

The file holds what the authors' scripts save and read: the state dict under ``model`` and the
options that describe the network under ``args``. It has no optimizer.
"""

import argparse
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from videomae.checkpoint import reader
from videomae.checkpoint.lazy_tensor import Values
from videomae.checkpoint.reader import Checkpoint
from videomae.checkpoint.tensor_names import merge_layers
from videomae.convert import weight_mapping
from videomae.convert.model_folder import CONFIG
from videomae.errors import ConversionError, listing
from videomae.files import appearing, saving
from videomae.model.architecture import Architecture, factory, tensor_shapes
from videomae.recognition.recognize import read_architecture


def state_dict(tensors: Mapping[str, Tensor], architecture: Architecture) -> dict[str, Tensor]:
    """Return a folder's tensors by the authors' names, in their order.

    Raises `ConversionError` for a tensor that is missing, unknown, misshapen or not finite.
    """
    layers = sum(n for name, n in architecture.config.items() if name.endswith("_hidden_layers"))
    if layers > len(tensors):
        raise ConversionError(f"{CONFIG} has {layers} layers for only {len(tensors)} tensors")
    shapes = tensor_shapes(architecture)
    try:
        empty = {name: torch.empty(shape, device="meta") for name, shape in shapes.items()}
    except (RuntimeError, TypeError) as error:
        raise ConversionError(f"{CONFIG} has sizes that no tensor can have: {error}") from error
    for name, expected in weight_mapping.convert(empty, architecture).items():
        if name in tensors and tensors[name].shape != expected.shape:
            raise ConversionError(
                f"tensor {name} has shape {list(tensors[name].shape)}, but by {CONFIG} it should "
                f"have {list(expected.shape)}"
            )
    restored = dict(weight_mapping.restore(tensors, architecture))
    reader.check_finite(restored)
    return restored


def options(architecture: Architecture) -> dict[str, Any]:
    """Return the authors' training options for a network; only a factory's name implies heads."""
    config = architecture.config
    said = {"num_frames": config["num_frames"], "input_size": config["image_size"]}
    if "layer_norm_eps" in config:
        said["layer_norm_eps"] = config["layer_norm_eps"]
    if name := factory(architecture):
        said["model"] = name
    if architecture.kind == "pretraining":
        return said | {
            "decoder_depth": config["decoder_num_hidden_layers"],
            "normlize_target": config["norm_pix_loss"],
        }
    if architecture.kind == "encoder":
        return said
    return said | {
        "num_segments": 1,  # num_frames are those of all segments
        "tubelet_size": config["tubelet_size"],
        "nb_classes": architecture.num_labels,
        "use_mean_pooling": config["use_mean_pooling"],
    }


def write(
    path: Path, tensors: Mapping[str, Tensor], architecture: Architecture, synthetic: str | None
) -> str | None:
    """Write a folder's tensors as the authors' scripts save theirs; the file appears once verified.

    Read again like any checkpoint, it must give the folder's tensors, bit by bit, and its network.
    Returns what the user must know to convert the file again, or None.
    """
    if path.is_dir():
        raise ConversionError(f"{path} is a folder; give the name of a file")
    args = argparse.Namespace(**options(architecture))
    contents: dict[str, Any] = {"model": state_dict(tensors, architecture), "args": args}
    if synthetic:
        contents[reader.SYNTHETIC] = synthetic
    with appearing(path) as new:
        # Given a path, torch writes its name into the file.
        with saving(path, RuntimeError), new.open("wb") as file:
            torch.save(contents, file)
        opened = reader.open_checkpoint(new)
        converted = Values(weight_mapping.convert(opened.entries, architecture))
        wrong = [
            n for n, held in tensors.items() if not weight_mapping.same_bits(converted[n], held)
        ]
        if wrong:
            raise ConversionError(f"tensors changed in the file: {listing(merge_layers(wrong))}")
        return _to_convert_again(opened, architecture)


def _to_convert_again(file: Checkpoint, architecture: Architecture) -> str | None:
    """Return a note on the head counts to give, if neither a factory nor a table implies them."""
    config = architecture.config
    with suppress(ConversionError):  # where nothing tells the heads
        if read_architecture(file.shapes, file.args, {}).config == config:
            return None
    heads = {name: config[name] for name in config if name.endswith("num_attention_heads")}
    said = " ".join(f"{name}={value}" for name, value in heads.items())
    try:
        found = read_architecture(file.shapes, file.args, heads).config
    except ConversionError as error:
        return f"the file can't store {said} and looks like another network: {error}"
    if wrong := [name for name in config if found[name] != config[name]]:
        raise ConversionError(f"{CONFIG} and the tensors disagree on {listing(wrong)}")
    return f"the authors' files can't store head counts; to convert again, give --config {said}"
