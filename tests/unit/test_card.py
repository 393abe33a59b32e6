"""The model card: what it states, that the hub would take it, and that what it shows runs."""

import copy
import json
import re
import shutil
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import torch
import yaml
from huggingface_hub import ModelCard
from transformers import AutoImageProcessor, AutoModelForVideoClassification, pipeline
from videomae.config import settings
from videomae.convert.model_folder import CLASSES
from videomae.errors import ConversionError
from videomae.model import datasets
from videomae.model.architecture import Kind
from videomae.publish import metadata
from videomae.publish.model_card import Stated, model_card

from tests.conftest import DATA, ROOT, SEVEN_LABELS, Workflow, command, snippets

RECEIPT = {"source": "gdrive:1MzwteHH-1yuMnFb8vRBQDvngV1Zl-d3z", "sha256": "ab" * 32}
FIRST_SCREEN = 45  # lines
LABELS = SEVEN_LABELS.splitlines()
ZOO = "https://example.org/MODEL_ZOO.md"
PUBLISHED = {"dataset": "Kinetics-400", "top1": 81.5, "top5": 95.1, "source": ZOO}
STATED = Stated(
    license="cc-by-nc-4.0",
    published=PUBLISHED,
    datasets=["Kinetics-400"],
    base_model="lab/videomae-base",
)


@pytest.fixture
def report(finished: Workflow) -> dict[str, Any]:
    """A report as verification writes it, of trained weights."""
    content: dict[str, Any] = json.loads((finished.results / "verification/own-1.json").read_text())
    return {**content, "rehearsal": None, "checkpoint": {"sha256": RECEIPT["sha256"], "bytes": 1}}


def read(card: str) -> Any:
    """Read a card's metadata as the hub's client does."""
    return ModelCard(card).data


def head(card: str) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load(card.split("---")[1])
    return content


def body(card: str) -> str:
    return " ".join(card.split("---", 2)[2].split())


# -- its first screen ------------------------------------------------------------------------------


@pytest.mark.parametrize("stated", [STATED, Stated()])
@pytest.mark.parametrize("kind", ["classifier", "pretraining", "encoder"])
def test_first_screen_has_model_use_source_check_assumptions_and_limits(
    kind: Kind, stated: Stated, report: dict[str, Any]
) -> None:
    card = model_card({**report, "kind": kind}, RECEIPT, stated)
    lines = card.split("---\n", 2)[2].strip().splitlines()
    screen = "\n".join(lines[:FIRST_SCREEN])
    assert lines[0] == "# own-1"
    for words in (
        *("Hugging Face transformers", f"| Class | `{CLASSES[kind]}` |", "| Input | 4 frames of"),
        *("## How to use", f'{CLASSES[kind]}.from_pretrained("own-1")', "print("),
        f"| Converted from | `{RECEIPT['source']}` ([checksums](#source)) |",
        f"| Checked | **{report['status']}**; largest difference of any output",
        f"| Assumed | {len(report['assumptions'])} properties that no tensor shows ([list](#what-",
        "| Limits | exactly 4 frames, which you choose",
    ):
        assert words in screen, words
    headings = {
        line.removeprefix("## ").lower().replace(" ", "-")
        for line in lines
        if line.startswith("## ")
    }
    linked = set(re.findall(r"\]\(#(.*?)\)", card))
    assert linked <= headings
    assert len(linked) == 4


@pytest.mark.parametrize("kind", ["classifier", "pretraining", "encoder"])
def test_card_is_in_plain_words(kind: str, report: dict[str, Any]) -> None:
    said = body(model_card({**report, "kind": kind}, RECEIPT, STATED)).lower()
    for words in ("whoever", "rehears", "at hand", "held to", "brought", "rightly", " part at "):
        assert words not in said


# -- what it states --------------------------------------------------------------------------------


def test_card_states_source_hashes_and_figures(report: dict[str, Any]) -> None:
    card = model_card(report, RECEIPT, STATED)
    assert RECEIPT["source"] in card
    assert RECEIPT["sha256"] in card
    assert report["sha256"]["model.safetensors"] in card
    assert f"{report['max_abs_difference']:.2g} (allowed" in card
    for digest in (RECEIPT["sha256"], report["sha256"]["model.safetensors"]):
        assert f"| `{digest}` |" in card.split("## Source")[1]
    assert "Synthetic" not in card
    assert head(card)["license"] == "cc-by-nc-4.0"
    assert head(card)["pipeline_tag"] == "video-classification"


