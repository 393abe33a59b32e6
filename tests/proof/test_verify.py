"""`verify.py`: right folders pass, wrong ones fail, each with a message that leads to the cause."""

import gc
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import VideoMAEForPreTraining, VideoMAEForVideoClassification
from videomae.checkpoint import reader
from videomae.convert.model_folder import CLASSES
from videomae.download.synthetic_recipes import RECIPES
from videomae.errors import ConversionError
from videomae.recognition.recognize import read_architecture
from videomae.verify import clips, comparison
from videomae.verify.proof import Verification
from videomae.verify.recorded_outputs import Recorded
from videomae.verify.reference import Reference

from tests.conftest import DATA, GIVEN, Outcome, command, given
from tests.proof.test_reference import TRAINED, inputs, leading, logits_of, trained

Folders = dict[str, Path]
ATTENTION = "videomae.encoder.layer.{}.attention.attention."


@pytest.fixture
def folder(converted: Folders, tmp_path: Path) -> Path:
    """A right folder, to be made wrong."""
    return shutil.copytree(converted["tiny-finetuned"], tmp_path / "tiny-finetuned")


def verify(checkpoints: Folders, folder: Path, *options: object) -> Outcome:
    name = folder.name
    return command("verify", checkpoints[name], folder, *options, *given(name))


def edit_weights(folder: Path, edit: Callable[[dict[str, Tensor]], object]) -> None:
    tensors = load_file(folder / "model.safetensors")
    edit(tensors)
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})


def edit_json(folder: Path, name: str, **values: Any) -> None:
    content = json.loads((folder / name).read_text()) | values
    (folder / name).write_text(json.dumps(content))


# -- right folders ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["tiny-finetuned", "tiny-pretraining"])
def test_right_folder_passes_and_the_report_says_by_how_much(
    name: str, checkpoints: Folders, converted: Folders, tmp_path: Path
) -> None:
    report = tmp_path / "report.json"
    outcome = verify(checkpoints, converted[name], "--passed", report)
    assert outcome.code == 0, outcome.output
    content = json.loads(report.read_text())
    assert content["variant"] == name
    assert content["passed"] is True
    assert content["max_abs_difference"] <= content["tolerance"] / 10
    assert content["proven_on"] == {
        "clips": ["usual", "nearly constant", "black and white"],
        "frames": 4,
        "image_size": 32,
    }
    assert 1e-7 < content["eps_effect"] < 1e-4
    assert content["preprocessing_difference"] == 0
    assert content["layers"]["encoder layer 1, output"] <= 1e-6
    assert set(content["versions"]) == {"torch", "transformers", "numpy"}
    assert all(set(c) >= {"name", "passed", "value", "limit"} for c in content["checks"])
    assert "never trained" in content["rehearsal"]


def test_each_step_and_each_check_is_said_when_its_turn_comes(
    checkpoints: Folders, converted: Folders
) -> None:
    name = "tiny-pretraining"
    verification = Verification(name, checkpoints[name], converted[name], GIVEN[name])
    said: list[tuple[str, int]] = []
    report = verification.run(
        lambda made: said.append((str(made), len(verification.report.checks)))
    )
    checks = [str(check) for check in report.checks]
    assert [line for line, _ in said if line in checks] == checks
    function = next(n for n, check in enumerate(report.checks) if check.name == "function")
    steps = {line: before for line, before in said if line not in checks}
    assert list(steps) == [
        "comparing config and processor",
        "comparing model.safetensors with 49 tensors",
        "loading the folder",
        "comparing the loaded model with 49 tensors",
        "comparing outputs on 3 clips",
        "comparing the start of fine-tuning",
    ]
    assert steps["comparing outputs on 3 clips"] == function


