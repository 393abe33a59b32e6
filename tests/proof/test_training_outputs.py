"""`recorded: truth.npz`: outputs of one's own training code tell whether it is the network."""

import json
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from transformers import VideoMAEForVideoClassification
from videomae.checkpoint.reader import open_checkpoint
from videomae.config import ad_hoc, settings
from videomae.errors import ConversionError
from videomae.recognition.recognize import read_architecture
from videomae.verify import clips
from videomae.verify.reference import FEATURES, LOGITS, Reference
from videomae.verify.report import Report
from videomae.verify.training_outputs import checks, names, npz_file

from tests.conftest import DATA, GIVEN, ROOT, Outcome, Workflow, command, configure_tiny, jobs
from tests.proof.test_reference import HALF
from tests.standins.network import Network, of_three_axes
from tests.workflow.test_workflow import every, row

DOCS = ROOT / "docs/verification.md"
GIVES = {"num_attention_heads": 3, "num_frames": 8, "image_size": 64}
ARRAYS = dict[str, Any]


def relative(name: str) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Give the state dict that a project's own code saved, and what is known of its network."""
    content = torch.load(DATA / f"relatives/{name}.pth", weights_only=False, map_location="cpu")
    return content["model"], json.loads((DATA / f"relatives/{name}.json").read_text())


def pixels_of(frames: int, size: int) -> Tensor:
    """The pixels of the reference outputs, as the authors' networks take them."""
    clip = clips.synthetic_clip(frames, size)
    return clips.normalise(clip, HALF, HALF).transpose(1, 2)


class Case:
    """A checkpoint that is a state dict alone, with its folder: no option tells what it is of."""

    def __init__(self, folder: Path, state: dict[str, Tensor], **given: int) -> None:
        self.folder, self.given = folder, [f"{name}={value}" for name, value in given.items()]
        self.checkpoint = folder / "it.pth"
        torch.save(state, self.checkpoint)

    def verify(self, path: Path, *options: str) -> Outcome:
        """Convert, if that isn't done, and verify against a file."""
        dtype = [option for option in options if option.startswith("--dtype")]
        made = self.folder / f"converted{''.join(dtype)}"
        if not made.exists():
            outcome = command("convert", self.checkpoint, made, *dtype, "--config", *self.given)
            assert outcome.code == 0, outcome.output
        paths: list[object] = [self.checkpoint, made, "--recorded", path]
        report = ("--report", self.folder / "report.json")
        return command("verify", *paths, *report, *options, "--config", *self.given)

    @property
    def report(self) -> dict[str, Any]:
        content: dict[str, Any] = json.loads((self.folder / "report.json").read_text())
        return content


@pytest.fixture(scope="module")
def sigma(tmp_path_factory: pytest.TempPathFactory) -> Case:
    """A right checkpoint, whose folder is off by 2.6e-4 through transformers' eps alone."""
    return Case(tmp_path_factory.mktemp("sigma"), relative("sigma-finetuned")[0], **GIVES)


def recorded(name: str, path: Path) -> Path:
    """Write what a project's own network gave for the usual clip."""
    _, facts = relative(name)
    logits = np.array([facts["truth"]["model"]["logits"]], dtype=np.float32)
    pixels = pixels_of(facts["model"]["frames"], facts["model"]["size"])
    np.savez(path, pixels=pixels.numpy(), logits=logits)
    return path


def snippet(network: torch.nn.Module, pixels: Tensor, folder: Path, monkeypatch: Any) -> Path:
    """Run exactly the lines that people are told to paste into their training code."""
    monkeypatch.chdir(folder)
    (lines,) = re.findall(r"```python\n(.*?)```", DOCS.read_text(), re.DOTALL)
    exec(lines, {"model": network.train(), "pixels": pixels})
    return folder / "truth.npz"


# -- networks --------------------------------------------------------------------------------------