def test_nothing_is_assumed_of_what_nobody_states(report: dict[str, Any]) -> None:
    card = model_card(report, RECEIPT)
    absent = ("license", "license_name", "license_link", "datasets", "base_model", "model-index")
    assert not set(absent) & head(card).keys()
    for words in ("The authors report", "Trained on", "Fine-tuned from", "authors' test"):
        assert words not in card
    assert "a PyTorch checkpoint in the format of the [authors' code]" in body(card)


def test_accuracy_is_the_authors_with_their_protocol_and_never_called_verified(
    report: dict[str, Any],
) -> None:
    card = model_card(report, RECEIPT, STATED)
    views = (
        "15 views of each video (5 clips x 3 crops; a clip has 4 frames: every fourth frame of a "
        "section of the video)"
    )
    said = f"report [81.5 % top-1 and 95.1 % top-5]({ZOO}) on Kinetics-400, averaged over {views}."
    assert f"{said} The accuracy of this conversion was not measured." in body(card)
    results = read(card).eval_results
    assert [(result.metric_name, result.metric_value) for result in results] == [
        ("Top-1 accuracy, reported by the authors", 81.5),
        ("Top-5 accuracy, reported by the authors", 95.1),
    ]
    for result in results:
        assert (result.metric_type, result.task_type) == ("accuracy", "video-classification")
        assert (result.dataset_type, result.dataset_name) == ("kinetics-400", "Kinetics-400")
        assert result.metric_args == {"clips": 5, "crops": 3}
        assert (result.source_name, result.source_url) == (
            *("reported by the authors, not measured on this conversion", ZOO),
        )
        assert result.verified is None


def test_protocol_that_is_not_known_is_not_stated(report: dict[str, Any]) -> None:
    published = {"dataset": "lab/own-videos", "top1": 50, "source": ZOO}
    card = model_card(report, RECEIPT, Stated(published=published))
    assert f"report [50 % top-1]({ZOO}) on lab/own-videos. The accuracy of this" in body(card)
    (result,) = head(card)["model-index"][0]["results"]
    (metric,) = result["metrics"]
    assert metric == {
        "name": "Top-1 accuracy, reported by the authors",
        "type": "accuracy",
        "value": 50,
    }


def test_data_sets_come_from_config_or_else_from_the_training_options(
    report: dict[str, Any],
) -> None:
    trained = {**report, "data_set": "Something-Something V2"}
    card = model_card(trained, RECEIPT)
    assert head(card)["datasets"] == ["something-something-v2"]
    assert "| Trained on | Something-Something V2 |" in card
    card = model_card(trained, RECEIPT, Stated(datasets=["Kinetics-400", "lab/own-videos"]))
    assert head(card)["datasets"] == ["kinetics-400", "lab/own-videos"]


def test_base_model_is_for_the_hub_only_with_its_owner(report: dict[str, Any]) -> None:
    card = model_card(report, RECEIPT, Stated(base_model="lab/videomae-base"))
    assert head(card)["base_model"] == "lab/videomae-base"
    card = model_card(report, RECEIPT, Stated(base_model="videomae-base"))
    assert "base_model" not in head(card)
    assert "| Fine-tuned from | videomae-base |" in card


def test_synthetic_weights_have_nothing_of_what_the_authors_trained(
    report: dict[str, Any],
) -> None:
    synthetic = {**report, "rehearsal": "never trained", "data_set": "UCF101"}
    card = model_card(synthetic, RECEIPT, STATED)
    assert not {"datasets", "base_model", "model-index"} & head(card).keys()
    for words in ("81.5", "95.1", "The authors report", "Trained on", "Fine-tuned from"):
        assert words not in card


def test_card_of_synthetic_weights_warns_before_anything_else(finished: Workflow) -> None:
    card = Path(finished.results / "models/own-0/README.md").read_text()
    assert card.index("Synthetic weights, not") < card.index("## How to use")
    assert "synthetic-weights" in head(card)["tags"]


