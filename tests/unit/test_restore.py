"""`restore.py`: folders become the authors' files again, bit by bit, or nothing is written."""

import argparse
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import VideoMAEForPreTraining, VideoMAEForVideoClassification
from videomae.convert import checkpoint_writer, weight_mapping
from videomae.convert import model_folder as folders
from videomae.download.synthetic_recipes import Recipe
from videomae.model.architecture import Architecture, tensor_shapes
from videomae.model.networks import NETWORKS

from tests.conftest import DATA, GIVEN, Outcome, command, given
from tests.proof.test_reference import TRAINED, inputs, trained

Folders = dict[str, Path]
ATTENTION = "videomae.encoder.layer.{}.attention.attention."


def restore(folder: Path, file: Path) -> Outcome:
    return command("restore", folder, file)


def restored(folder: Path) -> Path:
    """The file restored from a folder, beside it."""
    file = folder.with_suffix(".pth")
    outcome = restore(folder, file)
    assert outcome.code == 0, outcome.output
    return file


def load(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = torch.load(path, weights_only=False)
    return content


def source(name: str, checkpoints: Folders) -> tuple[Path, list[str]]:
    """A checkpoint and the options that convert it."""
    if name in checkpoints:
        return checkpoints[name], given(name)
    config = trained(name)[1].config
    heads = [f"{key}={value}" for key, value in config.items() if key.endswith("attention_heads")]
    return DATA / f"trained/{name}.pth", ["--config", *heads]


def options_to_convert_again(outcome: Outcome) -> list[str]:
    """The options that the command says are needed."""
    (said,) = re.findall(r"to convert again, give (--config .*)$", outcome.output, re.MULTILINE)
    return str(said).split()


# -- the round trip --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [*TRAINED, *GIVEN])
def test_round_trip_gives_the_tensors_bit_by_bit_and_the_folder_byte_by_byte(
    name: str, checkpoints: Folders, tmp_path: Path
) -> None:
    path, options = source(name, checkpoints)
    assert command("convert", path, tmp_path / "there", *options).code == 0
    outcome = restore(tmp_path / "there", tmp_path / "back.pth")
    assert outcome.code == 0, outcome.output
    before, after = load(path), load(tmp_path / "back.pth")
    original = before.get("model") or before["module"]
    assert list(after["model"]) == list(original)
    assert all(weight_mapping.same_bits(after["model"][key], original[key]) for key in original)
    assert f"{len(load_file(tmp_path / 'there/model.safetensors'))} tensors equal those of" in (
        outcome.output
    )

    again = options_to_convert_again(outcome)
    assert command("convert", tmp_path / "back.pth", tmp_path / "again", *again).code == 0
    there, back = ((tmp_path / side / folders.WEIGHTS).read_bytes() for side in ("there", "again"))
    assert there == back or (name in GIVEN and same_but_for_the_order_of_metadata(there, back))
    for file in (folders.CONFIG, folders.PROCESSOR):
        assert read(tmp_path / "there" / file) == read(tmp_path / "again" / file)


def same_but_for_the_order_of_metadata(one: bytes, other: bytes) -> bool:
    """Compare two safetensors files; it writes entries of metadata in any order."""
    ends = [8 + int.from_bytes(file[:8], "little") for file in (one, other)]
    headers = [json.loads(file[8:end]) for file, end in zip((one, other), ends, strict=True)]
    return headers[0] == headers[1] and one[ends[0] :] == other[ends[1] :]


def read(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text())
    return content


@pytest.mark.parametrize("name", [*TRAINED, *GIVEN])
def test_restored_file_is_verified_against_the_folder(
    name: str, checkpoints: Folders, tmp_path: Path
) -> None:
    path, options = source(name, checkpoints)
    command("convert", path, tmp_path / "folder", *options)
    outcome = restore(tmp_path / "folder", tmp_path / "back.pth")
    again = options_to_convert_again(outcome)
    verified = command("verify", tmp_path / "back.pth", tmp_path / "folder", *again)
    assert verified.code == 0, verified.output


@pytest.mark.parametrize("name", TRAINED)
def test_args_say_what_the_authors_own_file_says(name: str, tmp_path: Path) -> None:
    path, options = source(name, {})
    command("convert", path, tmp_path / "folder", *options)
    args = load(restored(tmp_path / "folder"))["args"]
    assert isinstance(args, argparse.Namespace)
    theirs = vars(load(path)["args"])
    assert {key: theirs[key] for key in vars(args)} == vars(args)
    only = {"decoder_depth", "normlize_target"} if "pre" in name else {"nb_classes", "tubelet_size"}
    assert only | {"num_frames", "input_size"} <= vars(args).keys()


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_precision_is_the_folders(dtype: str, tmp_path: Path) -> None:
    path, options = source("v1-cls", {})
    command("convert", path, tmp_path / "folder", "--dtype", dtype, *options)
    state, original = load(restored(tmp_path / "folder"))["model"], load(path)["model"]
    rounded = {name: tensor.to(getattr(torch, dtype)) for name, tensor in original.items()}
    assert all(weight_mapping.same_bits(state[name], rounded[name]) for name in rounded)


def test_file_is_as_small_as_its_tensors_and_the_same_every_time(
    converted: Folders, tmp_path: Path
) -> None:
    first, second = tmp_path / "first.pth", tmp_path / "second.pth"
    restore(converted["tiny-pretraining"], first)
    restore(converted["tiny-pretraining"], second)
    assert first.read_bytes() == second.read_bytes()
    held = sum(tensor.nbytes for tensor in load(first)["model"].values())
    assert held < first.stat().st_size < 1.05 * held


def test_model_fine_tuned_with_transformers_computes_the_same_after_a_round_trip(
    converted: Folders, tmp_path: Path
) -> None:
    model = VideoMAEForVideoClassification.from_pretrained(converted["tiny-finetuned"])
    pixels, _ = inputs(trained("v1-finetuned")[1], 0)
    pixels = pixels[:, :4, :, :32, :32]
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    model(pixels, labels=torch.tensor([3])).loss.backward()
    optimizer.step()
    model.save_pretrained(tmp_path / "tuned")
    outcome = restore(tmp_path / "tuned", tmp_path / "tuned.pth")
    again = options_to_convert_again(outcome)
    assert command("convert", tmp_path / "tuned.pth", tmp_path / "again", *again).code == 0
    loaded = VideoMAEForVideoClassification.from_pretrained(tmp_path / "again")
    untouched = VideoMAEForVideoClassification.from_pretrained(converted["tiny-finetuned"])
    with torch.no_grad():
        logits = model.eval()(pixels).logits
        assert torch.equal(loaded.eval()(pixels).logits, logits)
        assert not torch.equal(untouched.eval()(pixels).logits, logits)


# -- folders as others save them -------------------------------------------------------------------


def keep(folder: Path, *but: str, **more: Tensor) -> dict[str, Tensor]:
    """Take the weights out of a folder, without those whose names end so."""
    tensors = load_file(folder / folders.WEIGHTS)
    (folder / folders.WEIGHTS).unlink()
    return {name: t for name, t in tensors.items() if not name.endswith(but)} | more


def _only_short_names(folder: Path) -> None:
    save_file(keep(folder, "query.bias", "value.bias"), folder / folders.WEIGHTS)


def _only_long_names(folder: Path) -> None:
    save_file(keep(folder, "q_bias", "v_bias"), folder / folders.WEIGHTS)


def _zeros_for_the_key(folder: Path) -> None:
    biases = {ATTENTION.format(layer) + "key.bias": torch.zeros(48) for layer in range(2)}
    save_file(keep(folder, "q_bias", "v_bias", **biases), folder / folders.WEIGHTS)


def _saved_by_transformers(folder: Path) -> None:
    model = VideoMAEForPreTraining.from_pretrained(folder)
    (folder / folders.WEIGHTS).unlink()
    model.save_pretrained(folder)


def _saved_in_shards(folder: Path) -> None:
    model = VideoMAEForPreTraining.from_pretrained(folder)
    (folder / folders.WEIGHTS).unlink()
    model.save_pretrained(folder, max_shard_size="100KB")
    assert len(list(folder.glob("model-*.safetensors"))) > 2


def _pickled(folder: Path) -> None:
    torch.save(keep(folder, "query.bias", "value.bias"), folder / "pytorch_model.bin")


def _pickled_in_shards(folder: Path) -> None:
    tensors, weight_map = keep(folder), {}
    for number, name in enumerate(tensors):
        shard = weight_map[name] = f"pytorch_model-{number % 3}.bin"
        torch.save({k: tensors[k] for k, s in weight_map.items() if s == shard}, folder / shard)
    index = {"metadata": {}, "weight_map": weight_map}
    (folder / "pytorch_model.bin.index.json").write_text(json.dumps(index))


def _with_the_trainers_files(folder: Path) -> None:
    for name in ("training_args.bin", "optimizer.pt", "pytorch_model.bin"):
        (folder / name).write_bytes(b"not read")


def edit_config(folder: Path, *without: str, **values: Any) -> None:
    path = folder / folders.CONFIG
    config = read(path) | values
    path.write_text(json.dumps({name: v for name, v in config.items() if name not in without}))


def _config_that_leaves_out_the_defaults(folder: Path) -> None:
    names = ("patch_size", "num_channels", "tubelet_size", "norm_pix_loss", "hidden_act")
    edit_config(folder, *names, "qv_bias", "qkv_bias")


def _config_of_releases_that_say_qkv_bias(folder: Path) -> None:
    edit_config(folder, "qv_bias")


@pytest.mark.parametrize(
    "save",
    [
        _only_short_names,
        _only_long_names,
        _zeros_for_the_key,
        _saved_by_transformers,
        _saved_in_shards,
        _pickled,
        _pickled_in_shards,
        _with_the_trainers_files,
        _config_that_leaves_out_the_defaults,
        _config_of_releases_that_say_qkv_bias,
    ],
)
def test_folder_as_others_save_it_gives_the_same_file_as_ours(
    save: Callable[[Path], object], converted: Folders, tmp_path: Path
) -> None:
    ours = tmp_path / "ours.pth"
    restore(converted["tiny-pretraining"], ours)
    folder = shutil.copytree(converted["tiny-pretraining"], tmp_path / "theirs")
    save(folder)
    assert restored(folder).read_bytes() == ours.read_bytes()


def test_network_without_query_and_value_biases_is_restored(
    checkpoints: Folders, tmp_path: Path
) -> None:
    path, options = source("tiny-finetuned", checkpoints)
    content = load(path)
    content["module"] = {
        name: tensor
        for name, tensor in content["module"].items()
        if not name.endswith(("q_bias", "v_bias"))
    }
    torch.save(content, tmp_path / "without.pth")
    command("convert", tmp_path / "without.pth", tmp_path / "folder", *options)
    assert list(load(restored(tmp_path / "folder"))["model"]) == list(content["module"])


# -- what is said ----------------------------------------------------------------------------------


def test_trained_key_biases_are_left_behind_aloud(converted: Folders, tmp_path: Path) -> None:
    """Some releases of transformers have and train them; the authors' network has none."""
    folder = shutil.copytree(converted["tiny-finetuned"], tmp_path / "folder")
    biases = {ATTENTION.format(layer) + "key.bias": torch.full((48,), -0.5) for layer in range(2)}
    save_file(keep(folder, "q_bias", "v_bias", **biases), folder / folders.WEIGHTS)
    outcome = restore(folder, tmp_path / "out.pth")
    assert "left behind: 2 biases of the key (up to 0.5)" in outcome.output
    assert "left behind" not in restore(converted["tiny-finetuned"], tmp_path / "o.pth").output


def test_bias_of_the_key_changes_nothing() -> None:
    query, key, value, bias = torch.randn(4, 3, 10, 16, generator=torch.Generator().manual_seed(0))
    attention = torch.nn.functional.scaled_dot_product_attention
    expected = attention(query, key, value)
    torch.testing.assert_close(attention(query, key + bias[:, :1], value), expected)


def test_other_heads_of_a_folder_are_kept_through_what_is_printed(
    converted: Folders, tmp_path: Path
) -> None:
    folder = shutil.copytree(converted["tiny-finetuned"], tmp_path / "folder")
    edit_config(folder, num_attention_heads=16)
    outcome = restore(folder, tmp_path / "out.pth")
    assert "num_attention_heads: 16 (config.json)" in outcome.output
    again = options_to_convert_again(outcome)
    assert again == ["--config", "num_attention_heads=16"]
    command("convert", tmp_path / "out.pth", tmp_path / "again", *again)
    assert read(tmp_path / "again/config.json")["num_attention_heads"] == 16


def small_folder(folder: Path, heads: int) -> Path:
    """A folder of the authors' small network in half precision, all zeros."""
    architecture = Recipe(NETWORKS["small"], 7).architecture
    config = architecture.config | {"num_attention_heads": heads}
    tensors = {
        name: torch.zeros(shape, dtype=torch.float16)
        for name, shape in tensor_shapes(architecture).items()
    }
    folder.mkdir()
    save_file(
        {name: t.clone() for name, t in weight_mapping.convert(tensors, architecture).items()},
        folder / folders.WEIGHTS,
    )
    content = config | {"architectures": ["VideoMAEForVideoClassification"]}
    labels = {"id2label": {str(n): f"LABEL_{n}" for n in range(7)}}
    (folder / folders.CONFIG).write_text(json.dumps(content | labels))
    return folder


def test_small_network_with_its_own_heads_needs_nothing_to_be_converted_again(
    tmp_path: Path,
) -> None:
    outcome = restore(small_folder(tmp_path / "small", 6), tmp_path / "out.pth")
    assert outcome.code == 0, outcome.output
    assert load(tmp_path / "out.pth")["args"].model == "vit_small_patch16_224"
    assert "--config" not in outcome.output
    assert command("convert", tmp_path / "out.pth", tmp_path / "again").code == 0


def test_small_network_with_16_heads_is_told_that_the_file_will_be_taken_for_6(
    tmp_path: Path,
) -> None:
    outcome = restore(small_folder(tmp_path / "small", 16), tmp_path / "out.pth")
    assert outcome.code == 0, outcome.output
    assert "the file can't store num_attention_heads=16 and looks like" in outcome.output
    assert "6 (the authors' small network)" in outcome.output
    assert not hasattr(load(tmp_path / "out.pth")["args"], "model")


def test_other_eps_than_the_authors_is_pointed_out(converted: Folders, tmp_path: Path) -> None:
    folder = shutil.copytree(converted["tiny-finetuned"], tmp_path / "folder")
    assert "layer_norm_eps" not in restore(folder, tmp_path / "out.pth").output
    edit_config(folder, layer_norm_eps=1e-12)
    message = "layer_norm_eps is 1e-12, but the authors' is 1e-06"
    assert message in restore(folder, tmp_path / "again.pth").output


def test_synthetic_weights_stay_marked_and_others_unmarked(
    converted: Folders, tmp_path: Path
) -> None:
    restore(converted["tiny-finetuned"], tmp_path / "marked.pth")
    assert "never trained" in load(tmp_path / "marked.pth")["synthetic"]
    path, options = source("v1-cls", {})
    command("convert", path, tmp_path / "folder", *options)
    assert load(restored(tmp_path / "folder")).keys() == {"model", "args"}


# -- the factory's name ----------------------------------------------------------------------------

FACTORIES = {
    ("small", 7): "vit_small_patch16_224",
    ("giant", 7): "vit_giant_patch14_224",
    ("base", None): "pretrain_videomae_base_patch16_224",
    ("huge", None): "pretrain_videomae_huge_patch16_224",
}


def network(size: str, labels: int | None, **changes: Any) -> Architecture:
    architecture = Recipe(NETWORKS[size], labels).architecture
    architecture.config.update(norm_pix_loss=True, **changes)
    return architecture


@pytest.mark.parametrize(("which", "name"), FACTORIES.items())
def test_networks_of_the_authors_are_named(which: tuple[str, int | None], name: str) -> None:
    changes: dict[str, Any] = {
        "num_frames": 32,
        "decoder_num_hidden_layers": 2,
    }  # options of their own
    assert checkpoint_writer.options(network(*which, **changes))["model"] == name


@pytest.mark.parametrize(
    ("labels", "change"),
    [
        (7, {"num_attention_heads": 16}),
        (7, {"num_hidden_layers": 11}),
        (7, {"hidden_size": 768}),
        (7, {"intermediate_size": 384}),
        (7, {"image_size": 112}),
        (7, {"qv_bias": False}),
        (None, {"decoder_num_attention_heads": 6}),
        (None, {"decoder_hidden_size": 384}),
        (None, {"decoder_intermediate_size": 384}),
    ],
)
def test_network_that_no_factory_builds_is_not_named(
    labels: int | None, change: dict[str, Any]
) -> None:
    assert "model" not in checkpoint_writer.options(network("small", labels, **change))


# -- refusals --------------------------------------------------------------------------------------

Edit = Callable[[dict[str, Tensor]], object]
BIAS = ATTENTION.format(1) + "key.bias"


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (
            lambda t: t.update({BIAS: torch.full((48,), torch.nan)}),
            f"NaN or infinite values in {BIAS}",
        ),
        (lambda t: t.pop("fc_norm.bias"), "lacks tensors: fc_norm.bias"),
        (
            lambda t: [t.pop(ATTENTION.format(1) + name) for name in ("v_bias", "value.bias")],
            "lacks tensors: videomae.encoder.layer.1.attention.attention.v_bias",
        ),
        (lambda t: t.update({"extra.weight": torch.ones(2)}), "unexpected tensors: extra.weight"),
        (
            lambda t: t[ATTENTION.format(0) + "q_bias"].add_(1e-3),
            "query.bias differ, but must be equal",
        ),
        (
            lambda t: t.update({ATTENTION.format(0) + "key.weight": torch.ones(48, 47)}),
            "key.weight has shape [48, 47], but by config.json it should have [48, 48]",
        ),
        (
            lambda t: t.update({ATTENTION.format(0) + "key.weight": torch.ones(48, 48).half()}),
            "tensors changed in the file: videomae.encoder.layer.0.attention.attention.key.weight",
        ),
        (lambda t: t.update({"fc_norm.bias": torch.ones(48, dtype=torch.int64)}), "torch.int64"),
        (lambda t: t["classifier.weight"][2].fill_(torch.inf), "head.weight (48 values)"),
    ],
)
def test_wrong_tensors_are_refused_by_name(
    edit: Edit, message: str, converted: Folders, tmp_path: Path
) -> None:
    folder = shutil.copytree(converted["tiny-finetuned"], tmp_path / "folder")
    tensors = keep(folder)
    edit(tensors)
    save_file(tensors, folder / folders.WEIGHTS)
    assert_refused(folder, message)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"architectures": ["VideoMAEModel"]}, "unexpected tensors: classifier."),
        ({"architectures": None}, "architectures is None"),
        ({"hidden_act": "relu"}, "hidden_act is relu, but must be gelu"),
        ({"qkv_bias": False}, "qv_bias and qkv_bias mean the same, but have different values"),
        ({"num_attention_heads": 5}, "num_attention_heads is 5, which does not divide"),
        ({"num_attention_heads": 0}, "num_attention_heads is 0, but must be one int above 0"),
        ({"image_size": [32, 32]}, "image_size is [32, 32], but must be one int"),
        ({"image_size": 40}, "image_size is 40, not a multiple of patch_size 16"),
        ({"hidden_size": "wide"}, "VideoMAEConfig refuses the file"),
        ({"num_labels": 10**9}, "num_labels is 1000000000, but at most 100,000"),
        ({"num_hidden_layers": 10**9}, "has 1000000000 layers for only 40 tensors"),
        ({"intermediate_size": 2**70}, "has sizes that no tensor can have"),
        ({"num_hidden_layers": 3}, "lacks tensors: videomae.encoder.layer.2."),
        ({"num_hidden_layers": 1}, "unexpected tensors: videomae.encoder.layer.1."),
        ({"id2label": {"0": "a"}, "label2id": {"a": 0}}, "tensor classifier.weight has shape [7,"),
        ({"use_mean_pooling": False}, "unexpected tensors: fc_norm."),
        ({"qv_bias": False, "qkv_bias": False}, "unexpected tensors"),
    ],
)
def test_config_of_another_network_is_refused(
    change: dict[str, Any], message: str, converted: Folders, tmp_path: Path
) -> None:
    folder = shutil.copytree(converted["tiny-finetuned"], tmp_path / "folder")
    edit_config(folder, **change)
    assert_refused(folder, message)