@pytest.mark.parametrize("name", TRAINED)
def test_checkpoint_of_the_authors_scripts_becomes_a_model_with_their_outputs(
    name: str, tmp_path: Path
) -> None:
    path = DATA / f"trained/{name}.pth"
    _, architecture, truth = trained(name)
    heads = {
        key: value for key, value in architecture.config.items() if key.endswith("attention_heads")
    }
    options = ["--config", *(f"{key}={value}" for key, value in heads.items())]
    assert command("convert", path, tmp_path / name, *options).code == 0
    outcome = command("verify", path, tmp_path / name, *options)
    assert outcome.code == 0, outcome.output

    pretraining = architecture.kind == "pretraining"
    loader = VideoMAEForPreTraining if pretraining else VideoMAEForVideoClassification
    model = loader.from_pretrained(tmp_path / name).eval()
    pixels, mask = inputs(architecture, 0.9)
    with torch.no_grad():
        output = model(pixels) if mask is None else model(pixels, bool_masked_pos=mask)
    # transformers has eps 1e-5 in the last norm, and so have these figures of the authors' code.
    expected = logits_of(truth["with_final_norm_eps_1e-5"])
    torch.testing.assert_close(leading(output.logits, expected), expected, atol=2e-6, rtol=0)


def test_half_precision_checkpoint_is_verified_against_its_exact_values(tmp_path: Path) -> None:
    content = torch.load(DATA / "trained/v1-cls.pth", weights_only=False)
    content["model"] = {name: tensor.half() for name, tensor in content["model"].items()}
    torch.save(content, tmp_path / "half.pth")
    options = ("--config", "num_attention_heads=4")
    assert command("convert", tmp_path / "half.pth", tmp_path / "out", *options).code == 0
    outcome = command("verify", tmp_path / "half.pth", tmp_path / "out", *options)
    assert outcome.code == 0, outcome.output


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_narrower_folder_is_the_checkpoint_rounded_and_nothing_else(
    dtype: str, tmp_path: Path
) -> None:
    path, report = DATA / "trained/v1-pretrained.pth", tmp_path / "report.json"
    heads = ("num_attention_heads=3", "decoder_num_attention_heads=3")
    options = ("--dtype", dtype, "--config", *heads)
    assert command("convert", path, tmp_path / "out", *options).code == 0
    assert load_file(tmp_path / "out/model.safetensors")["mask_token"].dtype == getattr(
        torch, dtype
    )
    outcome = command("verify", path, tmp_path / "out", "--passed", report, *options)
    assert outcome.code == 0, outcome.output
    content = json.loads(report.read_text())
    assert content["max_abs_difference"] <= content["tolerance"]
    assert content["rounding_effect"] > 100 * content["tolerance"]
    wrong = ("--dtype", "float32", "--config", *heads)
    assert command("verify", path, tmp_path / "out", *wrong).code == 1


def test_weights_too_large_for_float16_are_refused(tmp_path: Path) -> None:
    content = torch.load(DATA / "trained/v1-cls.pth", weights_only=False)
    content["model"]["head.bias"][0] = 1e6
    torch.save(content, tmp_path / "large.pth")
    options = ("--dtype", "float16", "--config", "num_attention_heads=4")
    outcome = command("convert", tmp_path / "large.pth", tmp_path / "out", *options)
    assert outcome.code == 1
    assert "head.bias (1 values)" in outcome.output
    assert not (tmp_path / "out").exists()


# -- wrong folders ---------------------------------------------------------------------------------


def _zero_a_bias(tensors: dict[str, Tensor]) -> None:
    for name in ("v_bias", "value.bias"):
        tensors[ATTENTION.format(1) + name].zero_()


def _swap_query_and_key(tensors: dict[str, Tensor]) -> None:
    query, key = (ATTENTION.format(0) + part for part in ("query.weight", "key.weight"))
    tensors[query], tensors[key] = tensors[key], tensors[query]


def _change_one_row(tensors: dict[str, Tensor]) -> None:
    tensors["classifier.weight"][3] += 1e-3


def _one_bias_name_only(tensors: dict[str, Tensor]) -> None:
    for layer in range(2):
        del tensors[ATTENTION.format(layer) + "q_bias"]


def _biases_differ(tensors: dict[str, Tensor]) -> None:
    tensors[ATTENTION.format(0) + "q_bias"] += 1e-3


def _extra_tensor(tensors: dict[str, Tensor]) -> None:
    tensors["videomae.extra.weight"] = torch.ones(2)


def _not_a_number(tensors: dict[str, Tensor]) -> None:
    tensors["classifier.bias"][0] = float("nan")