def test_card_states_the_releases_it_was_tested_with(report: dict[str, Any]) -> None:
    loader = {"left over": ["videomae.encoder.layer.{0...1}.attention.attention.query.bias"]}
    cells = [
        {"transformers": "4.57.6", "max_abs_difference": 2.5e-7, "loader": loader},
        {"transformers": "5.24.0", "max_abs_difference": 0.0, "loader": {"left over": []}},
    ]
    card = model_card(report, RECEIPT, loaded=cells)
    assert "| 4.57.6 | 2.5e-07 | left over: query.bias |\n| 5.24.0 | 0 | none |" in card
    assert "| 4.57.6 |" in card.split("## Tested with")[1].split("\n## ")[0]
    alone = f"transformers {report['versions']['transformers']}. Other releases were not tested."
    assert alone not in card
    assert alone in model_card(report, RECEIPT).split("## Tested with")[1]


def test_measured_accuracy_is_apart_from_the_stated_and_of_these_weights_only(
    report: dict[str, Any],
) -> None:
    share = {"percent": 42.0, "interval_95": [40.1, 43.9]}
    scores = {
        **{"videos": 2500, "list": "val.csv", "list_sha256": "cd" * 32, "as_authors": False},
        **{"protocol": {"name": "kinetics400", "clips": 5, "crops": 3}, "unreadable": {"a": "cut"}},
        **{"top1": share, "top5": share, "sha256": report["sha256"]},
    }
    card = model_card(report, RECEIPT, STATED, scores=[scores])
    stated, measured = body(card).split("## Measured accuracy")
    assert "81.5 % top-1" in stated
    assert "is under [Measured accuracy](#measured-accuracy)" in stated
    assert "42.00" not in stated
    assert "on the 2500 videos of `val.csv`" in measured
    assert "| top-1 | 42.00 | 40.1 to 43.9 |" in measured
    assert "Videos that could not be read: 1. They count as wrong." in measured
    assert "whoever" not in measured
    values = [result.metric_value for result in read(card).eval_results]
    assert values == [81.5, 95.1]
    others = {**scores, "sha256": {"model.safetensors": "0"}}
    assert model_card(report, RECEIPT, STATED, scores=[others]) == model_card(
        report, RECEIPT, STATED
    )


@pytest.mark.parametrize(
    ("recorded", "said"),
    [
        ({"status": "none"}, "- Recorded outputs: not compared."),
        ({"status": "skipped"}, "- Recorded outputs: not compared."),
        (
            {"status": "agrees", "max_abs_difference": 2e-6, "tolerance": 1e-4},
            "they match; the largest difference is 2e-06 (allowed: 0.0001)",
        ),
        (
            {"status": "differs", "max_abs_difference": 0.1, "tolerance": 1e-4},
            "- **Recorded outputs, computed earlier by other code, differ** by 0.1 (allowed",
        ),
    ],
)
def test_card_says_how_recorded_outputs_compared(
    report: dict[str, Any], recorded: dict[str, Any], said: str
) -> None:
    assert said in body(model_card({**report, "recorded": recorded}, RECEIPT))


def test_limits_say_what_holds_for_the_kind(report: dict[str, Any]) -> None:
    limits = body(model_card(report, RECEIPT, STATED)).split("## Limits")[1]
    assert "ImageNet's mean and standard deviation" in limits
    assert "takes exactly 4 frames" in limits
    assert "In the authors' test they are every fourth frame of a section" in limits
    assert "Without torchvision it takes the first 4 frames of a file" in limits
    assert "take 4 frames spread evenly over the file, and ignore `frame_sampling_rate`" in limits
    assert "Accuracy on videos" in limits
    assert "No classes" not in limits
    limits = body(model_card({**report, "kind": "pretraining"}, RECEIPT)).split("## Limits")[1]
    assert "No classes" in limits
    assert "pipeline" not in limits


# -- all in config.yaml ----------------------------------------------------------------------------


