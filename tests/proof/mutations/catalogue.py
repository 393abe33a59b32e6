"""The catalogue of wrong conversions: each a name, a change to a right folder, and what to hear.

A mutation is applied to what the folder's files hold (a `Draft`); the hint is what the messages of
the failing checks must contain, so that a person is led to the cause.
"""

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from videomae.checkpoint.tensor_names import LAYER_NUMBER
from videomae.convert import model_folder, weight_mapping
from videomae.convert.weight_mapping import Rename
from videomae.model.architecture import Architecture

Change = Callable[["Draft"], object]


@dataclass
class Draft:
    """The contents of a folder, to be changed and saved."""

    config: dict[str, Any]
    processor: dict[str, Any]
    tensors: dict[str, Tensor]
    cut_at: float | None = None
    beside: dict[str, str] = field(default_factory=dict)  # other files, by name

    @classmethod
    def load(cls, path: Path) -> "Draft":
        config, processor = (
            model_folder.read_json(path / name)
            for name in (model_folder.CONFIG, model_folder.PROCESSOR)
        )
        return cls(config, processor, load_file(path / model_folder.WEIGHTS))

    def save(self, path: Path) -> None:
        shutil.rmtree(path, ignore_errors=True)
        path.mkdir()
        for name, text in self.beside.items():
            (path / name).parent.mkdir(exist_ok=True)
            (path / name).write_text(text)
        (path / model_folder.CONFIG).write_text(json.dumps(self.config))
        (path / model_folder.PROCESSOR).write_text(json.dumps(self.processor))
        tensors = {name: tensor.clone().contiguous() for name, tensor in self.tensors.items()}
        save_file(tensors, path / model_folder.WEIGHTS, metadata={"format": "pt"})
        if self.cut_at is not None:
            whole = (path / model_folder.WEIGHTS).read_bytes()
            (path / model_folder.WEIGHTS).write_bytes(whole[: int(self.cut_at * len(whole))])


@dataclass(frozen=True)
class Mutation:
    """One way to be wrong."""

    name: str
    change: Change
    hint: str


def catalogue(architecture: Architecture) -> list[Mutation]:
    """Give every mutation that applies to a network: of each tensor kind, then the known faults."""
    rows = weight_mapping.renames(architecture)
    mutations = [*_of_tensors(rows), *_of_attention(), *_of_blocks(architecture), *_of_files(rows)]
    mutations += [*_of_config(architecture), *_of_processor(), *strangers()]
    if architecture.kind == "classifier":
        mutations += _of_classifiers(architecture)
    else:
        mutations += _of_pretraining(architecture)
    return mutations


# -- each kind of tensor ---------------------------------------------------------------------------


def _of_tensors(rows: list[Rename]) -> Iterator[Mutation]:
    """Zero, scale, exchange with the next layer's, transpose: for every kind of tensor."""
    sources = {row.source for row in rows}
    for row in rows:
        if LAYER_NUMBER.search(row.source) and ".0." not in row.source:
            continue
        for targets in [(target,) for target in row.targets] if row.split else [row.targets]:
            kind = targets[0] if row.split else row.source
            yield Mutation(f"{kind} zeroed", partial(_each, targets, torch.zeros_like), row.source)
            scale = partial(torch.mul, other=1.001)
            yield Mutation(f"{kind} times 1.001", partial(_each, targets, scale), row.source)
            if row.source.replace(".0.", ".1.") in sources and ".0." in row.source:
                yield Mutation(f"{kind} of next layer", partial(_exchange, targets), row.source)
            if row.source.endswith(SQUARE):
                yield Mutation(f"{kind} transposed", partial(_each, targets, torch.t), row.source)


SQUARE = ("attn.qkv.weight", "attn.proj.weight")  # its parts are, for qkv


def _each(targets: tuple[str, ...], change: Callable[[Tensor], Tensor], draft: Draft) -> None:
    for target in targets:
        draft.tensors[target] = change(draft.tensors[target])


def _exchange(targets: tuple[str, ...], draft: Draft) -> None:
    for target in targets:
        _swap(target, target.replace(".0.", ".1."), draft)


def _swap(one: str, other: str, draft: Draft) -> None:
    draft.tensors[one], draft.tensors[other] = draft.tensors[other], draft.tensors[one]


# -- attention -------------------------------------------------------------------------------------

ATTENTION = "videomae.encoder.layer.0.attention.attention."


def _of_attention() -> Iterator[Mutation]:
    for one, other in (("query", "key"), ("key", "value"), ("query", "value")):
        swap = partial(_swap, f"{ATTENTION}{one}.weight", f"{ATTENTION}{other}.weight")
        yield Mutation(f"{one} and {other} exchanged", swap, "blocks.0.attn.qkv.weight")
    for short, long in (("q_bias", "query.bias"), ("v_bias", "value.bias")):
        for names in ((short,), (long,), (short, long)):
            drop = partial(_drop, tuple(ATTENTION + name for name in names))
            yield Mutation(f"{' and '.join(names)} dropped", drop, f"{ATTENTION}{names[0]}")
        scale = partial(_each, (ATTENTION + short,), partial(torch.mul, other=1.01))
        yield Mutation(f"{short} unlike {long}", scale, "differ, but must be equal")
    key_bias = partial(_add, f"{ATTENTION}key.bias", torch.ones(1))
    yield Mutation("a bias for the key added", key_bias, "key.bias")


