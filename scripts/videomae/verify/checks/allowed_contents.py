"""Closed lists of the files in a folder, and of the keys in each JSON file.

Loaders of transformers read more files and keys than a conversion writes: an adapter is added to
the weights, another config takes the place of config.json, a key has Python code run. What is on
no list here fails by its name.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from videomae.convert.model_folder import PUBLISHED, read_json, wrong_values
from videomae.model import labels
from videomae.model.architecture import Architecture

# What no loader of transformers reads: texts and pictures, and what git, the hub's client, a file
# manager and Snakemake leave.
UNREAD = re.compile(
    r"\.git(attributes|ignore)?|\.cache|\.huggingface|\.DS_Store|\.snakemake_timestamp"
    r"|(LICENSE|LICENCE|NOTICE|CITATION)[\w.-]*"
    r"|[\w.-]+\.(md|txt|rst|pdf|png|jpe?g|gif|svg|webp|mp4)",
    re.IGNORECASE,
)

# What transformers' Trainer leaves in a folder, which only training reads.
TRAINING = re.compile(
    r"training_args\.bin|trainer_state\.json|(all|train|eval)_results\.json|runs|rng_state[\w.]*\.pth"
    r"|(optimizer|scheduler|scaler)\.pt|checkpoint-\d+"
)

# Files that loaders read beside ours, or in their place, and what they do with them.
READ = {
    r"adapter_.*": "an adapter, which is added to the weights",
    r"processor_config\.json|(video|audio)_preprocessor_config\.json": (
        "a processor's config, which is read in place of preprocessor_config.json"
    ),
    r"config\..*\.json": "a config that config.json can name for other releases",
    r".*\.py": "code",
    r".*\.index\.json|.*-of-\d+\..*": "weights in shards",
    r".*\.(bin|pt|pth|ckpt|h5|msgpack|safetensors|gguf|onnx|pkl)": "other weights",
}

# Sets of weights in the formats that PyTorch's loader reads, whole or in shards.
WEIGHTS = tuple(
    f"{name}{index}"
    for name in ("model.safetensors", "pytorch_model.bin")
    for index in ("", ".index.json")
)
SHARD = re.compile(r"(model|pytorch_model)-\d+-of-\d+(\.safetensors|\.bin)")

# Keys of config.json that say who wrote it; loaders don't act on them.
INFORMATIVE = ("transformers_version", "_name_or_path", "_commit_hash")

# What the loaded config says of this load, and the name under which `folder.model_config` repeats
# another key for other releases.
OF_LOADING = ("dtype", "torch_dtype", "qkv_bias", *INFORMATIVE)

# What configs may say beside our keys, with the only value that changes nothing. It is written here
# and not read from transformers, whose defaults may be what is wrong.
UNCHANGED: dict[str, Any] = {
    "problem_type": None,
    "pruned_heads": {},
    "chunk_size_feed_forward": 0,
    "is_decoder": False,
    "is_encoder_decoder": False,
    "output_attentions": False,
    "output_hidden_states": False,
    "return_dict": True,
    "torchscript": False,
    "quantization_config": None,
    "auto_map": None,
    "configuration_files": None,
}

# What saved processors may say beside our keys, with the only values that change nothing: those
# that transformers has when the key is left out, and the class's names in other releases.
NEUTRAL: dict[str, tuple[Any, ...]] = {
    "feature_extractor_type": ("VideoMAEFeatureExtractor", "VideoMAEImageProcessor"),
    "image_processor_type": (
        "VideoMAEImageProcessor",
        "VideoMAEImageProcessorPil",
        "VideoMAEFeatureExtractor",
    ),
    "do_sample_frames": (False, None),
    "do_convert_rgb": (True, None),
    "do_pad": (False, None),
    "data_format": ("channels_first", None),
    "default_to_square": (False, None),
    "resample": (2,),
    **dict.fromkeys(
        (
            "device",
            "num_frames",
            "fps",
            "return_tensors",
            "input_data_format",
            "disable_grouping",
            "pad_size",
            "size_divisor",
            "processor_class",
            "_processor_class",
            "crop_pct",
            "video_metadata",
            "return_metadata",
            "image_seq_length",
        ),
        (None,),
    ),
}


ONE_LABEL = "single_label_classification"


def strangers(folder: Path, trained: bool = False) -> Iterator[str]:
    """Yield the files of a folder that are on no list, with their use by loaders if known.

    ``trained`` allows what training leaves beside a model.
    """
    for path in sorted(folder.iterdir()):
        known = path.name in PUBLISHED or UNREAD.fullmatch(path.name)
        if known or (trained and TRAINING.fullmatch(path.name)):
            continue
        uses = (use for pattern, use in READ.items() if re.fullmatch(pattern, path.name))
        use = next(uses, "a folder" if path.is_dir() else "unknown")
        yield f"{path.name} ({use})"


def foreign_files(folder: Path) -> Iterator[str]:
    """Yield the files of another program's folder that loaders may read but no check compares.

    Its weights are loaded from either format. Of two sets in one format releases choose one.
    """
    sets = [name for name in WEIGHTS if (folder / name).exists()]
    for kind in ("safetensors", "bin"):
        if len(alike := [name for name in sets if f".{kind}" in name]) > 1:
            yield f"{' and '.join(alike)} (two sets of weights)"
    for stranger in strangers(folder, trained=True):
        name = stranger.partition(" (")[0]
        shard = SHARD.fullmatch(name)
        if name not in sets and not (shard and f"{shard[1]}{shard[2]}.index.json" in sets):
            yield stranger


def has_pickled_twin(folder: Path) -> bool:
    """Return whether a folder has pickled weights beside its safetensors."""
    sets = [name for name in WEIGHTS if (folder / name).exists()]
    return {".safetensors" in name for name in sets} == {True, False}


def config_faults(
    found: Mapping[str, Any],
    expected: Mapping[str, Any],
    origin: Mapping[str, str],
    also: Collection[str],
) -> list[str]:
    """Return a config's faults: values that differ, and keys beside these and ``also``."""
    return [*wrong_values(found, expected, origin), *_unknown(found, {*expected, *also})]


