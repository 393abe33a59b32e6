"""The report: its pages, plots and pictures, of what is done and of what has failed."""

import json
import re
from html import unescape
from pathlib import Path
from typing import Any

import pytest
import torch
from videomae.report import explanations, images, inputs, pages, plots
from videomae.verify import clips, summary
from videomae.verify.reference import patch_statistics, patches
from videomae.workflow import states

from tests.conftest import Workflow, command, configure_tiny, jobs

CONFIG = {"num_frames": 4, "image_size": 32, "tubelet_size": 2, "patch_size": 16}
REASON = "checkpoints/own-0.pth: tensor <head> & more"


def text_of(html: str) -> str:
    """Give what is read on a page."""
    body = re.sub(r"<(style|svg).*?</\1>", "", html, flags=re.DOTALL)
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", body)).split())


def fail(workflow: Workflow, variant: str) -> None:
    """Leave what a variant leaves whose verifying has failed."""
    for path in (f"verification/{variant}.json", f"models/{variant}/README.md"):
        (workflow.results / path).unlink()
    report = workflow.results / f"logs/verify/{variant}.json"
    report.write_text(report.read_text().replace('"passed": true', '"passed": false', 2))
    (workflow.results / f"logs/verify/{variant}.log").write_text(f"error: {REASON}\n")


@pytest.mark.full
def test_report_has_a_page_of_each_variant_failed_or_not_and_needs_nothing_else(
    finished: Workflow,
) -> None:
    empty = finished.run("--report", "empty.html")
    assert empty.code == 0, empty.output
    assert "This report has no pages yet" in (finished.folder / "empty.html").read_text()
    fail(finished, "own-0")
    stated = {"family": "VideoMAE V2"}
    configure_tiny(finished, lambda variants: variants["tiny-pretraining"].update(stated))
    chosen = ("--config", "models=tiny-pretraining,own-0")
    drawn = finished.run("pages", *chosen)
    assert drawn.code == 0, drawn.output
    assert jobs(drawn) == ["overview", "page own-0", "page tiny-pretraining", "pages"]
    gathered = finished.run("--report", "report.html", *chosen)
    assert gathered.code == 0, gathered.output
    for name in ("overview", "own-0", "tiny-pretraining"):
        assert f"Adding {name}.html" in gathered.output
    assert "This report has no pages yet" not in (finished.folder / "report.html").read_text()
    overview = text_of((finished.folder / inputs.OVERVIEW).read_text())
    assert "2 variants: 1 FAILED at verify; 1 verified, network assumed." in overview
    table = overview[overview.index("SHA-256") : overview.index("The columns")]
    assert " VideoMAE V2 pre-training model: " in table
    assert table.index("own-0") < table.index("tiny-pretraining")
    of_own, of_pretraining = (
        (finished.folder / inputs.PAGE.format(variant=name)).read_text()
        for name in ("own-0", "tiny-pretraining")
    )
    assert f" {REASON} What to do: Do not use this folder." in text_of(of_own)
    assert "again: it runs only the steps that are not done. log: results/logs/verify/own-0" in (
        text_of(of_own)
    )
    assert f"own-0 : FAILED at verify. {REASON} What to do: Do not use" in overview
    assert "data:image" not in of_own  # nothing is shown of a folder that is wrong
    assert of_pretraining.count("data:image/jpeg;base64,") == 3
    assert "family VideoMAE V2 " in text_of(of_pretraining)
    assert "num_attention_heads 3 set by hand" in text_of(of_pretraining)
    for page in (of_own, of_pretraining):
        assert not re.search(r"(src|href)=.(?!data:image|#)", page)  # a plot refers within itself
    assert jobs(finished.run("pages", *chosen)) == []


def test_page_says_what_its_pictures_are_of(finished: Workflow, tmp_path: Path) -> None:
    import numpy as np

    clip = tmp_path / "clip.npy"
    np.save(clip, clips.synthetic_clip(9, 40))  # of another length and size than the model's
    page = tmp_path / "page.html"
    model = finished.results / "models/own-1"
    options = ("--results", finished.results, "--model", model, "--clip", clip)
    outcome = command("report-page", "own-1", page, *options)
    assert outcome.code == 0, outcome.output
    said = text_of(page.read_text())
    assert "The clip clip.npy." in said
    assert re.search(r"Most likely labels .* label \d \d+\.\d %", said)


def test_page_of_a_variant_of_which_nothing_is_there(tmp_path: Path) -> None:
    facts = pages.Facts("it", tmp_path)
    assert "download not done" in text_of(pages.page(facts, None, ""))
    assert "1 variants: 1 download not done" in text_of(pages.overview([facts]))
    assert inputs.sources("it", tmp_path) == []


def test_page_of_a_push_that_failed_has_the_proof_and_the_releases_too(finished: Workflow) -> None:
    release = finished.results / "releases/models/own-1/4.57.6.json"
    release.parent.mkdir(parents=True)
    release.write_text('{"transformers": "4.57.6", "max_abs_difference": 2.5e-7}')
    log = finished.results / "logs/push/own-1.log"
    log.parent.mkdir()
    log.write_text("error: the hub says 403\n")
    said = text_of(pages.page(pages.Facts("own-1", finished.results, "push"), None, ""))
    assert " FAILED at push " in said
    assert " the hub says 403 What to do: Check the hub's token" in said
    assert "loaded tensors, bit by bit the loaded model's tensors are the checkpoint's ok" in said
    assert "largest difference 4.57.6 2.5e-07" in said


# -- explanations ----------------------------------------------------------------------------------

NOTES = ("", " (synthetic weights)", " (recorded outputs differ, synthetic weights)")


