"""Every release of transformers in an environment of its own: what it makes of tiny folders.

`make test-releases`. The lists of what each loader reports are the ones that were recorded.
"""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file, save_file
from videomae.config.models import RELEASES

from tests.conftest import DATA, GIVEN, Outcome, Workflow
from tests.workflow.test_releases import with_sixteen_heads

VARIANTS = {
    "finetuned": {
        "checkpoint": "synthetic:tiny-finetuned",
        "config": GIVEN["tiny-finetuned"],
    },
    "pretraining": {
        "checkpoint": "synthetic:tiny-pretraining",
        "config": GIVEN["tiny-pretraining"],
    },
    # Of no classes: its logits are features.
    "headless": {
        "checkpoint": str(DATA / "relatives/hf-videomaev2.safetensors"),
        "config": {"num_attention_heads": 3, "num_frames": 8, "image_size": 64},
    },
}

# Which bias names a loader calls left over, and which missing.
OLD: tuple[list[str], list[str]] = (["query.bias", "value.bias"], [])
MIDDLE = (["q_bias", "v_bias"], ["key.bias"])
NEW: tuple[list[str], list[str]] = ([], [])
REPORTED = {
    "4.26.1": OLD,
    "4.57.6": OLD,
    "5.0.0": OLD,
    "5.5.1": MIDDLE,
    "5.12.1": MIDDLE,
    "5.17.0": MIDDLE,
    "5.20.2": NEW,
    "5.24.0": NEW,
}
WITHOUT_TORCHVISION = [name for name, reported in REPORTED.items() if reported == MIDDLE]


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> tuple[Workflow, Outcome]:
    """Run `snakemake releases` once, in all releases."""
    workflow = Workflow(tmp_path_factory.mktemp("releases"))
    workflow.configure(VARIANTS)
    return workflow, workflow.run("releases")


@pytest.mark.full
def test_our_folders_are_right_in_every_release(ran: tuple[Workflow, Outcome]) -> None:
    workflow, outcome = ran
    assert outcome.code == 0, outcome.output
    for variant in VARIANTS:
        for release in RELEASES:
            cell = cell_of(workflow, variant, release)
            assert cell["transformers"] == release
            assert cell["max_abs_difference"] <= cell["tolerance"] / 10


@pytest.mark.full
@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize("variant", VARIANTS)
def test_loader_reports_exactly_what_was_recorded(
    variant: str, release: str, ran: tuple[Workflow, Outcome]
) -> None:
    cell = cell_of(ran[0], variant, release)
    stacks = ["videomae.encoder.layer.{0...1}."]
    if variant == "pretraining":
        stacks.insert(0, "decoder.decoder_layers.0.")
    left_over, missing = (
        [f"{stack}attention.attention.{name}" for stack in stacks for name in names]
        for names in REPORTED[release]
    )
    assert cell["loader"] == {"left over": left_over, "missing": missing, "of another shape": []}
    refused = ["AutoImageProcessor"] if release in WITHOUT_TORCHVISION else []
    assert list(cell["processor refusals"]) == refused


def only(*short: str) -> Callable[[Path, Path], Path]:
    """Make a folder whose biases have one name each: without those that end so."""

    def make(folder: Path, published: Path) -> Path:
        shutil.copytree(folder, published)
        tensors = load_file(published / "model.safetensors")
        kept = {name: tensor for name, tensor in tensors.items() if not name.endswith(short)}
        assert len(kept) < len(tensors)
        save_file(kept, published / "model.safetensors", metadata={"format": "pt"})
        return published

    return make


@pytest.mark.full
@pytest.mark.parametrize(
    ("make", "wrong"),
    [
        (only("query.bias", "value.bias"), ["5.5.1", "5.12.1", "5.17.0"]),
        (only("q_bias", "v_bias"), ["4.26.1", "4.57.6", "5.0.0"]),
        (with_sixteen_heads, ["4.57.6", "5.24.0"]),
    ],
    ids=["only q_bias and v_bias", "only query.bias and value.bias", "16 heads"],
)
def test_folders_of_others_are_wrong_where_they_are(
    make: Callable[[Path, Path], Path],
    wrong: list[str],
    ran: tuple[Workflow, Outcome],
    tmp_path: Path,
) -> None:
    workflow, _ = ran
    releases = wrong if make is with_sixteen_heads else RELEASES
    published = make(workflow.results / "models/finetuned", tmp_path / "published")
    chosen = ("models=finetuned", f"published={published}", f"releases=[{','.join(releases)}]")
    outcome = workflow.run("releases", "--config", *chosen)
    assert outcome.code != 0
    for release in releases:
        right = workflow.results / f"releases/published/finetuned/{release}.json"
        assert right.exists() == (release not in wrong), release
        said = f"finetuned in {release}: {published} fails in transformers {release}"
        assert (said in outcome.output) == (release in wrong)


@pytest.mark.full
def test_environment_that_can_not_be_made_is_said_and_not_counted_as_right(
    workflow: Workflow,
) -> None:
    entry = {"checkpoint": "synthetic:tiny-finetuned", "config": GIVEN["tiny-finetuned"]}
    workflow.configure({"it": entry}, releases=["4.26.1"])
    nothing_to_install_from = {
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": "",
        "PIP_CONFIG_FILE": os.devnull,
    }
    outcome = workflow.run("releases", **nothing_to_install_from)
    assert outcome.code != 0
    assert "it in 4.26.1: transformers 4.26.1 and its pinned packages can't be" in outcome.output
    assert not list(workflow.results.glob("releases/**/*.json"))


def cell_of(workflow: Workflow, variant: str, release: str) -> dict[str, Any]:
    path = workflow.results / f"releases/models/{variant}/{release}.json"
    content: dict[str, Any] = json.loads(path.read_text())
    return content