@pytest.mark.parametrize(
    ("edit", "failed", "message"),
    [
        (
            _zero_a_bias,
            ["weights file, bit by bit", "loaded tensors, bit by bit", "function"],
            "blocks.1.attn.v_bias",
        ),
        (
            _swap_query_and_key,
            ["loaded tensors, bit by bit", "function", "every layer"],
            "first differ at encoder layer 0, attention output",
        ),
        (_change_one_row, ["loaded tensors, bit by bit", "function"], "head.weight (by 0.001)"),
        (_one_bias_name_only, ["weights file"], "missing videomae.encoder.layer.{0...1}"),
        (_biases_differ, ["weights file, bit by bit"], "query.bias differ, but must be equal"),
        (_extra_tensor, ["weights file, bit by bit", "load report"], "videomae.extra.weight"),
        (_not_a_number, ["weights file, bit by bit", "function"], "head.bias"),
    ],
)
def test_changed_weights_fail(
    checkpoints: Folders,
    folder: Path,
    edit: Callable[[dict[str, Tensor]], object],
    failed: list[str],
    message: str,
) -> None:
    edit_weights(folder, edit)
    outcome = verify(checkpoints, folder)
    assert outcome.code == 1
    for name in failed:
        assert f"FAILED {name}" in outcome.output
    assert message in outcome.output


@pytest.mark.parametrize(
    ("file", "values", "failed", "message"),
    [
        (
            "config.json",
            {"num_attention_heads": 16},
            ["config", "function"],
            "first differ at encoder layer 0, attention output",
        ),
        ("config.json", {"num_attention_heads": 16}, ["config"], "is 16, should be 3 (given)"),
        ("config.json", {"use_mean_pooling": False}, ["config", "load report", "function"], ""),
        ("config.json", {"layer_norm_eps": 1e-3}, ["config", "function"], "should be 1e-06"),
        ("config.json", {"hidden_act": "gelu_new"}, ["config"], "should be 'gelu'"),
        ("config.json", {"num_frames": 2}, ["config"], "num_frames is 2, should be 4"),
        ("config.json", {"qv_bias": False}, ["config"], "qv_bias is False"),
        ("config.json", {"id2label": {}}, ["labels"], "id2label['0'] is missing"),
        ("config.json", {"label2id": [1]}, ["labels"], "label2id is [1], should be a map with 7"),
        ("config.json", {"rehearsal": None}, ["config"], "never trained"),
        (
            "preprocessor_config.json",
            {"image_mean": [0.5, 0.5, 0.5]},
            ["processor config", "processor pixels"],
            "image_mean is [0.5, 0.5, 0.5], should be [0.485",
        ),
    ],
)
def test_changed_configs_fail(
    checkpoints: Folders,
    folder: Path,
    file: str,
    values: dict[str, Any],
    failed: list[str],
    message: str,
) -> None:
    edit_json(folder, file, **values)
    outcome = verify(checkpoints, folder)
    assert outcome.code == 1
    for name in failed:
        assert f"FAILED {name}" in outcome.output
    assert message in outcome.output


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "preprocessor_config.json"])
def test_missing_file_fails(checkpoints: Folders, folder: Path, name: str) -> None:
    (folder / name).unlink()
    outcome = verify(checkpoints, folder)
    assert outcome.code == 1
    assert name in outcome.output