def test_cards_of_all_variants_state_what_config_states(
    report: dict[str, Any], tmp_path: Path
) -> None:
    config = yaml.safe_load((ROOT / "config.yaml").read_text())
    asked = settings.read({**config, "models": "all"}, ("kinetics400", "k710", "ssv2", "ucf101"))
    (tmp_path / "receipt.json").write_text(json.dumps(RECEIPT))
    for name, variant in asked.variants.items():
        published = variant.entry.published
        data_set = published.dataset if published else None
        classes = datasets.TITLED[data_set].classes if data_set else None
        content = {**report, "variant": name, "classes": classes}
        (tmp_path / "report.json").write_text(json.dumps(content))
        files = (tmp_path / "report.json", tmp_path / "receipt.json", tmp_path / f"{name}.md")
        outcome = command("card", *files, *variant.card_options(asked.license, "lab"))
        assert outcome.code == 0, outcome.output
        data = read(files[-1].read_text())
        stated = published.given if published else {}
        assert [result.metric_value for result in data.eval_results or []] == [
            stated[key] for key in ("top1", "top5") if key in stated
        ]
        assert ("finetuned" in name) == (data.base_model is not None)
        assert data.license == "cc-by-nc-4.0"
        assert len(data.datasets or ()) == len(variant.entry.datasets or ())
        theirs, others = (
            ("MCG-NJU/VideoMAE)", "2203.12602"),
            ("OpenGVLab/VideoMAEv2)", "2303.16727"),
        )
        if name.startswith("videomae2-"):
            theirs, others = others, theirs
        first = body(files[-1].read_text()).split(". ")[0]
        assert all(address in first for address in theirs)
        assert not any(address in first for address in others)


@pytest.mark.parametrize(
    ("kind", "classes", "has"),
    [("classifier", 174, "has 174 classes"), ("pretraining", None, "has no head")],
)
def test_accuracy_on_a_data_set_of_other_classes_is_refused(
    kind: str, classes: int | None, has: str, report: dict[str, Any], tmp_path: Path
) -> None:
    files = [tmp_path / name for name in ("report.json", "receipt.json", "README.md")]
    files[1].write_text(json.dumps(RECEIPT))
    options = (f"--published={json.dumps(PUBLISHED)}",)
    files[0].write_text(json.dumps({**report, "kind": kind, "classes": classes}))
    outcome = command("card", *files, *options)
    assert outcome.code == 1
    said = "error: published: Kinetics-400 has 400 classes, but "
    assert (
        f"{said}this network {has}, so the accuracy can't be its own; correct `published`"
        in outcome.output
    )
    assert not files[2].exists()
    files[0].write_text(json.dumps({**report, "classes": 400}))
    assert command("card", *files, *options).code == 0
    own = json.dumps({**PUBLISHED, "dataset": "lab/own-videos"})
    files[0].write_text(json.dumps({**report, "classes": 7}))
    assert command("card", *files, f"--published={own}").code == 0


# -- whether the hub would take it -----------------------------------------------------------------


def test_metadata_survives_the_text_as_it_was_meant(report: dict[str, Any]) -> None:
    card = model_card(report, RECEIPT, STATED)
    assert read(card).to_dict() == head(card)
    other = Stated(license="other", license_name="our-license", license_link="LICENSE")
    assert head(model_card(report, RECEIPT, other))["license_name"] == "our-license"