def _drop(names: tuple[str, ...], draft: Draft) -> None:
    for name in names:
        del draft.tensors[name]


def _add(name: str, tensor: Tensor, draft: Draft) -> None:
    draft.tensors[name] = tensor


# -- blocks ----------------------------------------------------------------------------------------

LAYER = "videomae.encoder.layer."


def _of_blocks(architecture: Architecture) -> Iterator[Mutation]:
    last = architecture.config["num_hidden_layers"] - 1
    yield Mutation("the last block missing", partial(_remove_block, last), "num_hidden_layers is")
    yield Mutation("two blocks exchanged", _exchange_blocks, "blocks.0.")
    for name, kind in (("tubelet order reversed", 2), ("rows of patches reversed", 3)):
        flip = partial(torch.flip, dims=(kind,))
        projection = "videomae.embeddings.patch_embeddings.projection.weight"
        yield Mutation(name, partial(_each, (projection,), flip), "patch_embed.proj.weight")


def _remove_block(number: int, draft: Draft) -> None:
    _drop(tuple(name for name in draft.tensors if name.startswith(f"{LAYER}{number}.")), draft)
    draft.config["num_hidden_layers"] = number


def _exchange_blocks(draft: Draft) -> None:
    for name in [name for name in draft.tensors if name.startswith(f"{LAYER}0.")]:
        _swap(name, name.replace(f"{LAYER}0.", f"{LAYER}1."), draft)


# -- whole files -----------------------------------------------------------------------------------


def _of_files(rows: list[Rename]) -> Iterator[Mutation]:
    first = rows[0]
    round16 = partial(_everywhere, lambda tensor: tensor.half().float())
    yield Mutation("rounded to float16", round16, "tensors differ")
    yield Mutation("stored in float16", partial(_everywhere, Tensor.half), "tensors differ")
    yield Mutation("stored in float64", partial(_everywhere, Tensor.double), "tensors differ")
    unused = partial(_add, "videomae.unused.weight", torch.ones(1))
    yield Mutation("an unused tensor added", unused, "videomae.unused.weight")
    for name, value in (("a NaN", float("nan")), ("an infinity", float("inf"))):
        put = partial(_put, first.targets[0], value)
        yield Mutation(f"{name} in {first.source}", put, first.source)
    cut = partial(_cut, 0.1)
    yield Mutation(
        "file cut short after its header", cut, "model.safetensors: not a readable safetensors file"
    )


def _everywhere(change: Callable[[Tensor], Tensor], draft: Draft) -> None:
    draft.tensors = {name: change(tensor) for name, tensor in draft.tensors.items()}


def _put(name: str, value: float, draft: Draft) -> None:
    draft.tensors[name] = draft.tensors[name].clone()
    draft.tensors[name].view(-1)[0] = value


def _cut(part: float, draft: Draft) -> None:
    draft.cut_at = part


# -- configs ---------------------------------------------------------------------------------------


def _of_config(architecture: Architecture) -> Iterator[Mutation]:
    config = architecture.config
    wrong: list[tuple[str, Any]] = [
        ("num_attention_heads", config["num_attention_heads"] * 2),
        ("num_attention_heads", 1),
        ("layer_norm_eps", 1e-3),
        ("layer_norm_eps", 1e-12),
        ("hidden_act", "gelu_new"),
        ("hidden_act", "relu"),
        ("use_mean_pooling", not config["use_mean_pooling"]),
        ("num_frames", config["num_frames"] * 2),
        ("image_size", config["image_size"] * 2),
        ("qv_bias", False),
        ("qkv_bias", False),
        ("tubelet_size", 1),
        ("attention_probs_dropout_prob", 0.1),
        ("dtype", "float16"),
        ("architectures", ["VideoMAEModel"]),
    ]
    for name, value in wrong:
        change = partial(_set_config, name, value)
        yield Mutation(f"{name}: {value}", change, f"{name} is {value!r}, should be")


def _set_config(name: str, value: Any, draft: Draft) -> None:
    draft.config[name] = value


def _of_processor() -> Iterator[Mutation]:
    wrong: list[tuple[str, Any]] = [
        ("image_mean", [0.5, 0.5, 0.5]),
        ("image_std", [0.5, 0.5, 0.5]),
        ("image_mean", [0.406, 0.456, 0.485]),
        ("do_normalize", False),
        ("do_rescale", False),
        ("size", {"shortest_edge": 16}),
        ("do_center_crop", False),
        ("resample", 3),
    ]
    for name, value in wrong:
        change = partial(_set_processor, name, value)
        yield Mutation(f"processor's {name}: {value}", change, f"{name} is {value!r}, should be")


def _set_processor(name: str, value: Any, draft: Draft) -> None:
    draft.processor[name] = value


# -- what loaders read beside what a conversion writes ---------------------------------------------