def test_weights_cut_short_fail(checkpoints: Folders, folder: Path) -> None:
    whole = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(whole[: len(whole) // 2])
    outcome = verify(checkpoints, folder)
    assert outcome.code == 1
    assert "model.safetensors: not a readable safetensors file" in outcome.output


def test_folder_of_another_checkpoint_fails(checkpoints: Folders, converted: Folders) -> None:
    outcome = command(
        "verify",
        checkpoints["tiny-finetuned"],
        converted["tiny-pretraining"],
        *given("tiny-finetuned"),
    )
    assert outcome.code == 1
    assert "VideoMAEForPreTraining" in outcome.output


def test_folder_that_others_published_is_told_its_wrong_heads(
    checkpoints: Folders, converted: Folders, tmp_path: Path
) -> None:
    """As the old script does: other heads, then `save_pretrained`, with one name for each bias."""
    model = VideoMAEForVideoClassification.from_pretrained(
        converted["tiny-finetuned"], num_attention_heads=16
    )
    model.save_pretrained(tmp_path / "tiny-finetuned")
    outcome = verify(checkpoints, tmp_path / "tiny-finetuned")
    assert outcome.code == 1
    assert "num_attention_heads is 16, should be 3 (given)" in outcome.output
    assert "ok     loaded tensors, bit by bit" in outcome.output
    assert "first differ at encoder layer 0, attention output" in outcome.output


def test_wrong_loss_fails(checkpoints: Folders, converted: Folders, tmp_path: Path) -> None:
    folder = shutil.copytree(converted["tiny-pretraining"], tmp_path / "tiny-pretraining")
    edit_json(folder, "config.json", norm_pix_loss=False)
    outcome = verify(checkpoints, folder)
    assert outcome.code == 1
    assert "norm_pix_loss is False, should be True (args.normlize_target)" in outcome.output


def test_wrong_preprocessing_is_told_from_a_wrong_model(
    checkpoints: Folders, folder: Path, tmp_path: Path
) -> None:
    edit_json(folder, "preprocessor_config.json", image_std=[0.5, 0.5, 0.5])
    verify(checkpoints, folder, "--report", tmp_path / "report.json")
    content = json.loads((tmp_path / "report.json").read_text())
    assert content["max_abs_difference"] <= content["tolerance"]
    assert content["preprocessing_difference"] > 1000 * content["tolerance"]


def test_model_for_more_frames_is_refused_whatever_the_processor(
    checkpoints: Folders, folder: Path
) -> None:
    """Where torchvision's processor rounds otherwise, this once ended in a traceback."""
    edit_json(folder, "config.json", num_frames=8)
    edit_json(folder, "preprocessor_config.json", image_std=[0.2291, 0.224, 0.225])
    outcome = verify(checkpoints, folder)
    assert outcome.code == 1
    assert "Traceback" not in outcome.output
    assert "num_frames is 8, should be 4" in outcome.output


def test_device_that_is_not_there_is_refused(checkpoints: Folders, converted: Folders) -> None:
    if torch.cuda.is_available():
        pytest.skip("this machine has one")
    outcome = verify(checkpoints, converted["tiny-finetuned"], "--device", "cuda")
    assert outcome.code == 1
    assert "device is cuda, but PyTorch finds no CUDA device; use cpu or auto" in outcome.output
    assert verify(checkpoints, converted["tiny-finetuned"], "--device", "auto").code == 0


@pytest.mark.parametrize("name", ["tiny-finetuned", "tiny-pretraining"])
def test_positions_shifted_by_one_part_at_the_embedding(
    name: str, checkpoints: Folders, converted: Folders
) -> None:
    """No folder can hold them, since transformers computes positions; so they are set by hand."""
    opened = reader.open_checkpoint(checkpoints[name])
    architecture = read_architecture(opened.shapes, opened.args, GIVEN[name])
    loader = getattr(transformers, CLASSES[architecture.kind])
    model = loader.from_pretrained(converted[name]).eval()
    embeddings = model.videomae.embeddings
    embeddings.position_embeddings = embeddings.position_embeddings.roll(1, dims=1)
    clip = clips.synthetic_clip(architecture.config["num_frames"], 32)
    with torch.no_grad():
        ran = comparison.run(model, Reference(opened.tensors, architecture), [clip])
    assert "first differ at patch embedding with positions" in ran.comparison.first_parting()
    assert not ran.difference() <= ran.tolerance()


def test_failure_is_in_the_log_report_and_no_passed_report_is_written(
    checkpoints: Folders, folder: Path, tmp_path: Path
) -> None:
    edit_json(folder, "config.json", num_attention_heads=16)
    log, passed = tmp_path / "log.json", tmp_path / "passed.json"
    outcome = verify(checkpoints, folder, "--report", log, "--passed", passed)
    assert outcome.code == 1
    assert not passed.exists()
    content = json.loads(log.read_text())
    assert content["passed"] is False
    assert content["max_abs_difference"] > 100 * content["tolerance"]


# -- recorded outputs ------------------------------------------------------------------------------

RECORDED: dict[str, Any] = {
    "shape": [1, 7],
    "logits": [-0.374926, -0.140571, 0.076907],
    "clip": "synthetic",
    "image_mean": [0.5, 0.5, 0.5],
    "image_std": [0.5, 0.5, 0.5],
}


def recorded(**changes: Any) -> str:
    return f"--recorded={json.dumps(RECORDED | changes)}"


def test_recorded_outputs_agree_under_their_own_conditions(
    checkpoints: Folders, converted: Folders, tmp_path: Path
) -> None:
    report = tmp_path / "report.json"
    outcome = verify(checkpoints, converted["tiny-finetuned"], recorded(), "--passed", report)
    assert outcome.code == 0, outcome.output
    content = json.loads(report.read_text())["recorded"]
    assert content["status"] == "agrees"
    assert content["max_abs_difference"] < 1e-5


RECONSTRUCTED: dict[str, Any] = {
    "shape": [1, 4, 1536],
    "logits": [[0.319391, 0.343425], [0.30192, 0.263276]],
    "loss": {"norm_pix": 1.126594, "raw_pix": 0.314886},
    "mask": "synthetic:0.5",
}


def test_recorded_losses_are_compared(checkpoints: Folders, converted: Folders) -> None:
    folder = converted["tiny-pretraining"]
    assert verify(checkpoints, folder, recorded(**RECONSTRUCTED)).code == 0
    wrong = recorded(**RECONSTRUCTED | {"loss": {"norm_pix": 1.126594, "raw_pix": 0.315886}})
    outcome = verify(checkpoints, folder, wrong)
    assert outcome.code == 1
    assert "differ: loss with norm_pix_loss=False by 0.001" in outcome.output


@pytest.mark.parametrize(
    ("save", "message"),
    [
        (lambda path: path.write_bytes(b""), "is not a readable .npy file: No data left in file"),
        (lambda path: path.write_bytes(b"\x80\x02."), "is not a readable .npy file: "),
        (lambda path: np.savez(path.open("wb"), np.ones(3)), "several arrays; save the clip alone"),
    ],
)
def test_clip_that_is_none_is_named(
    save: Any, message: str, checkpoints: Folders, converted: Folders, tmp_path: Path
) -> None:
    save(tmp_path / "clip.npy")
    clip = str(tmp_path / "clip.npy")
    outcome = verify(checkpoints, converted["tiny-finetuned"], recorded(clip=clip))
    assert outcome.code == 1
    assert (
        f"the outputs can't be compared with the clip {clip} and the mask None: " in outcome.output
    )
    assert message in outcome.output


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        (
            torch.ones(1).expand(2**40),
            r"the mask has shape \[1099511627776\], but values are missing",
        ),
        (torch.full((8,), 0.5), "the mask has other values than True and False"),
        ([True], "the file must hold one tensor, the mask, not list"),
    ],
)
def test_mask_that_is_none_is_refused(mask: Any, message: str, tmp_path: Path) -> None:
    torch.save(mask, tmp_path / "mask.pt")
    with pytest.raises(ConversionError, match=message):
        clips.load_mask(tmp_path / "mask.pt")


