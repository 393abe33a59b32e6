"""What does a folder of transformers hold?  Its network and its tensors, whoever saved it.

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
from videomae.model.architecture import GIVABLE, Architecture
from videomae.recognition.recognize import require

PICKLED = "pytorch_model.bin"
MOST_CLASSES = 100_000
KEY_BIAS = ".attention.attention.key.bias"


def read_config(folder: Path) -> dict[str, Any]:
    """Read a folder's config.json; what it leaves out is as in transformers' VideoMAEConfig.

    Raises `ConversionError` for what the authors' network can't be.
    """
    said = read_json(folder / CONFIG)
    with about(CONFIG):
        if said.get("architectures") not in [[name] for name in CLASSES.values()]:
            raise ConversionError(
                f"architectures is {said.get('architectures')}; only models of "
                f"{', '.join(CLASSES.values())} can be restored"
            )
        if isinstance(classes := said.get("num_labels", 0), int) and classes > MOST_CLASSES:
            # VideoMAEConfig would name each of them.
            raise ConversionError(f"num_labels is {classes}; more than {MOST_CLASSES:,} is a fault")
        if said.get("qv_bias", said.get("qkv_bias")) != said.get("qkv_bias", said.get("qv_bias")):
            raise ConversionError("qv_bias and qkv_bias mean the same and differ")
        try:
            config: dict[str, Any] = VideoMAEConfig(**said).to_dict()
        except Exception as error:  # whatever its own checks raise
            words = " ".join(str(error).split())
            raise ConversionError(f"VideoMAEConfig refuses it: {words}") from error
        if config["hidden_act"] != "gelu":
            raise ConversionError(f"hidden_act is {config['hidden_act']}; the authors' is gelu")
    return config


def read_architecture(config: Mapping[str, Any]) -> Architecture:
    """Read the network from what `read_config` gives; refuse one that can't be built."""
    kind = next(kind for kind, name in CLASSES.items() if config["architectures"] == [name])
    found: dict[str, Any] = {"qv_bias": config["qv_bias"]}
    with about(CONFIG):
        for name, needed in GIVABLE.items():
            if name.startswith(("decoder_", "norm_")) and kind != "pretraining":
                continue
            found[name] = config[name]
            if type(found[name]) is not needed or (needed is int and found[name] < 1):
                size = " above 0" if needed is int else ""
                raise ConversionError(f"{name} is {found[name]}, not one {needed.__name__}{size}")
        require(found, kind)
    labels = len(config["id2label"]) if kind == "classifier" else None
    return Architecture(kind, found, dict.fromkeys(found, CONFIG), labels)


def read_weights(folder: Path) -> dict[str, Tensor]:
    """Read a folder's tensors from the file or the shards that ``from_pretrained`` takes."""
    tensors: dict[str, Tensor] = {}
    for path in _weight_files(folder):
        with about(path.name):
            for name, tensor in _load(path).items():
                if name in tensors:
                    raise ConversionError(f"tensor {name} stands in an earlier shard too")
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
    raise ConversionError(f"no weights: neither {WEIGHTS} nor {PICKLED}, whole or in shards")


def _load(path: Path) -> dict[str, Any]:
    if path.suffix == ".safetensors":
        return dict(safetensors_file.entries(path))
    contents, _ = reader.load(path)
    if not isinstance(contents, Mapping):
        raise ConversionError(f"no state dict but {type(contents).__name__}")
    return dict(contents)


def without_key_biases(tensors: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], str]:
    """Leave out the key's biases, which change nothing, and say so if there are any.

    Such a bias adds the same to all scores of a query, and the softmax takes that away: whatever
    its values, the network computes the same without it. Raises `ConversionError` for a NaN.
    """
    biases = {name: tensor for name, tensor in tensors.items() if name.endswith(KEY_BIAS)}
    if not biases:
        return dict(tensors), ""
    reader.check_finite(biases)
    largest = max(float(bias.abs().max()) for bias in biases.values())
    said = (
        f"left behind: {len(biases)} biases of the key (up to {largest:.3g}), which the authors' "
        "network has not, and which the softmax takes away whatever they are"
    )
    return {name: tensor for name, tensor in tensors.items() if name not in biases}, said