def processor_faults(found: Mapping[str, Any], expected: Mapping[str, Any]) -> list[str]:
    """Return a processor config's faults: values that differ, and unexpected keys."""
    return [*wrong_values(found, expected, {}), *_unknown(found, expected)]


def _unknown(found: Mapping[str, Any], allowed: Collection[str]) -> Iterator[str]:
    for name in found:
        if name not in allowed:
            yield f"{name} is {found[name]!r}, but this key is unexpected"


def foreign_keys(
    found: Mapping[str, Any], known: Mapping[str, Any], defaults: dict[str, Any]
) -> list[str]:
    """Return keys of another program's config.json that may change what a loader does.

    ``known`` are the keys that a conversion writes, whose effects are seen in what the model
    computes; others must say what ``defaults``, the release's own, say.
    """
    return [
        f"{name} is {value!r}"
        for name, value in found.items()
        if name not in {*known, *OF_LOADING, *labels.MAPS}
        and not (name in defaults and (defaults | UNCHANGED)[name] == value)
    ]


def without_traces_of_training(
    found: Mapping[str, Any], architecture: Architecture
) -> dict[str, Any]:
    """Return a config without the keys that fine-tuning leaves in it and that change nothing.

    A classifier keeps the sizes of its encoder's former decoder. transformers notes the problem as
    one label for each clip, which it assumes of several classes anyway.
    """
    traces = set()
    if architecture.kind != "pretraining":
        traces |= {name for name in found if name.startswith("decoder_")} | {"norm_pix_loss"}
    if (architecture.num_labels or 0) > 1 and found.get("problem_type") == ONE_LABEL:
        traces.add("problem_type")
    return {name: value for name, value in found.items() if name not in traces}


def foreign_processor_keys(found: Mapping[str, Any], known: Mapping[str, Any]) -> list[str]:
    """Return unknown keys of another program's processor config that may change its effect."""
    return [
        f"{name} is {value!r}"
        for name, value in found.items()
        if value not in NEUTRAL.get(name, ())
        and (name not in known or name == "image_processor_type")
    ]


def loaded_faults(
    loaded: Mapping[str, Any], expected: Mapping[str, Any], defaults: dict[str, Any]
) -> list[str]:
    """Return the faults of a config or processor that transformers has loaded.

    All three are what its ``to_dict`` gives, or values of those names. Of what is not expected by
    name, nothing may differ from ``defaults``.
    """
    wanted = {name: value for name, value in expected.items() if name not in OF_LOADING}
    rest = {
        name: value
        for name, value in loaded.items()
        if name not in wanted and name not in OF_LOADING and not name.startswith("_")
    }
    wrong = [name for name, value in wanted.items() if _plain(loaded.get(name)) != _plain(value)]
    usual = defaults | UNCHANGED
    other = [name for name, value in rest.items() if _plain(usual.get(name)) != _plain(value)]
    return [
        *(f"{name} is {loaded.get(name)!r}, should be {wanted[name]!r}" for name in wrong),
        *(f"{name} is {rest[name]!r}, which is not transformers' default" for name in other),
    ]


def _plain(value: Any) -> Any:
    """Return a value as JSON content, so that an object of transformers equals its dict."""
    if isinstance(value, tuple | list):
        return [_plain(one) for one in value]
    if isinstance(value, Mapping) or hasattr(value, "keys"):
        held = {str(key): _plain(value[key]) for key in value.keys()}  # noqa: SIM118 (SizeDict)
        return {key: one for key, one in held.items() if one is not None}
    return value


def read_if_there(path: Path) -> dict[str, Any]:
    """Return a JSON object; empty without the file. Raises `ConversionError` for other content."""
    return read_json(path) if path.exists() else {}