def test_recorded_outputs_that_are_no_even_rows_are_refused() -> None:
    with pytest.raises(ConversionError, match=r"recorded\.logits: not numbers, or even rows"):
        Recorded.parse(RECORDED | {"logits": [[1, 2], [3]]})


def test_folder_of_sizes_beyond_memory_is_not_loaded(checkpoints: Folders, folder: Path) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"num_frames": 10**9}))
    outcome = verify(checkpoints, folder)
    assert "not loaded: num_frames in config.json is 1000000000" in outcome.output
    path.write_text("[" * 100_000)
    outcome = verify(checkpoints, folder)
    assert "not valid JSON: maximum recursion depth" in outcome.output


def test_processor_of_another_size_fails_without_a_traceback(
    checkpoints: Folders, folder: Path
) -> None:
    path = folder / "preprocessor_config.json"
    sizes = {"crop_size": {"height": 64, "width": 64}, "size": {"shortest_edge": 64}}
    path.write_text(json.dumps(json.loads(path.read_text()) | sizes))
    outcome = verify(checkpoints, folder)
    assert outcome.code == 1
    assert "processor config: size is {'shortest_edge': 64}" in outcome.output


def test_weights_beyond_computing_fail_by_their_name(tmp_path: Path) -> None:
    content = torch.load(DATA / "trained/v1-cls.pth", weights_only=False)
    content["model"]["patch_embed.proj.weight"][0] = 3e38
    torch.save(content, tmp_path / "file.pth")
    heads = ["--config", "num_attention_heads=4"]
    assert command("convert", tmp_path / "file.pth", tmp_path / "out", *heads).code == 0
    outcome = command("verify", tmp_path / "file.pth", tmp_path / "out", *heads)
    assert outcome.code == 1
    assert "itself gives NaN or infinity; patch_embed.proj.weight has 3e+38" in outcome.output