def test_pretraining_without_its_last_norm_is_refused(converted: Folders, tmp_path: Path) -> None:
    """With mean pooling, transformers passes over the norm that the authors' encoder ends with."""
    folder = shutil.copytree(converted["tiny-pretraining"], tmp_path / "folder")
    edit_config(folder, use_mean_pooling=True)
    assert_refused(folder, "config.json and the tensors disagree on use_mean_pooling")


def _no_weights(folder: Path) -> None:
    (folder / folders.WEIGHTS).unlink()


def _cut_short(folder: Path) -> None:
    whole = (folder / folders.WEIGHTS).read_bytes()
    (folder / folders.WEIGHTS).write_bytes(whole[:-100])


def _a_shard_missing(folder: Path) -> None:
    _saved_in_shards(folder)
    sorted(folder.glob("model-*.safetensors"))[1].unlink()


def _a_shard_twice(folder: Path) -> None:
    _saved_in_shards(folder)
    first, second = sorted(folder.glob("model-*.safetensors"))[:2]
    shutil.copy(first, second)


def _index_without_a_map(folder: Path) -> None:
    _no_weights(folder)
    (folder / "model.safetensors.index.json").write_text("{}")


class Hostile:
    def __reduce__(self) -> tuple[Callable[..., object], tuple[str]]:
        return exec, ("raise SystemExit('it ran')",)


