"""describe.py: whatever a file is, it is shown; and it says what convert.py would do with it."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from safetensors.torch import save_file
from videomae.config import settings
from videomae.errors import ConversionError
from videomae.model.datasets import DATA_SETS, data_set, trained_on
from videomae.model.labels import read_labels

from tests.conftest import CLI, DATA, GIVEN, ROOT, Outcome, command, process

TRAINED = {
    "v1-finetuned": {"num_attention_heads": 3},
    "v1-pretrained": {"num_attention_heads": 3, "decoder_num_attention_heads": 3},
    "v1-cls": {"num_attention_heads": 4},
    "v2-finetuned": {"num_attention_heads": 4},
}
OURS = {f"{name}.pth": values for name, values in (TRAINED | GIVEN).items()}


def describe(*arguments: object) -> Outcome:
    return command("inspect", *arguments)


def described(*arguments: object) -> list[dict[str, Any]]:
    """What ``--json`` says."""
    content: list[dict[str, Any]] = json.loads(
        describe(*arguments, "--json").output, parse_constant=pytest.fail
    )
    return content


def options(values: dict[str, Any]) -> list[str]:
    return ["--config", *(f"{name}={value}" for name, value in values.items())]


def entry(outcome: Outcome) -> dict[str, Any]:
    """What a person pastes into config.yaml: from ``variants:`` on."""
    pasted: dict[str, Any] = yaml.safe_load(outcome.output[outcome.output.index("variants:") :])
    return pasted


def read(config: dict[str, Any]) -> settings.Settings:
    shipped = [path.stem for path in (ROOT / "scripts/videomae/model/label_lists").iterdir()]
    return settings.read(config, shipped)


def finetuned() -> dict[str, Any]:
    """All that is in the file of a classifier."""
    content: dict[str, Any] = torch.load(DATA / "trained/v1-finetuned.pth", weights_only=False)
    return content


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "file.pth"


@pytest.fixture(params=OURS)
def ours(request: pytest.FixtureRequest, checkpoints: dict[str, Path]) -> tuple[Path, list[str]]:
    """A checkpoint of the authors' scripts or of a recipe, and what has to be given with it."""
    name = Path(request.param).stem
    return checkpoints.get(name, DATA / f"trained/{name}.pth"), options(OURS[request.param])


# -- the same as convert.py says -------------------------------------------------------------------


def test_values_and_origins_are_those_that_convert_finds(
    ours: tuple[Path, list[str]], tmp_path: Path
) -> None:
    path, config = ours
    outcome, converted = (
        describe(path, *config),
        command("convert", path, tmp_path / "out", *config),
    )
    assert (outcome.code, converted.code) == (0, 0), outcome.output
    shown = {line.strip() for line in outcome.output.splitlines()}
    found = converted.output.splitlines()[1:-1]
    assert {line for line in found if not re.search("LABEL_0|^writing ", line)} <= shown
    assert "can be converted" in shown


def test_entry_is_one_that_config_yaml_takes(ours: tuple[Path, list[str]]) -> None:
    path, config = ours
    (variant,) = read(entry(describe(path, *config))).variants.values()
    assert variant.existing_file == [str(path)]
    assert variant.options == ["--dtype=float32", "--config", *sorted(config[1:])]
    assert entry(describe(path, *config))["variants"] == described(path, *config)[0]["entry"]


def test_without_heads_the_rest_is_shown_and_the_entry_asks_for_them(
    ours: tuple[Path, list[str]], tmp_path: Path
) -> None:
    path, config = ours
    outcome, converted = describe(path), command("convert", path, tmp_path / "out")
    reason = converted.output[converted.output.index(f"error: {path}: ") :]
    assert outcome.code == 1
    assert f"can't be converted yet: {reason.removeprefix(f'error: {path}: ')}" in outcome.output
    assert "  hidden_size: " in outcome.output
    (variant,) = entry(outcome)["variants"].values()
    (said,) = described(path)
    needed = {option.partition("=")[0] for option in config[1:]}
    assert variant["config"] == dict.fromkeys(said["missing"], "?")
    assert set(said["missing"]) == needed
    with pytest.raises(ConversionError, match=r"config\.\w+: '\?' is not"):
        read(entry(outcome))


# -- what is in the file ---------------------------------------------------------------------------