def test_only_the_recorded_outputs_differing_says_just_that(
    checkpoints: Folders, converted: Folders
) -> None:
    outcome = verify(checkpoints, converted["tiny-finetuned"], recorded(logits=[-0.374, 0, 0]))
    assert outcome.code == 1
    assert "only the recorded outputs differ: logits by 0.141 (limit 0.0001)" in outcome.output
    assert "set recorded_outputs: warn" in outcome.output


def test_warn_passes_with_the_difference_in_the_report(
    checkpoints: Folders, converted: Folders, tmp_path: Path
) -> None:
    report = tmp_path / "report.json"
    options = ("--recorded-outputs=warn", "--passed", report)
    outcome = verify(checkpoints, converted["tiny-finetuned"], recorded(logits=[9]), *options)
    assert outcome.code == 0
    assert json.loads(report.read_text())["recorded"]["status"] == "differs"


def test_skip_compares_nothing(checkpoints: Folders, converted: Folders, tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    options = ("--recorded-outputs=skip", "--passed", report)
    outcome = verify(checkpoints, converted["tiny-finetuned"], recorded(logits=[9]), *options)
    assert outcome.code == 0
    assert json.loads(report.read_text())["recorded"]["status"] == "skipped"


def test_recorded_shape_counts(checkpoints: Folders, converted: Folders) -> None:
    assert verify(checkpoints, converted["tiny-finetuned"], recorded(shape=[1, 8])).code == 1


def test_clip_of_another_length_is_one_message(
    checkpoints: Folders, converted: Folders, tmp_path: Path
) -> None:
    np.save(tmp_path / "long.npy", clips.synthetic_clip(8, 32))
    outcome = verify(
        checkpoints, converted["tiny-finetuned"], recorded(clip=str(tmp_path / "long.npy"))
    )
    assert outcome.code == 1
    assert "recorded outputs: the outputs can't be compared" in outcome.output
    assert "Traceback" not in outcome.output


def test_outputs_recorded_with_other_heads_are_compared_with_those(
    checkpoints: Folders, converted: Folders
) -> None:
    """As for the small models: recorded with 16 heads, while the folder keeps its own."""
    folder = converted["tiny-finetuned"]
    model = VideoMAEForVideoClassification.from_pretrained(folder, num_attention_heads=16).eval()
    pixels, _ = inputs(RECIPES["tiny-finetuned"].architecture, 0)
    with torch.no_grad():
        logits = model(pixels).logits[0, :3].tolist()
    assert verify(checkpoints, folder, recorded(logits=logits)).code == 1
    overrides = {"num_attention_heads": 16}
    assert verify(checkpoints, folder, recorded(logits=logits, config=overrides)).code == 0
    assert json.loads((folder / "config.json").read_text())["num_attention_heads"] == 3


def test_model_for_recorded_outputs_takes_the_place_of_the_first(
    checkpoints: Folders, converted: Folders, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both at once would take twice the memory."""
    kind, alive = transformers.VideoMAEForVideoClassification, []
    load = kind.from_pretrained

    def counted(*arguments: Any, **options: Any) -> Any:
        held = [o for o in gc.get_objects() if isinstance(o, kind)]  # none from other tests
        alive.append(len(held))
        return load(*arguments, **options)

    gc.collect()
    monkeypatch.setattr(kind, "from_pretrained", counted)
    overrides = recorded(config={"layer_norm_eps": 1e-12})
    assert verify(checkpoints, converted["tiny-finetuned"], overrides).code == 0
    assert [number - alive[0] for number in alive] == [0, 0]


def test_recorded_clip_and_mask_come_from_files(
    checkpoints: Folders, converted: Folders, tmp_path: Path
) -> None:
    np.save(tmp_path / "clip.npy", clips.synthetic_clip(4, 32))
    config = {"image_size": 32, "patch_size": 16, "num_frames": 4, "tubelet_size": 2}
    torch.save(clips.tube_mask(config, 0.5), tmp_path / "mask.pt")
    files = {"clip": str(tmp_path / "clip.npy"), "mask": str(tmp_path / "mask.pt")}
    values = {"shape": [1, 4, 1536], "logits": [[0.319391, 0.343425]]}
    folder = converted["tiny-pretraining"]
    assert verify(checkpoints, folder, recorded(**values, **files)).code == 0
