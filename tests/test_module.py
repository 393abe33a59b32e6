"""The workflow as a module of somebody else's, as examples/module imports it."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml

from tests.conftest import ROOT, Workflow, jobs

EXAMPLE = ROOT / "examples/module"


@pytest.fixture
def example(tmp_path: Path) -> Workflow:
    """Give a copy of the example that imports this project, and a folder to run it in."""
    copy, folder = tmp_path / "example", tmp_path / "elsewhere"
    shutil.copytree(EXAMPLE, copy, ignore=shutil.ignore_patterns(".snakemake", "results"))
    text = (copy / "Snakefile").read_text()
    assert '"../../Snakefile"' in text
    (copy / "Snakefile").write_text(text.replace("../../Snakefile", str(ROOT / "Snakefile")))
    folder.mkdir()
    (copy / "config.yaml").rename(folder / "config.yaml")
    return Workflow(folder, copy / "Snakefile")


def test_config_that_holds_what_ours_may_not_is_none_of_ours(example: Workflow) -> None:
    with (example.folder / "config.yaml").open("a") as file:
        file.write("of its own: {a: 1, a: 2}\n")
    outcome = example.run("--dry-run")
    assert outcome.code == 0, outcome.output
    assert "localrules directive" not in outcome.output  # which would name rules by other names


@pytest.mark.full
@pytest.mark.parametrize(
    ("moved", "results"),
    [
        ("", "results"),
        ('prefix: "theirs"', "theirs/results"),
        ('replace_prefix: {"results/": "theirs/"}', "theirs"),
    ],
)
def test_verified_folder_is_input_of_anothers_rule(
    moved: str, results: str, example: Workflow
) -> None:
    text = example.snakefile.read_text()
    example.snakefile.write_text(text.replace("    config:\n", f"    {moved}\n    config:\n", 1))
    outcome = example.run()
    assert outcome.code == 0, outcome.output
    steps = [f"videomae_{step} tiny-finetuned" for step in ("convert", "download", "receipt")]
    assert jobs(outcome) == ["features tiny-finetuned", *steps, "videomae_verify tiny-finetuned"]
    assert np.load(example.folder / "features/tiny-finetuned.npy").shape == (1, 48)
    assert (example.folder / results / "verification/tiny-finetuned.json").exists()
    assert "Nothing to be done" in example.run().output
    drawn = example.run("videomae_pages")
    assert drawn.code == 0, drawn.output
    page = (example.folder / results / "report/variants/tiny-finetuned.html").read_text()
    assert "data:image/jpeg;base64," in page


@pytest.mark.full
def test_folder_that_is_not_verified_is_not_used(example: Workflow) -> None:
    config = yaml.safe_load((example.folder / "config.yaml").read_text())
    del config["videomae"]["variants"]["tiny-finetuned"]["config"]
    (example.folder / "config.yaml").write_text(yaml.safe_dump(config))
    outcome = example.run()
    assert outcome.code == 1
    assert "num_attention_heads" in outcome.output
    assert not (example.folder / "features").exists()