def test_training_state_and_the_other_weights_are_told() -> None:
    path, config = DATA / "trained/v1-finetuned.pth", options(TRAINED["v1-finetuned"])
    content = finetuned()
    size = sum(
        tensor.nbytes
        for state in content["optimizer"]["state"].values()
        for tensor in state.values()
        if isinstance(tensor, torch.Tensor)
    )
    (said,) = described(path, *config)
    assert (said["container"], said["others"]) == ("model", ["model_ema"])
    assert said["progress"] == {"epoch": 24}
    assert said["optimizer_bytes"] == size > 0
    assert said["dtypes"] == {"float32": said["tensors"]} == {"float32": len(content["model"])}
    assert said["values"] == sum(tensor.numel() for tensor in content["model"].values())
    (averaged,) = described(path, *config, "--weights", "model_ema")
    assert (averaged["container"], averaged["others"]) == ("model_ema", ["model"])
    assert averaged["entry"]["v1-finetuned"]["weights"] == "model_ema"
    assert f"optimizer: {size:,} bytes" in describe(path).output


def test_epoch_may_be_a_word_or_of_a_class_that_is_not_read(path: Path) -> None:
    assert "  epoch: best\n" in describe(DATA / "trained/v1-cls.pth").output
    torch.save(finetuned() | {"epoch": Path("x"), "global_step": float("nan")}, path)
    assert re.search(r"  epoch: \(a pathlib\.\S*Path\)\n", describe(path).output)
    assert described(path)[0]["progress"]["global_step"] == "nan"


def test_prefix_container_and_dtypes_are_told(path: Path) -> None:
    state = {f"module.{name}": tensor for name, tensor in finetuned()["model"].items()}
    state["module.head.weight"] = state["module.head.weight"].half()
    torch.save({"state_dict": state, "global_step": 7}, path)
    outcome = describe(path, *options({"num_attention_heads": 3}))
    assert "  state dict: state_dict, 32 tensors\n" in outcome.output
    assert "  renamed: module." in outcome.output
    assert "float32 (31 tensors), float16 (1 tensors)" in outcome.output
    assert "  global_step: 7\n" in outcome.output


def test_safetensors_and_a_deepspeed_folder_are_described(path: Path, tmp_path: Path) -> None:
    save_file(finetuned()["model"], path)
    folder = tmp_path / "run.1"
    folder.mkdir()
    file = folder / "mp_rank_00_model_states.pt"
    torch.save({"module": finetuned()["model"]}, file)
    one, other = described(path, folder)
    assert (one["container"], other["container"]) == ("the file itself", "module")
    (pasted,) = other["entry"].values()
    assert pasted["checkpoint"] == str(file)


# -- what can't be converted -----------------------------------------------------------------------


def test_nan_is_named_and_everything_else_is_shown(path: Path) -> None:
    content = finetuned()
    content["model"]["head.bias"][:2] = float("nan")
    torch.save(content, path)
    outcome = describe(path, *options({"num_attention_heads": 3}))
    assert outcome.code == 1
    assert (
        "can't be converted: weights are not finite: NaN or infinite values in head.bias (2 values)"
        in (outcome.output)
    )
    assert "variants:" not in outcome.output
    assert "num_attention_heads: 3 (given)" in outcome.output
    assert described(path)[0]["not_finite"] == {"head.bias": 2}


def test_every_reason_is_given(path: Path) -> None:
    content = finetuned()
    content["model"]["head.bias"][0] = float("inf")
    content["model"]["extra"] = torch.ones(1)
    torch.save(content, path)
    (said,) = described(path)
    told = ["num_attention_heads can't be read", "1 of 33 tensors have no place", "not finite"]
    assert len(said["reasons"]) == len(told)
    for reason, what in zip(said["reasons"], told, strict=True):
        assert what in reason
    assert said["entry"] is None
    assert "converted yet" not in describe(path).output


def test_entries_that_are_no_weights_are_reasons_and_the_others_are_described(path: Path) -> None:
    content = finetuned()
    content["model"] |= {"classes": torch.tensor(3), "note": "x"}
    torch.save(content, path)
    reason = "tensor classes is torch.int64, not a float up to 32 bits"
    outcome = describe(path)
    assert f"can't be converted: {reason}\n" in outcome.output
    assert "state dict: model, 32 tensors" in outcome.output
    refused = command("convert", path, path.with_name("out"), *options({"num_attention_heads": 3}))
    assert (
        f"error: {path}: {reason}, entry 'note' of the state dict is not a tensor" in refused.output
    )


def test_contradiction_and_another_network_are_reasons(path: Path) -> None:
    outcome = describe(DATA / "trained/v1-cls.pth", *options({"num_frames": 16}))
    assert "num_frames has two values: 8 (args" in outcome.output
    assert "  epoch: best\n" in outcome.output
    torch.save({"model": {"conv.weight": torch.ones(2)}}, path)
    outcome = describe(path)
    assert outcome.code == 1
    assert "can't be converted: the tensors are not a VideoMAE" in outcome.output
    assert "state dict: model, 1 tensors" in outcome.output