def _hostile_pickle(folder: Path) -> None:
    torch.save(keep(folder) | {"x": Hostile()}, folder / "pytorch_model.bin")


def _a_list(folder: Path) -> None:
    torch.save(list(keep(folder).values()), folder / "pytorch_model.bin")


def _a_number(folder: Path) -> None:
    torch.save(keep(folder) | {"mask_token": 3}, folder / "pytorch_model.bin")


def _no_config(folder: Path) -> None:
    (folder / folders.CONFIG).unlink()


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (_no_weights, "no weights: neither model.safetensors nor pytorch_model.bin"),
        (_cut_short, "model.safetensors: not a readable safetensors file"),
        (_a_shard_missing, "model-00002-of-0"),
        (_a_shard_twice, "is also in an earlier shard"),
        (_index_without_a_map, "model.safetensors.index.json has no weight_map"),
        (_hostile_pickle, "pytorch_model.bin: refused: the file's pickle calls"),
        (_a_list, "pytorch_model.bin: the file must hold a state dict, not list"),
        (_a_number, "pytorch_model.bin: entry 'mask_token' of the state dict is not a tensor"),
        (_no_config, "config.json: No such file"),
    ],
)
def test_folder_that_is_not_whole_is_refused(
    edit: Callable[[Path], object], message: str, converted: Folders, tmp_path: Path
) -> None:
    folder = shutil.copytree(converted["tiny-pretraining"], tmp_path / "folder")
    edit(folder)
    assert_refused(folder, message)