RESULT = ("model-index", 0, "results", 0)


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (("license",), "my own", "license: 'my own' is not an identifier of the hub"),
        (("license",), ["mit"], r"license: \['mit'\] is not an identifier"),
        (("license",), "other", "license: other needs both license_name and license_link"),
        (("library_name",), "keras", "library_name is 'keras', but should be transformers"),
        (
            ("pipeline_tag",),
            "videos",
            "pipeline_tag is 'videos', but should be video-classification",
        ),
        (("datasets",), "ssv2", "datasets is 'ssv2', but should be a list of texts"),
        (("tags", 0), 7, r"tags is \[7, .*should be a list of texts"),
        (("datasets", 0), 400, r"datasets is \[400\], but should be a list of texts"),
        (("datasets", 0), "Kinetics 400", "datasets: Repo id must .*Kinetics 400"),
        (
            ("base_model",),
            "videomae-base",
            "base_model is 'videomae-base', but should be OWNER/NAME",
        ),
        (("base_model",), "lab/a--b", "base_model: .*a--b"),
        (("base_model",), "lab/base/2", "base_model: .*lab/base/2"),
        ((*RESULT, "dataset", "type"), 400, "dataset.type of a result is 400"),
        ((*RESULT, "metrics", 0, "value"), "81.5 %", "value of a result is '81.5 %'"),
        ((*RESULT, "metrics", 0, "verified"), True, "verified, which only the hub may do"),
        ((*RESULT, "metrics", 0), {"value": 1}, "metadata can't be read: Invalid `model_index`"),
        ((*RESULT, "source"), {"name": "us"}, "metadata can't be read"),
    ],
)
def test_metadata_that_the_hub_would_refuse_is_one_message(
    report: dict[str, Any], path: tuple[Any, ...], value: Any, said: str
) -> None:
    data = copy.deepcopy(head(model_card(report, RECEIPT, STATED)))
    metadata.check(f"---\n{yaml.safe_dump(data)}---\n")
    place: Any = data
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    with pytest.raises(ConversionError, match=said):
        metadata.check(f"---\n{yaml.safe_dump(data)}---\n")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("---\nlicense: [\n---\n", "metadata can't be read"),
        ("---\n- mit\n---\n", "metadata can't be read: repo card metadata block should be a dict"),
        ("# A model\n", "library_name is None"),
    ],
)
def test_head_that_can_not_be_read_is_one_message(text: str, said: str) -> None:
    with pytest.raises(ConversionError, match=said):
        metadata.check(text)


def test_command_refuses_such_a_card_and_writes_none(
    report: dict[str, Any], tmp_path: Path
) -> None:
    (tmp_path / "report.json").write_text(json.dumps(report))
    (tmp_path / "receipt.json").write_text(json.dumps(RECEIPT))
    files = (tmp_path / "report.json", tmp_path / "receipt.json", tmp_path / "README.md")
    outcome = command("card", *files, "--license=my own")
    assert outcome.code == 1
    assert "error: license: 'my own' is not an identifier of the hub" in outcome.output
    assert not files[-1].exists()


def test_command_refuses_a_receipt_of_another_checkpoint_than_was_verified(
    report: dict[str, Any], tmp_path: Path
) -> None:
    (tmp_path / "report.json").write_text(json.dumps(report))
    (tmp_path / "receipt.json").write_text(json.dumps({**RECEIPT, "sha256": "cd" * 32}))
    files = (tmp_path / "report.json", tmp_path / "receipt.json", tmp_path / "README.md")
    outcome = command("card", *files)
    assert outcome.code == 1
    assert f"SHA-256 {'ab' * 32}, but its receipt says {'cd' * 32}; run again" in outcome.output
    assert not files[-1].exists()


# -- that it runs ----------------------------------------------------------------------------------


def write_video(path: Path, frames: int = 20, side: int = 48) -> None:
    """Write a short mp4 of a pattern that moves."""
    y, x, c = np.ogrid[:side, : side + 16, :3]
    with av.open(str(path), "w") as file:
        stream = file.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = side + 16, side, "yuv420p"
        for number in range(frames):
            picture = ((7 * number + 3 * x + 5 * y * (c + 1)) % 256).astype(np.uint8)
            file.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        file.mux(stream.encode())


