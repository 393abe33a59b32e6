"""Reads the network and the tensors of a transformers folder, also one of another program.

Up to 5.0.0 and from 5.20.2 on, transformers saves the biases as ``q_bias`` and ``v_bias``; 5.5.1 to
5.17.0 save ``query.bias`` and ``value.bias``, and a ``key.bias`` that the authors' network hasn't.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor
from transformers import VideoMAEConfig

from videomae.checkpoint import lazy_tensor, reader, safetensors_file
from videomae.convert.model_folder import CLASSES, CONFIG, WEIGHTS, read_json
from videomae.errors import ConversionError, about
from videomae.model import pixels
from videomae.model.architecture import GIVABLE, LAYER_NORM_EPS, Architecture
from videomae.recognition.recognize import require

PICKLED = "pytorch_model.bin"
MOST_CLASSES = 100_000
USUAL_EPS = ("layer_norm_eps", LAYER_NORM_EPS)
KEY_BIAS = ".attention.attention.key.bias"


def read_config(folder: Path) -> dict[str, Any]:
    """Return a folder's config.json, with VideoMAEConfig's defaults for missing keys.

    Raises `ConversionError` for values that the authors' network can't have.
    """
    said = read_json(folder / CONFIG)
    with about(CONFIG):
        if said.get("architectures") not in [[name] for name in CLASSES.values()]:
            raise ConversionError(
                f"architectures is {said.get('architectures')}, but only models of "
                f"{', '.join(CLASSES.values())} can be restored"
            )
        if isinstance(classes := said.get("num_labels", 0), int) and classes > MOST_CLASSES:
            # VideoMAEConfig would name each of them.
            raise ConversionError(
                f"num_labels is {classes}, but at most {MOST_CLASSES:,} are allowed"
            )
        if said.get("qv_bias", said.get("qkv_bias")) != said.get("qkv_bias", said.get("qv_bias")):
            raise ConversionError("qv_bias and qkv_bias mean the same, but have different values")
        try:
            config: dict[str, Any] = VideoMAEConfig(**said).to_dict()
        except Exception as error:  # whatever its own checks raise
            words = " ".join(str(error).split())
            raise ConversionError(f"VideoMAEConfig refuses the file: {words}") from error
        if config["hidden_act"] != "gelu":
            raise ConversionError(f"hidden_act is {config['hidden_act']}, but must be gelu")
    return config


def read_architecture(config: Mapping[str, Any]) -> Architecture:
    """Return the network by `read_config`'s values; raise `ConversionError` for a faulty one."""
    kind = next(kind for kind, name in CLASSES.items() if config["architectures"] == [name])
    found: dict[str, Any] = {"qv_bias": config["qv_bias"]}
    with about(CONFIG):
        for name, needed in GIVABLE.items():
            if name.startswith(("decoder_", "norm_")) and kind != "pretraining":
                continue
            if name in pixels.NAMES or (name, config.get(name)) == USUAL_EPS:
                continue
            found[name] = config[name]
            if type(found[name]) is not needed or (needed is int and found[name] < 1):
                size = " above 0" if needed is int else ""
                raise ConversionError(
                    f"{name} is {found[name]}, but must be one {needed.__name__}{size}"
                )
        require(found, kind)
    labels = len(config["id2label"]) if kind == "classifier" else None
    return Architecture(kind, found, dict.fromkeys(found, CONFIG), labels)


def read_weights(folder: Path) -> dict[str, Tensor]:
    """Return a folder's tensors from the file or the shards that ``from_pretrained`` reads."""
    tensors: dict[str, Tensor] = {}
    for path in _weight_files(folder):
        with about(path.name):
            for name, tensor in _load(path).items():
                if name in tensors:
                    raise ConversionError(f"tensor {name} is also in an earlier shard")
                tensors[name] = lazy_tensor.read(reader.checked(name, tensor))
    return tensors


def _weight_files(folder: Path) -> list[Path]:
    for name in (WEIGHTS, PICKLED):
        index = folder / f"{name}.index.json"
        if (folder / name).is_file():
            return [folder / name]
        if index.is_file():
            shards = read_json(index).get("weight_map")
            if not isinstance(shards, dict):
                raise ConversionError(f"{index.name} has no weight_map")
            return [folder / shard for shard in sorted(set(map(str, shards.values())))]
    raise ConversionError(f"the folder has no weights: neither {WEIGHTS} nor {PICKLED}, nor shards")


def _load(path: Path) -> dict[str, Any]:
    if path.suffix == ".safetensors":
        return dict(safetensors_file.entries(path))
    contents, _ = reader.load(path)
    if not isinstance(contents, Mapping):
        raise ConversionError(f"the file must hold a state dict, not {type(contents).__name__}")
    return dict(contents)


def without_key_biases(tensors: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], str]:
    """Return tensors without biases of the key, which change nothing, and a note if there were any.

    Such a bias adds the same value to all scores of a query, and the softmax cancels it. Raises
    `ConversionError` for biases that are not finite.
    """
    biases = {name: tensor for name, tensor in tensors.items() if name.endswith(KEY_BIAS)}
    if not biases:
        return dict(tensors), ""
    reader.check_finite(biases)
    largest = max(float(bias.abs().max()) for bias in biases.values())
    said = (
        f"left behind: {len(biases)} biases of the key (up to {largest:.3g}); the authors' network "
        "has none, and the softmax cancels them"
    )
    return {name: tensor for name, tensor in tensors.items() if name not in biases}, said