def assert_refused(folder: Path, message: str) -> None:
    """One message, exit code 1, and an earlier file as it was with nothing beside it."""
    file = folder.with_name("out.pth")
    file.write_bytes(b"years of work")
    before = sorted(path.name for path in folder.parent.iterdir())
    outcome = command("restore", folder, file, "--overwrite")
    assert outcome.code == 1
    assert message in outcome.output
    assert outcome.output.count(f"error: {folder}") == 1
    assert "Traceback" not in outcome.output
    assert file.read_bytes() == b"years of work"
    assert sorted(path.name for path in folder.parent.iterdir()) == before


def test_file_that_reads_back_differently_does_not_appear(
    converted: Folders, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save = torch.save

    def spoil(content: dict[str, Any], file: Any) -> None:
        content["model"]["head.bias"] = content["model"]["head.bias"] + 1e-3
        save(content, file)

    monkeypatch.setattr(torch, "save", spoil)
    folder = shutil.copytree(converted["tiny-finetuned"], tmp_path / "folder")
    assert_refused(folder, "tensors changed in the file: classifier.bias")


def test_folder_in_the_files_place_is_left_alone(converted: Folders, tmp_path: Path) -> None:
    (tmp_path / "out.pth").mkdir()
    (tmp_path / "out.pth/thesis.tex").write_text("years of work")
    outcome = restore(converted["tiny-finetuned"], tmp_path / "out.pth")
    assert outcome.code == 1
    assert "out.pth is a folder; give the name of a file" in outcome.output
    assert (tmp_path / "out.pth/thesis.tex").read_text() == "years of work"


def test_file_that_is_there_is_replaced_only_when_that_is_asked_for(
    converted: Folders, tmp_path: Path
) -> None:
    (tmp_path / "out.pth").write_text("weeks of training")
    refused = restore(converted["tiny-finetuned"], tmp_path / "out.pth")
    assert refused.code == 1
    assert f"{tmp_path / 'out.pth'} exists; give --overwrite to replace it" in refused.output
    assert (tmp_path / "out.pth").read_text() == "weeks of training"
    asked = (converted["tiny-finetuned"], tmp_path / "out.pth", "--overwrite")
    assert command("restore", *asked).code == 0
    assert load(tmp_path / "out.pth")["args"].nb_classes == 7
    assert [path.name for path in tmp_path.iterdir()] == ["out.pth"]


def test_link_that_leads_nowhere_is_something_too(converted: Folders, tmp_path: Path) -> None:
    (tmp_path / "out.pth").symlink_to("/unplugged/disk.pth")
    refused = restore(converted["tiny-finetuned"], tmp_path / "out.pth")
    assert "exists; give --overwrite" in refused.output
    assert (tmp_path / "out.pth").is_symlink()