def test_right_file_passes_where_only_transformers_eps_differs(sigma: Case, tmp_path: Path) -> None:
    outcome = sigma.verify(recorded("sigma-finetuned", tmp_path / "truth.npz"))
    assert outcome.code == 0, outcome.output
    report = sigma.report
    assert report["status"] == "verified against your recorded outputs"
    found = report["recorded"]
    assert found["max_abs_difference"] == pytest.approx(2.6e-4, rel=0.02)
    assert found["reference_difference"] < 1e-6
    assert 1e-5 < found["eps_effect"] < found["tolerance"] < 3e-4
    assert found["conditions"]["clips"] == 1


@pytest.mark.parametrize(
    ("name", "frames", "by"), [("mvd-finetuned", 8, "2.44"), ("everest-mcm", 16, "2.69")]
)
def test_network_of_another_project_fails(name: str, frames: int, by: str, tmp_path: Path) -> None:
    case = Case(tmp_path, relative(name)[0], **GIVES | {"num_frames": frames})
    path = recorded(name, tmp_path / "truth.npz")
    outcome = case.verify(path)
    assert outcome.code == 1
    error = outcome.output.splitlines()[-1]
    assert f"gives other logits than {path} has: they differ by {by} (limit 1." in error
    assert "not the one that is converted here; check num_attention_heads" in error
    assert "positions, selected tokens" in error
    assert "also failed: recorded outputs" in error
    assert case.report["status"] == "failed"
    assert case.report["recorded"]["status"] == "differs"
    assert "ok     function " in outcome.output  # nothing else tells
    assert case.verify(path, "--recorded-outputs=warn").code == 1
    assert case.verify(tmp_path / "none.npz", "--recorded-outputs=skip").code == 0
    assert case.report["status"] == "verified, network assumed"
    assert case.report["recorded"]["status"] == "skipped"