def test_fault_of_one_file_does_not_hide_the_others(path: Path, tmp_path: Path) -> None:
    path.write_text("<html>quota exceeded</html>")
    whole = DATA / "trained/v1-cls.pth"
    files = (tmp_path / "none.pth", path, whole)
    outcome = describe(*files, *options({"num_attention_heads": 4}))
    assert outcome.code == 1
    assert f"{files[0]}: can't be converted: No such file or directory\n" in outcome.output
    assert f"{path}: can't be converted: not a PyTorch checkpoint but a web page" in outcome.output
    assert entry(outcome)["variants"].keys() == {"v1-cls"}
    said = described(*files, *options({"num_attention_heads": 4}))
    assert [one["convertible"] for one in said] == [False, False, True]


def test_layer_scale_is_no_reason_against_converting(path: Path) -> None:
    content = finetuned()
    for layer in range(2):
        gammas = {f"blocks.{layer}.gamma_{number}": torch.full((48,), 0.5) for number in (1, 2)}
        content["model"] |= gammas
    torch.save(content, path)
    given = options({"num_attention_heads": 3})
    assert describe(path, *given).code == 0
    del content["model"]["blocks.1.gamma_2"]
    torch.save(content, path)
    assert "can't be converted: layer scale is incomplete: blocks.1.gamma_2" in (
        describe(path, *given).output
    )


# -- data set and labels ---------------------------------------------------------------------------


def test_labels_are_suggested_only_where_the_counts_agree(path: Path) -> None:
    outcome = describe(DATA / "trained/v1-finetuned.pth", *options({"num_attention_heads": 3}))
    assert "Kinetics-400 (args.data_set, but that has 400 classes and the head 7" in outcome.output
    assert "labels:" not in outcome.output
    content = finetuned()
    content["model"] |= {"head.weight": torch.ones(400, 48), "head.bias": torch.ones(400)}
    content["args"].nb_classes = 400
    torch.save(content, path)
    outcome = describe(path, *options({"num_attention_heads": 3}))
    assert entry(outcome)["variants"]["file"]["labels"] == "kinetics400"


def test_labels_that_only_the_number_of_classes_suggests_are_a_comment(path: Path) -> None:
    state = finetuned()["model"]
    state |= {"head.weight": torch.ones(174, 48), "head.bias": torch.ones(174)}
    torch.save({"model": state}, path)
    config = options({"num_attention_heads": 3, "num_frames": 8, "image_size": 64})
    outcome = describe(path, *config)
    assert "  data set: SSV2 (a guess, by the 174 classes)\n" in outcome.output
    assert "    # labels: ssv2  # a guess" in outcome.output
    assert "labels" not in entry(outcome)["variants"]["file"]


def test_data_set_is_never_guessed_against_what_is_said() -> None:
    assert data_set({}, 51) is None  # no list of 51 is shipped
    assert data_set({}, None) is None
    own = data_set({"data_set": "image_folder"}, 400)
    assert own
    assert (own.name, own.labels) == ("image_folder", None)
    hmdb = data_set({"data_set": "HMDB51"}, 51)
    assert hmdb
    assert (hmdb.why, hmdb.labels) == ("args.data_set", None)


def test_data_set_is_beyond_doubt_only_if_the_options_name_it_and_the_classes_agree() -> None:
    assert trained_on({"data_set": "SSV2"}, 174) == "Something-Something V2"
    assert trained_on({"data_set": "SSV2"}, 7) is None
    assert trained_on({"data_set": "image_folder"}, 400) is None
    assert trained_on({"data_set": ["SSV2"]}, 174) is None
    assert trained_on({}, 400) is None


def test_table_of_data_sets_agrees_with_the_shipped_lists() -> None:
    shipped = {known.labels: known.classes for known in DATA_SETS.values() if known.labels}
    files = (ROOT / "scripts/videomae/model/label_lists").glob("*.txt")
    assert shipped == {path.stem: len(read_labels(path)) for path in files}


# -- the documents ---------------------------------------------------------------------------------


def test_page_shows_what_is_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    page = (ROOT / "docs/own-checkpoints.md").read_text()
    shown = re.search(r"videomae inspect (.*)\n```\n\n```\n((?:.*\n)*?)```", page)
    assert shown
    pieces = map(re.escape, shown[2].split("  …\n"))
    assert re.fullmatch("(.*\n)+".join(pieces), describe(*shown[1].split()).output)


def test_torch_is_not_loaded_which_takes_longer_than_all_of_this() -> None:
    script, file = (*CLI, "inspect"), DATA / "trained/v1-cls.pth"
    loaded = process("-X", "importtime", *script, file).output
    assert re.search(r"\| +numpy$", loaded, re.MULTILINE)
    assert not re.search(r"\| +(torch|transformers)$", loaded, re.MULTILINE)