def strangers() -> Iterator[Mutation]:
    """Add files and keys to a right folder that make loaders do something else."""
    reversed_labels = json.dumps({"id2label": {"0": "b", "1": "a"}})
    lora = {"peft_type": "LORA", "base_model_name_or_path": "it", "target_modules": ["query"]}
    half = json.dumps({"image_mean": [0.5, 0.5, 0.5]})
    files: dict[str, str] = {
        "processor_config.json": json.dumps({"image_processor": json.loads(half)}),
        "video_preprocessor_config.json": half,
        "adapter_config.json": json.dumps(lora),
        "adapter_model.safetensors": "",
        "config.4.0.0.json": reversed_labels,
        "modeling_it.py": "raise SystemExit",
        "pytorch_model.bin": "",
        "model-00001-of-00001.safetensors": "",
        "model.safetensors.index.json": json.dumps({"weight_map": {}}),
        "generation_config.json": "{}",
        "tf_model.h5": "",
        "quantize_config.json": "{}",
        "onnx/model.onnx": "",
    }
    for name, text in files.items():
        add = partial(_put_beside, {name: text})
        yield Mutation(f"{name} beside", add, f"{name.partition('/')[0]} (")
    keys: dict[str, Any] = {
        "configuration_files": ["config.4.0.0.json"],
        "problem_type": "multi_label_classification",
        "pruned_heads": {"0": [1]},
        "auto_map": {"AutoConfig": "configuration_it.It"},
        "quantization_config": {"quant_method": "bitsandbytes", "load_in_8bit": True},
        "chunk_size_feed_forward": 1,
        "output_hidden_states": True,
        "attn_implementation": "eager",
        "num_labels": 3,
        "any_other": 1,
    }
    for name, value in keys.items():
        yield Mutation(f"config with {name}", partial(_set_config, name, value), f"{name} is")
    processors: dict[str, Any] = {
        "video_processor_type": "LlavaNextVideoVideoProcessor",
        "do_sample_frames": True,
        "num_frames": 4,
        "device": "cuda",
        "auto_map": {"AutoImageProcessor": "processing_it.It"},
        "do_pad": True,
        "default_to_square": True,
        "do_convert_rgb": False,
        "any_other": 1,
    }
    for name, value in processors.items():
        change = partial(_set_processor, name, value)
        yield Mutation(f"processor with {name}", change, f"{name} is")


def _put_beside(files: dict[str, str], draft: Draft) -> None:
    draft.beside |= files


# -- what only one kind of model has ---------------------------------------------------------------


def _of_classifiers(architecture: Architecture) -> Iterator[Mutation]:
    row = partial(_raise_row, "classifier.weight", 1)
    yield Mutation("one row of the head raised by 1e-3", row, "head.weight (by 0.001)")
    yield Mutation("labels shifted by one", partial(_relabel, lambda n: n[1:] + n[:1]), "id2label")
    yield Mutation("labels reversed", partial(_relabel, lambda names: names[::-1]), "id2label")
    if architecture.config["use_mean_pooling"]:
        yield Mutation("fc_norm under the final norm's name", _confuse_norms, "videomae.layernorm")


def _raise_row(name: str, row: int, draft: Draft) -> None:
    draft.tensors[name] = draft.tensors[name].clone()
    draft.tensors[name][row] += 1e-3


def _relabel(change: Callable[[list[str]], list[str]], draft: Draft) -> None:
    names = change(list(draft.config["id2label"].values()))
    draft.config["id2label"] = {str(number): name for number, name in enumerate(names)}
    draft.config["label2id"] = {name: number for number, name in enumerate(names)}


def _confuse_norms(draft: Draft) -> None:
    for part in ("weight", "bias"):
        draft.tensors[f"videomae.layernorm.{part}"] = draft.tensors.pop(f"fc_norm.{part}")


def _of_pretraining(architecture: Architecture) -> Iterator[Mutation]:
    heads = architecture.config["decoder_num_attention_heads"]
    for value in (heads * 2, 1):
        change = partial(_set_config, "decoder_num_attention_heads", value)
        hint = f"decoder_num_attention_heads is {value}"
        yield Mutation(f"decoder_num_attention_heads: {value}", change, hint)
    flip = partial(_set_config, "norm_pix_loss", not architecture.config["norm_pix_loss"])
    yield Mutation("norm_pix_loss flipped", flip, "norm_pix_loss is")
    transposed = partial(_each, ("encoder_to_decoder.weight",), torch.t)
    yield Mutation("encoder_to_decoder transposed", transposed, "encoder_to_decoder.weight")
    yield Mutation("decoder's norm left at its start", _reset_norm, "decoder.norm.weight")
    drop = partial(_drop, ("decoder.norm.weight", "decoder.norm.bias"))
    yield Mutation("decoder's norm missing", drop, "decoder.norm.weight")


def _reset_norm(draft: Draft) -> None:
    draft.tensors["decoder.norm.weight"] = torch.ones_like(draft.tensors["decoder.norm.weight"])
    draft.tensors["decoder.norm.bias"] = torch.zeros_like(draft.tensors["decoder.norm.bias"])