def test_lines_of_the_docs_write_what_a_right_network_passes_with(
    sigma: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state, _ = relative("sigma-finetuned")
    path = snippet(Network(state, 3), torch.randn(5, 3, 8, 64, 64), tmp_path, monkeypatch)
    outcome = sigma.verify(path)
    assert outcome.code == 0, outcome.output
    names = ["patch_embed", "pos_drop", "blocks.0", "blocks.1", "fc_norm", "logits"]
    assert list(sigma.report["recorded"]["steps"]) == names
    assert all(share < 2e-6 for share in sigma.report["recorded"]["steps"].values())
    assert sigma.report["recorded"]["conditions"]["clips"] == 2


@pytest.mark.parametrize(
    ("network", "said"),
    [
        (
            {"positions": of_three_axes},
            r"patch_embed still agrees, pos_drop differs first, by 1\.\d+ of its scale; its "
            "positions are not the authors'",
        ),
        (
            {"keep": 38},
            r"pos_drop still agrees, blocks\.0 differs first: its shape is \[2, 38, 48\], but "
            r"\[2, 64, 48\] here; a network that selects tokens",
        ),
        (
            {"heads": 6},
            r"pos_drop still agrees, blocks\.0 differs first, by 0\.\d+ of its scale; with "
            "num_attention_heads=6 the outputs agree, so give this value",
        ),
    ],
)
def test_other_network_of_the_same_tensors_is_told_by_the_first_step_that_differs(
    network: dict[str, Any], said: str, sigma: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state, _ = relative("sigma-finetuned")
    other = Network(state, **{"heads": 3, **network})
    path = snippet(other, torch.randn(2, 3, 8, 64, 64), tmp_path, monkeypatch)
    outcome = sigma.verify(path)
    assert outcome.code == 1
    assert re.search(said, outcome.output.splitlines()[-1])


def test_stand_in_with_positions_of_three_axes_is_the_network_of_mvd() -> None:
    """So that the test above is of what that project trains."""
    state, facts = relative("mvd-finetuned")
    with torch.no_grad():
        logits = Network(state, 3, of_three_axes).eval()(pixels_of(8, 64))
    assert logits[0].tolist() == pytest.approx(facts["truth"]["model"]["logits"], abs=1e-6)


def test_other_epoch_shows_at_the_patch_embedding(
    sigma: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state, _ = relative("sigma-finetuned")
    moved = {name: tensor * 1.01 for name, tensor in state.items()}
    path = snippet(Network(moved, 3), torch.randn(2, 3, 8, 64, 64), tmp_path, monkeypatch)
    error = sigma.verify(path).output.splitlines()[-1]
    assert "; patch_embed differs first, by 0.0" in error
    assert "check for other weights (another epoch, model_ema), or pixels" in error


def test_narrow_recording_is_called_that(
    sigma: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state, _ = relative("sigma-finetuned")
    rounded = {name: tensor.bfloat16().float() for name, tensor in state.items()}
    path = snippet(Network(rounded, 3), torch.randn(2, 3, 8, 64, 64), tmp_path, monkeypatch)
    assert "TF32, autocast or half precision can cause" in sigma.verify(path).output


def test_narrow_folder_is_allowed_what_its_rounding_changes(sigma: Case, tmp_path: Path) -> None:
    outcome = sigma.verify(recorded("sigma-finetuned", tmp_path / "t.npz"), "--dtype=float16")
    assert outcome.code == 0, outcome.output
    found = sigma.report["recorded"]
    assert found["reference_difference"] < 1e-6  # on the original tensors
    assert 1e-4 < found["rounding_effect"] < 1e-2
    assert "ok     recorded outputs, rounding effect" in outcome.output


# -- what is compared ------------------------------------------------------------------------------


def written(path: Path, arrays: ARRAYS) -> Path:
    plain: Any = {
        name: one.numpy() if torch.is_tensor(one) else one for name, one in arrays.items()
    }
    np.savez(path, **plain)
    return path


def right(name: str = "v2-finetuned", clips: int = 2) -> tuple[Reference, ARRAYS]:
    """Give a trained network, and arrays that are right: by the reference, which has its tests."""
    heads = {"num_attention_heads": 4 if name == "v2-finetuned" else 3}
    heads |= {"decoder_num_attention_heads": 3} if name == "v1-pretrained" else {}
    opened = open_checkpoint(DATA / f"trained/{name}.pth")
    architecture = read_architecture(opened.shapes, opened.args, heads)
    reference = Reference(opened.tensors, architecture)
    config = architecture.config
    generator = torch.Generator().manual_seed(0)
    shape = (clips, config["num_frames"], 3, config["image_size"], config["image_size"])
    pixels = torch.randn(shape, generator=generator)
    arrays: ARRAYS = {"pixels": pixels.transpose(1, 2).contiguous()}
    mask = None
    if architecture.kind == "pretraining":
        number = (config["image_size"] // 16) ** 2 * config["num_frames"] // 2
        mask = torch.rand(clips, number, generator=generator).argsort(1) < number * 3 // 4
        arrays["mask"] = mask
    steps = dict(reference.steps(pixels, mask))
    return reference, {**arrays, "logits": steps[LOGITS], "features": steps[FEATURES]}


def compare(reference: Reference, path: Path, model: Any, most: float = 1.0) -> Report:
    report = Report("it")
    file = npz_file.read(path, reference.architecture)
    with torch.no_grad():
        report.checks += checks.Truth(file, reference).checks(model, report, most, most)
    return report


@pytest.fixture(scope="module")
def v2(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("v2") / "v2-finetuned"
    options = ("--config", "num_attention_heads=4")
    assert command("convert", DATA / "trained/v2-finetuned.pth", folder, *options).code == 0
    return folder


@pytest.mark.parametrize("names", [("logits",), ("features",), ("logits", "features")])
@pytest.mark.parametrize("frames_first", [False, True])
def test_outputs_of_several_clips_agree_in_either_order_of_axes(
    names: tuple[str, ...], frames_first: bool, v2: Path, tmp_path: Path
) -> None:
    reference, arrays = right()
    kept = {name: arrays[name] for name in ("pixels", *names)}
    if frames_first:
        kept["pixels"] = kept["pixels"].transpose(1, 2).contiguous()
    model = VideoMAEForVideoClassification.from_pretrained(v2).eval()
    report = compare(reference, written(tmp_path / "truth.npz", kept), model)
    assert report.passed, report.failure()
    assert report.recorded["conditions"] == {
        "file": str(tmp_path / "truth.npz"),
        "sha256": report.recorded["conditions"]["sha256"],
        "clips": 2,
        "outputs": list(names),
    }
    assert report.status == "verified against your recorded outputs"


@pytest.mark.parametrize("name", ["logits", "features"])
def test_each_clip_counts_and_so_does_every_value(name: str, v2: Path, tmp_path: Path) -> None:
    reference, arrays = right()
    arrays[name][1, -1] += 2e-5 * arrays[name][1].square().mean().sqrt()
    model = VideoMAEForVideoClassification.from_pretrained(v2).eval()
    report = compare(reference, written(tmp_path / "truth.npz", arrays), model)
    failed = [check.name for check in report.checks if not check.passed]
    assert failed == ["recorded outputs, authors' network", "recorded outputs"]


def test_folder_that_differs_fails_by_itself_and_so_do_effects_beyond_their_limits(
    v2: Path, tmp_path: Path
) -> None:
    reference, arrays = right()
    path = written(tmp_path / "truth.npz", arrays)
    model = VideoMAEForVideoClassification.from_pretrained(v2).eval()
    report = compare(reference, path, model, most=1e-6)
    assert [one.name for one in report.checks if not one.passed] == ["recorded outputs, eps effect"]
    assert report.recorded["status"] == "differs"
    with torch.no_grad():
        model.classifier.bias[3] += 2e-5 * arrays["logits"].square().mean().sqrt()
    report = compare(reference, path, model)
    assert [one.name for one in report.checks if not one.passed] == ["recorded outputs"]
    assert "of which the final norm's eps explains" in report.failure()
    # The eps of the authors in the folder is not what transformers computes.
    model = VideoMAEForVideoClassification.from_pretrained(v2).eval()
    model.fc_norm.eps = 1e-6
    assert not compare(reference, path, model).passed


@pytest.mark.parametrize("masked", [False, True])
def test_encoder_is_compared_by_its_tokens(masked: bool, tmp_path: Path) -> None:
    reference, arrays = right("v1-pretrained")
    state = {
        name: tensor for name, tensor in reference.tensors.items() if name.startswith("encoder.")
    }
    shapes = {name: tensor.shape for name, tensor in state.items()}
    given = {"num_attention_heads": 3, "num_frames": 16, "image_size": 64}
    encoder = Reference(state, read_architecture(shapes, {}, given))
    mask = arrays["mask"] if masked else None
    pixels = arrays["pixels"].transpose(1, 2)
    arrays = {"pixels": arrays["pixels"], "tokens": dict(encoder.steps(pixels, mask))[LOGITS]}
    arrays |= {"mask": mask.int()} if mask is not None else {}
    case = Case(tmp_path, state, **given)
    outcome = case.verify(written(tmp_path / "truth.npz", arrays))
    assert outcome.code == 0, outcome.output
    assert case.report["recorded"]["eps_effect"] == 0  # its last norm has the authors'
    arrays["tokens"][0, 0, 0] += 1e-3
    assert case.verify(written(tmp_path / "truth.npz", arrays)).code == 1


def test_pretraining_is_compared_with_its_mask_and_every_step(tmp_path: Path) -> None:
    reference, arrays = right("v1-pretrained")
    pixels = arrays["pixels"].transpose(1, 2)
    steps = dict(reference.steps(pixels, arrays["mask"]))
    known = names.places(reference.architecture, int(arrays["mask"][0].sum()))
    del arrays["features"]
    arrays |= {f"steps/{name}": steps[place.step] for name, place in known.items()}
    del arrays["logits"]
    arrays["logits"] = arrays.pop("steps/logits")
    arrays["steps/encoder.pos_embed"] = arrays["steps/encoder.pos_embed"][:1]
    del arrays["steps/encoder.pos_drop"]  # after the mask: the same as the first block's input
    state = dict(reference.tensors)
    given = {"num_attention_heads": 3, "decoder_num_attention_heads": 3}
    case = Case(tmp_path, state, **given, num_frames=16, image_size=64)
    outcome = case.verify(written(tmp_path / "truth.npz", arrays))
    assert outcome.code == 0, outcome.output
    assert len(case.report["recorded"]["steps"]) == len(known) - 1
    assert all(share < 1e-6 for share in case.report["recorded"]["steps"].values())
    arrays["mask"] = ~arrays["mask"]
    error = case.verify(written(tmp_path / "truth.npz", arrays)).output.splitlines()[-1]
    assert "the mask may be inverted" in error


# -- files that can't be compared ------------------------------------------------------------------


def without(*names: str) -> Callable[[ARRAYS], ARRAYS]:
    return lambda arrays: {name: one for name, one in arrays.items() if name not in names}


def having(**more: Callable[[ARRAYS], Any]) -> Callable[[ARRAYS], ARRAYS]:
    return lambda arrays: {**arrays, **{name: make(arrays) for name, make in more.items()}}


def not_finite(arrays: ARRAYS) -> Tensor:
    pixels: Tensor = arrays["pixels"].clone()
    pixels[0, 0, 0, 0, :3] = float("nan")
    return pixels


WRONG = {
    "no pixels": (without("pixels"), "the file lacks array 'pixels'; it has logits, features"),
    "no outputs": (
        without("logits", "features"),
        r"the file has no outputs of a network of kind classifier \(logits, features\)",
    ),
    "a name": (
        having(logit=lambda a: a["logits"]),
        r"'logit' is not an array .*\(did you mean logits",
    ),
    "a mask": (having(mask=lambda a: a["logits"]), "'mask' is not an array of a network of kind"),
    "twice": (
        having(**{"steps/logits": lambda a: a["logits"]}),
        "logits appears twice, as logits and as steps/logits",
    ),
    "of an encoder": (having(tokens=lambda a: a["logits"]), "'tokens' is not an array"),
    "another size": (
        having(pixels=lambda a: a["pixels"][..., :32, :32]),
        r"pixels have shape \[2, 3, 8, 32, 32\], but this network takes \(clips, 3, 8, 48, 48\) "
        r".*\(clips, 8, 3, 48, 48\): num_frames is 8 \(args\.num_frames.*image_size 48 \(args\.in",
    ),
    "other frames": (
        having(pixels=lambda a: a["pixels"][:, :, :4]),
        r"pixels have shape \[2, 3, 4, 48, 48\]",
    ),
    "no clips": (having(pixels=lambda a: a["pixels"][0]), r"have shape \[3, 8, 48, 48\], but"),
    "none": (having(pixels=lambda a: a["pixels"][:0]), "pixels have 0 clips; save 1 to 32"),
    "too many": (
        having(pixels=lambda a: a["pixels"][:1].expand(33, -1, -1, -1, -1)),
        "pixels have 33 clips; save 1 to 32",
    ),
    "other clips": (
        having(logits=lambda a: a["logits"][:1]),
        r"logits have shape \[1, 11\], but this network gives \[2, 11\]",
    ),
    "other classes": (having(logits=lambda a: a["logits"][:, :9]), r"logits have shape \[2, 9\]"),
    "half": (having(logits=lambda a: a["logits"].half()), "logits has dtype float16, not float32"),
    "bytes": (
        having(pixels=lambda a: a["pixels"].mul(50).byte()),
        "pixels has dtype uint8, not float32",
    ),
    "double pixels": (having(pixels=lambda a: a["pixels"].double()), "pixels has dtype float64"),
    "objects": (
        having(logits=lambda _: np.array([[{}] * 11] * 2, dtype=object)),
        "logits has dtype object, which is not a number",
    ),
    "text": (having(logits=lambda _: np.array([["a"] * 11] * 2)), "logits has dtype <U1"),
    "NaN": (having(pixels=not_finite), "pixels has 3 values that are NaN or infinite"),
    "infinity": (having(logits=lambda a: a["logits"] / 0), "logits has 22 values that are NaN"),
    "blank": (having(pixels=lambda a: a["pixels"] * 0 + 1), "all pixels of a clip are equal"),
    "no head": (
        having(logits=lambda a: a["logits"] * 0),
        "logits are all 0, as with an untrained head",
    ),
}


@pytest.mark.parametrize("what", WRONG)
def test_wrong_content_is_refused_in_one_line(what: str, v2: Path, tmp_path: Path) -> None:
    make, said = WRONG[what]
    path = written(tmp_path / "truth.npz", make(right()[1]))
    options = ("--config", "num_attention_heads=4")
    outcome = command(
        *("verify", DATA / "trained/v2-finetuned.pth", v2, "--recorded", path, *options)
    )
    assert outcome.code == 1
    error = outcome.output.splitlines()[-1]
    assert re.search(rf"{re.escape(str(path))}: .*{said}", error), error
    assert "ok " not in outcome.output  # before anything takes time


def bomb(path: Path) -> None:
    """A small file whose array is of 60 GB."""
    header = {"descr": "<f4", "fortran_order": False, "shape": (2, 3, 8, 50_000, 50_000)}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        with archive.open("pixels.npy", "w") as file:
            np.lib.format.write_array_header_1_0(file, header)
        archive.writestr("logits.npy", b"")


def cut(path: Path) -> None:
    whole = written(path, right()[1]).read_bytes()
    path.write_bytes(whole[: len(whole) // 2])


def damaged(path: Path) -> None:
    whole = bytearray(written(path, right()[1]).read_bytes())
    whole[len(whole) // 2] ^= 0xFF
    path.write_bytes(bytes(whole))


def two_of_a_name(path: Path) -> None:
    written(path, right()[1])
    with pytest.warns(UserWarning, match="Duplicate name"), zipfile.ZipFile(path, "a") as archive:
        archive.writestr("logits.npy", b"")


def not_numpy(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("data.pkl", b"cos\nsystem\n.")


FILES: dict[str, tuple[Callable[[Path], object], str]] = {
    "none": (lambda _: None, "no such file"),
    "a folder": (lambda path: path.mkdir(), "no such file"),
    "empty": (lambda path: path.touch(), "not an .npz file, or a truncated one"),
    "an array": (lambda path: np.save(path.open("wb"), np.ones(3)), "not an .npz file"),
    "cut": (cut, "not an .npz file, or a truncated one"),
    "damaged": (damaged, "not an .npz file, or a truncated one: Bad CRC-32"),
    "a pickle": (not_numpy, "data.pkl is not an array of numpy.savez"),
    "huge": (
        bomb,
        r"pixels should hold \[2, 3, 8, 50000, 50000\] values of float32, but has 0 byt",
    ),
    "twice": (two_of_a_name, r"logits\.npy more than once"),
}


@pytest.mark.parametrize("what", FILES)
def test_broken_file_is_refused_in_one_line(what: str, tmp_path: Path) -> None:
    make, said = FILES[what]
    make(tmp_path / "truth.npz")
    reference, _ = right()
    with pytest.raises(ConversionError, match=rf"truth\.npz: .*{said}"):
        npz_file.read(tmp_path / "truth.npz", reference.architecture)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            lambda mask: mask[:1],
            r"mask has shape \[1, 128\], but should have \(clips, tokens\): \[2, 1",
        ),
        (lambda mask: mask.float() * 2, "mask has other values than True and False"),
        (lambda mask: mask | True, "mask hides 128 of 128 tokens"),
        (lambda mask: mask & torch.tensor([[True], [False]]), "mask hides 0, 96 of 128 tokens"),
    ],
)
def test_wrong_mask_is_refused(
    change: Callable[[Tensor], Tensor], said: str, tmp_path: Path
) -> None:
    reference, arrays = right("v1-pretrained")
    del arrays["features"]
    arrays["mask"] = change(arrays["mask"])
    path = written(tmp_path / "truth.npz", arrays)
    with pytest.raises(ConversionError, match=said):
        npz_file.read(path, reference.architecture)
    del arrays["mask"]
    with pytest.raises(ConversionError, match="the file lacks array 'mask'"):
        npz_file.read(written(path, arrays), reference.architecture)


def test_frames_that_could_be_channels_are_refused(tmp_path: Path) -> None:
    reference, arrays = right()
    reference.config["num_frames"] = 3
    arrays["pixels"] = arrays["pixels"][:, :, :3]
    with pytest.raises(
        ConversionError, match="with 3 frames and 3 channels the layout of pixels is unclear"
    ):
        npz_file.read(written(tmp_path / "truth.npz", arrays), reference.architecture)


@pytest.mark.parametrize("text", ["5", '{"shape": [1', '"truth.npz"'])
def test_option_that_is_neither_file_nor_mapping_is_refused(text: str, v2: Path) -> None:
    outcome = command("verify", DATA / "trained/v2-finetuned.pth", v2, f"--recorded={text}")
    assert outcome.code == 2
    assert "argument --recorded: " in outcome.output


# -- in the workflow -------------------------------------------------------------------------------


@pytest.mark.full
def test_file_of_an_entry_is_compared_and_another_one_verifies_again(finished: Workflow) -> None:
    opened = open_checkpoint(finished.folder / "own-1.pth")
    architecture = read_architecture(opened.shapes, opened.args, GIVEN["tiny-finetuned"])
    pixels = torch.randn(1, 4, 3, 32, 32)
    with torch.no_grad():
        logits = dict(Reference(opened.tensors, architecture).steps(pixels))[LOGITS]
    file = finished.folder / "my truth.npz"
    written(finished.folder / "older.npz", {"pixels": pixels, "logits": logits.flip(1)})
    written(file, {"pixels": pixels, "logits": logits})
    said = {"recorded": file.name}
    configure_tiny(finished, lambda variants: variants["own-1"].update(said))
    outcome = finished.run()
    assert outcome.code == 0, outcome.output
    assert jobs(outcome) == every("card", "verify", variants=("own-1",))
    status = "verified against your recorded outputs (synthetic weights)"
    assert status in row(outcome, "own-1")
    assert status in command("status", "--directory", finished.folder).output
    card = (finished.results / "models/own-1/README.md").read_text()
    assert "Status: **verified against your recorded outputs**" in card
    assert "its network and this folder give the same outputs" in card
    assert "my truth" not in card

    (finished.folder / "older.npz").replace(file)
    outcome = finished.run()
    assert jobs(outcome) == every("verify", variants=("own-1",))
    assert "FAILED at verify" in row(outcome, "own-1")
    assert "gives other logits than my truth.npz has" in outcome.output
    assert not (finished.results / "verification/own-1.json").exists()


def test_file_belongs_to_one_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("a.pth", "b.pth"):
        Path(name).touch()
    said: dict[str, Any] = {"recorded": "truth.npz"}
    alone = ad_hoc.variants(settings.parse({**said, "checkpoints": "a*.pth"}))
    assert alone is not None
    assert alone["a"].recorded == "truth.npz"
    with pytest.raises(ConversionError, match=r"there are 2: a\.pth, b\.pth; give one, or write"):
        ad_hoc.variants(settings.parse({**said, "checkpoints": "*.pth"}))
    with pytest.raises(ConversionError, match="recorded: this key describes one checkpoint"):
        ad_hoc.variants(settings.parse(said))