@pytest.mark.parametrize(
    "base", [summary.BY_YOURS, summary.BY_RECORDED, summary.ASSUMED, "verified"]
)
@pytest.mark.parametrize("end", states.ENDS.values())
@pytest.mark.parametrize("notes", NOTES)
def test_every_status_of_a_done_variant_is_explained(base: str, end: str, notes: str) -> None:
    explained = explanations.legend([base + end + notes])
    remarks = [end.removeprefix(", "), *notes.strip(" ()").split(", ")]
    assert list(explained) == [base, *filter(None, remarks)]
    assert all(line.endswith(".") for line in explained.values())


@pytest.mark.parametrize("step", states.STEPS)
def test_every_status_of_an_unfinished_variant_is_explained_with_what_to_do(step: str) -> None:
    for status in (f"FAILED at {step}", f"{step} not done"):
        assert list(explanations.legend([status])) == [status]
    said = explanations.next_step(step, "it is wrong", "it", Path("results"))
    assert said.endswith(explanations.AGAIN)
    assert "{" not in said
    killed = explanations.next_step(step, states.SILENT.format(1), "it", Path("results"))
    assert "videomae resume" in killed


def test_status_that_is_not_known_is_left_out() -> None:
    assert explanations.legend(["something else (synthetic weights)", "{}", ""]) == {
        "synthetic weights": explanations.REMARKS["synthetic weights"]
    }


def test_every_check_is_explained(finished: Workflow) -> None:
    for path in (finished.results / "verification").glob("*.json"):
        for check in json.loads(path.read_text())["checks"]:
            assert explanations.check(check["name"]), check
    assert explanations.check("function, nearly constant clip") == explanations.CHECKS["function"]
    assert explanations.check("filesystem") == ""


def test_every_heading_of_the_table_is_explained(finished: Workflow) -> None:
    html = pages.overview([pages.Facts("own-1", finished.results)])
    heads = {text_of(head.replace("<br>", " ")) for head in re.findall(r"<th[ >].*?</th>", html)}
    terms = {text_of(term) for term in re.findall(r"<dt>.*?</dt>", html)}
    assert heads
    assert heads <= terms


# -- pictures --------------------------------------------------------------------------------------


@pytest.mark.parametrize("norm_pix_loss", [True, False])
def test_right_prediction_of_the_hidden_patches_gives_the_frames(norm_pix_loss: bool) -> None:
    config = {**CONFIG, "norm_pix_loss": norm_pix_loss}
    frames = torch.rand(1, 4, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    mask = clips.tube_mask(config, 0.75)
    cut = patches(frames, config)
    average, deviation = patch_statistics(cut)
    wanted = (cut - average) / deviation if norm_pix_loss else cut
    predicted = wanted[mask].reshape(1, -1, wanted.shape[2] * 3)
    filled = images.fill(frames, mask, predicted, config)
    assert torch.allclose(filled, frames, atol=1e-6)
    other = images.fill(frames, mask, 1 - predicted, config)
    assert not torch.allclose(other, frames, atol=0.1)
    seen = images.hide(frames, mask, config) != images.GREY
    assert torch.equal(other[seen], frames[seen])
    assert seen.float().mean().isclose(1 - mask.float().mean())


def test_model_sees_the_same_patches_that_are_shown(converted: dict[str, Path]) -> None:
    clip = clips.synthetic_clip(4, 32)
    drawn = images.draw(converted["tiny-pretraining"], "pretraining", clip)
    assert [re.split("[:;]", name)[0] for name in drawn.strips] == [
        "original",
        "visible to the model",
        "reconstructed by the model",
    ]
    assert len(set(drawn.strips.values())) == 3


def test_picture_of_a_full_size_clip_is_whole_on_the_page(tmp_path: Path) -> None:
    shown = images.strip(torch.rand(1, 4, 3, 224, 224, generator=torch.Generator().manual_seed(0)))
    assert len(shown) > 100_000
    html = pages.page(pages.Facts("it", tmp_path), images.Pictures({"the clip": shown}), "")
    assert f'<img src="{shown}"' in html
    other = f'{shown}" onerror="x'
    html = pages.page(pages.Facts("it", tmp_path), images.Pictures({"the clip": other}), "")
    assert '" onerror' not in html


# -- plots -----------------------------------------------------------------------------------------


def test_plots_of_the_same_figures_are_the_same() -> None:
    steps = {f"encoder layer {number}, output": 1e-7 * number for number in range(40)}
    assert plots.layers(steps, 1e-5) == plots.layers(steps, 1e-5)
    assert plots.layers(steps, 1e-5) != plots.layers({**steps, "encoder layer 3, output": 1}, 1e-5)


@pytest.mark.parametrize("value", [float("inf"), float("nan"), 0.0, 1e30])
def test_any_difference_can_be_drawn(value: float) -> None:
    drawn = [plots.layers({"one": of, "other": 1e-7}, 1e-5) for of in (value, 1e-7)]
    marked = [plot.count(plots.WRONG) for plot in drawn]
    assert (marked[0] > marked[1]) == (value != 0.0)
    drawn = [plots.differences({"it": (of, None), "other": (None, 0.5)}) for of in (value, 0.1)]
    marked = [plot.count(plots.WRONG) for plot in drawn]
    assert (marked[0] > marked[1]) == (value != 0.0)


@pytest.mark.parametrize("points", [{}, {"verify": [(1e6, 2.0)]}, {"verify": []}])
def test_quantities_can_be_drawn_with_and_without_figures(points: dict[str, Any]) -> None:
    assert plots.by_size(points, "seconds").rstrip().endswith("</svg>")