@pytest.mark.parametrize("variant", ["own-1", "tiny-pretraining"])
def test_snippets_of_the_card_run(
    variant: str,
    finished: Workflow,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(finished.results / "models")
    write_video(Path("video.mp4"))
    shown = snippets(Path(variant, "README.md").read_text())
    printed = {
        "own-1": ["label ", "label ", "out_features=2"],
        "tiny-pretraining": ["tensor(", "tensor("],
    }
    for snippet, words in zip(shown, printed[variant], strict=True):
        exec(snippet, {})
        assert words in capsys.readouterr().out


def test_pipeline_without_torchvision_takes_the_frames_that_the_card_says(
    finished: Workflow, tmp_path: Path
) -> None:
    folder, file = finished.results / "models/own-1", tmp_path / "short.mp4"
    write_video(file)
    classify = pipeline("video-classification", model=str(folder))
    for rate in (1, 4):
        found = classify(str(file), top_k=7, frame_sampling_rate=rate)
        frames = np.linspace(0, 4 * rate - 1, 4, dtype=int)
        expected = scores(folder, [decode(file)[number] for number in frames])
        given = [next(g["score"] for g in found if g["label"] == label) for label in LABELS]
        assert given == pytest.approx(expected, rel=1e-5)


def decode(file: Path) -> list[Any]:
    with av.open(str(file)) as opened:
        return [frame.to_ndarray(format="rgb24") for frame in opened.decode(video=0)]


def scores(folder: Path, frames: list[Any]) -> list[float]:
    """Give the probability of each class for the frames, by the Auto classes."""
    processor = AutoImageProcessor.from_pretrained(folder)
    model = AutoModelForVideoClassification.from_pretrained(folder)
    with torch.no_grad():
        found: list[float] = model(**processor(frames, return_tensors="pt")).logits[0].softmax(-1)
    return [float(score) for score in found]


@pytest.mark.parametrize(
    ("stated", "length", "chosen"),
    [
        (Stated(), 40, [5, 15, 25, 35]),  # the middle of each of four parts
        (Stated(datasets=["Something-Something V2"]), 40, [5, 15, 25, 35]),
        (Stated(datasets=["Kinetics-400"]), 40, [14, 18, 22, 26]),  # every fourth, in the middle
        (STATED, 10, [1, 3, 6, 8]),  # a video that is shorter than such a stretch
        (STATED, 2, [0, 0, 1, 1]),
    ],
)
def test_snippet_takes_frames_as_in_training_and_names_the_likeliest_labels(
    stated: Stated,
    length: int,
    chosen: list[int],
    report: dict[str, Any],
    finished: Workflow,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(finished.results / "models")
    write_video(Path("video.mp4"), frames=length)
    _, snippet, _ = snippets(model_card(report, RECEIPT, stated))
    exec(snippet, {})
    frames = decode(Path("video.mp4"))
    assert len(frames) == length
    expected = scores(Path("own-1"), [frames[number] for number in chosen])
    best = sorted(zip(expected, LABELS, strict=True), reverse=True)[:5]
    assert capsys.readouterr().out.splitlines() == [f"{score:.3f} {name}" for score, name in best]


def test_snippet_reads_the_film_and_not_its_cover(
    report: dict[str, Any],
    finished: Workflow,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(finished.results / "models")
    _, snippet, _ = snippets(model_card(report, RECEIPT, STATED))
    printed = []
    for name in ("bare", "covered"):
        shutil.copy(DATA / f"videos/{name}.mp4", "video.mp4")
        exec(snippet, {})
        printed.append(capsys.readouterr().out)
    assert printed[0] == printed[1]
    assert len(printed[0].splitlines()) == 5


# -- what no file tells, and the last norm's eps ---------------------------------------------------


def test_card_marks_heads_that_nothing_can_check(report: dict[str, Any]) -> None:
    card = model_card(report, RECEIPT)
    assert "| Network | width 48, 2 layers, 3 heads (set by hand, cannot be checked); " in card
    told = {**report, "origin": {**report["origin"], "num_attention_heads": "args.model"}}
    assert "3 heads (args.model); " in model_card(told, RECEIPT)


def test_card_bounds_what_the_last_norms_eps_does(report: dict[str, Any]) -> None:
    bound = {"smallest_variance": 0.25, "shrinks": 1.8e-5}
    card = body(model_card({**report, "eps_effect": 3.1e-5, "eps_bound": bound}, RECEIPT))
    assert "On the clips of the check it changes the outputs by at most 3.1e-05" in card
    assert "The smallest variance before this LayerNorm was 0.25; at this variance or a" in card
    assert "shrink by at most 1.8e-05 of their size" in card
    nothing = {"smallest_variance": None, "shrinks": None}
    card = body(model_card({**report, "eps_effect": 0.0, "eps_bound": nothing}, RECEIPT))
    assert "transformers uses the network's eps, 1e-6, in every LayerNorm of this network" in card
    assert "changes the outputs" not in card
