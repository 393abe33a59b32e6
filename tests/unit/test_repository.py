"""Hub repositories with config.json beside the weights, as VideoMAE V2's authors publish them."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file, save_file
from videomae.checkpoint import safetensors_file
from videomae.download import sources
from videomae.errors import ConversionError
from videomae.recognition import training_options

from tests.conftest import CLI, DATA, Outcome, Workflow, command, jobs, process
from tests.standins.hub import HubStandIn

MADE = DATA / "relatives/hf-videomaev2"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of a repository that may be changed."""
    return Path(shutil.copytree(MADE, tmp_path / "V2-Base"))


def change(folder: Path, **values: Any) -> None:
    """Change what config.json says of the network."""
    config = json.loads((folder / "config.json").read_text())
    config["model_config"] |= values
    (folder / "config.json").write_text(json.dumps(config))


def split(folder: Path, number: int = 2) -> dict[str, str]:
    """Replace the weights by shards, and return the file of each tensor."""
    tensors = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    files = [f"model-{part + 1:05}-of-{number:05}.safetensors" for part in range(number)]
    names = {name: files[place % number] for place, name in enumerate(tensors)}
    for file in files:
        save_file({n: tensors[n] for n in tensors if names[n] == file}, folder / file)
    write_index(folder, names)
    return names


def write_index(folder: Path, weight_map: Any) -> None:
    content = json.dumps({"metadata": {}, "weight_map": weight_map})
    (folder / "model.safetensors.index.json").write_text(content)


def convert(folder: Path, *options: object) -> Outcome:
    return command("convert", folder, folder.parent / "out", *options)


def refused(folder: Path) -> str:
    """Convert, which must fail with one line; return that."""
    outcome = convert(folder)
    assert outcome.code == 1, outcome.output
    assert not (folder.parent / "out").exists()
    (line,) = [one for one in outcome.output.splitlines() if one.startswith("error: ")]
    return line


def test_values_come_from_the_config_beside_the_weights(folder: Path) -> None:
    outcome = convert(folder)
    assert outcome.code == 0, outcome.output
    for value in ("num_attention_heads: 3", "num_frames: 8", "image_size: 64"):
        assert f"{value} (config.json of the repository, model_config." in outcome.output
    config = json.loads((folder.parent / "out/config.json").read_text())
    assert (config["num_attention_heads"], config["num_frames"], config["image_size"]) == (3, 8, 64)


def test_keys_may_be_at_the_top_of_the_config(folder: Path) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text())["model_config"]))
    outcome = convert(folder)
    assert outcome.code == 0, outcome.output
    assert "num_attention_heads: 3 (config.json of the repository, num_heads)" in outcome.output


def test_shards_give_the_same_folder(folder: Path, tmp_path: Path) -> None:
    assert convert(folder).code == 0
    whole = (tmp_path / "out/model.safetensors").read_bytes()
    split(folder)
    outcome = convert(folder, "--overwrite")
    assert outcome.code == 0, outcome.output
    assert (tmp_path / "out/model.safetensors").read_bytes() == whole


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {"cos_attn": True},
            "config.json of the repository, model_config.cos_attn is True: the network is one with "
            "cosine attention",
        ),
        ({"depth": 3}, "num_hidden_layers has two values: 2 (tensor blocks.*) and 3 (config.json"),
        ({"tubelet_size": 4}, "tubelet_size has two values"),
        ({"mlp_ratio": 3}, "makes the MLP 144 wide, but the tensors have 192"),
        ({"num_heads": "three"}, "model_config.num_heads is 'three'"),
        ({"qk_scale": 0.5}, "another attention scale"),
    ],
)
def test_config_of_another_network_is_refused(
    values: dict[str, Any], message: str, folder: Path
) -> None:
    change(folder, **values)
    assert message in refused(folder)


def test_ratio_of_the_giant_network_may_be_written_in_decimals() -> None:
    config = {"hidden_size": 1408, "intermediate_size": 6144}
    for ratio in (48 / 11, 4.363636, 4.3637):
        training_options.check({"mlp_ratio": ratio}, config, None)
    with pytest.raises(ConversionError, match="makes the MLP 5632 wide"):
        training_options.check({"mlp_ratio": 4}, config, None)


def test_given_value_must_agree_with_the_config(folder: Path) -> None:
    outcome = convert(folder, "--config", "num_attention_heads=4")
    assert outcome.code == 1
    assert "num_attention_heads has two values: 3 (config.json of the reposito" in outcome.output


@pytest.mark.parametrize(
    ("text", "message"),
    [("{", "config.json: not valid JSON"), ("[]", "config.json: the file must hold a JSON object")],
)
def test_broken_config_is_refused(text: str, message: str, folder: Path) -> None:
    (folder / "config.json").write_text(text)
    assert message in refused(folder)


@pytest.mark.parametrize("place", ["../other.safetensors", "a/b.safetensors", "model.bin", 3])
def test_index_names_only_files_beside_it(place: Any, folder: Path) -> None:
    names = split(folder)
    write_index(folder, names | {"model.fc_norm.bias": place})
    assert "which is not a .safetensors file beside it" in refused(folder)


def test_missing_shard_is_named(folder: Path) -> None:
    split(folder)
    (folder / "model-00002-of-00002.safetensors").unlink()
    assert "1 of 2 files that model.safetensors.index.json names are missing" in refused(folder)


def test_tensor_that_no_shard_has_is_named(folder: Path) -> None:
    names = split(folder)
    write_index(folder, names | {"model.head.weight": "model-00001-of-00002.safetensors"})
    assert "names 1 tensors that its files lack: model.head.weight" in refused(folder)


def test_tensor_in_two_shards_is_refused(folder: Path) -> None:
    split(folder)
    first, second = sorted(folder.glob("model-*.safetensors"))
    save_file(load_file(first) | load_file(second), second)
    assert "is in two files of" in refused(folder)


def test_folder_without_config_is_refused(folder: Path) -> None:
    (folder / "config.json").unlink()
    assert "not both config.json and model.safetensors of a hub repository" in refused(folder)


def test_verification_records_every_file(folder: Path, tmp_path: Path) -> None:
    assert convert(folder).code == 0
    report = tmp_path / "report.json"
    outcome = command("verify", folder, tmp_path / "out", "--report", report)
    assert outcome.code == 0, outcome.output
    made = json.loads(report.read_text())["checkpoint"]
    assert list(made["files"]) == ["config.json", "model.safetensors"]
    change(folder, drop_rate=0.1)
    assert command("verify", folder, tmp_path / "out", "--report", report).code == 0
    assert json.loads(report.read_text())["checkpoint"]["sha256"] != made["sha256"]


def test_folder_becomes_one_file_that_converts_alike(folder: Path, tmp_path: Path) -> None:
    packed, receipt = tmp_path / "one.pth", tmp_path / "receipt.json"
    outcome = command("fetch", folder, packed, "--checkpoint", "--receipt", receipt)
    assert outcome.code == 0, outcome.output
    files = json.loads(safetensors_file.metadata(packed)["files"])
    assert list(files) == ["config.json", "model.safetensors"]
    assert json.loads(receipt.read_text())["ctime_ns"] == packed.stat().st_ctime_ns
    assert convert(folder).code == 0
    outcome = command("convert", packed, tmp_path / "other")
    assert outcome.code == 0, outcome.output
    for file in (tmp_path / "out").iterdir():
        assert (tmp_path / "other" / file.name).read_bytes() == file.read_bytes()


def test_weights_that_are_not_finite_are_named(folder: Path, tmp_path: Path) -> None:
    tensors = load_file(folder / "model.safetensors")
    tensors["model.fc_norm.bias"][0] = float("nan")
    save_file(tensors, folder / "model.safetensors")
    outcome = command("fetch", folder, tmp_path / "one.pth")
    assert outcome.code == 1
    assert "NaN or infinite values in model.fc_norm.bias (1 values)" in outcome.output
    assert not (tmp_path / "one.pth").exists()


def test_inspect_proposes_the_folder(folder: Path) -> None:
    outcome = command("inspect", folder)
    assert outcome.code == 0, outcome.output
    assert f"  V2-Base:\n    checkpoint: {folder}\n" in outcome.output


def test_addresses_on_the_hub() -> None:
    assert sources.parse("hub:OpenGVLab/VideoMAEv2-Base@refs/pr/1").kind == "hub"
    for text in ("hub:datasets/clips", "hub:OpenGVLab", "hub:OpenGVLab/.."):
        with pytest.raises(ConversionError, match="is not a source"):
            sources.parse(text)


@pytest.mark.full
@pytest.mark.parametrize("shards", [False, True])
def test_repository_on_the_hub_becomes_one_file(
    shards: bool, folder: Path, tmp_path: Path, home: dict[str, str]
) -> None:
    if shards:
        split(folder)
    (folder / "modeling_videomaev2.py").write_text("raise SystemExit\n")
    with HubStandIn(tokens={}) as hub:
        for file in folder.iterdir():
            hub.add_file("model", "lab/V2-Base", file.name, file.read_bytes())
        client = {"HF_ENDPOINT": hub.endpoint, "HF_HUB_DISABLE_XET": "1", "HF_TOKEN": ""}
        out = tmp_path / "one.pth"
        outcome = process(*CLI, "fetch", "hub:lab/V2-Base", out, environment=home | client)
        assert outcome.code == 0, outcome.output
        hub.add_file("model", "lab/other", "config.json", b"{}")
        other = process(*CLI, "fetch", "hub:lab/other", tmp_path / "x", environment=home | client)
    assert command("convert", out, tmp_path / "out").code == 0
    assert other.code == 1
    assert "lab/other on the hub has not both config.json and model.safetensors" in other.output


@pytest.mark.full
def test_changed_file_of_a_folder_runs_its_variant_again(
    workflow: Workflow, folder: Path, tmp_path: Path
) -> None:
    workflow.configure({"own": {"checkpoint": str(folder)}})
    outcome = workflow.run()
    assert outcome.code == 0, outcome.output
    assert json.loads((workflow.results / "checkpoints/own.json").read_text())["bytes"] > 500_000
    assert jobs(workflow.run()) == []
    # A file with an older time, which Snakemake does not notice.
    older = tmp_path / "older.json"
    shutil.copy2(folder / "config.json", older)
    shutil.move(older, folder / "config.json")
    change(folder, num_heads=4)
    again = workflow.run()
    assert again.code == 0, again.output
    assert {"link own", "convert own", "verify own"} <= set(jobs(again))
    config = json.loads((workflow.results / "models/own/config.json").read_text())
    assert config["num_attention_heads"] == 4
