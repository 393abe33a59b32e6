"""The README's commands exist and do what it says."""

import re
import shlex
import shutil
from pathlib import Path

import pytest
import yaml

from tests.conftest import DATA, ROOT, Workflow

README = (ROOT / "README.md").read_text()
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text()
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def test_make_targets_that_are_shown_exist() -> None:
    shown = set(re.findall(r"^make ([a-z-]+)", "\n".join(blocks("bash")) + CONTRIBUTING, re.M))
    assert {"rehearsal", "test", "setup"} <= shown <= TARGETS


def test_ci_runs_the_tests_lint_and_dry_runs() -> None:
    lines = (ROOT / ".ci/run").read_text().splitlines()
    assert {"make lint", "make dry-run", "make test"} <= set(lines)


def test_scripts_that_are_shown_exist() -> None:
    for script in re.findall(r"scripts/[a-z_/]+\.py", README + CONTRIBUTING):
        assert (ROOT / script).is_file(), script


def test_own_checkpoint_is_converted_by_the_config_that_is_shown(workflow: Workflow) -> None:
    example = yaml.safe_load(blocks("yaml")[0])
    shutil.copy(DATA / "trained/v1-cls.pth", workflow.folder / "checkpoint-best.pth")
    (workflow.folder / "labels.txt").write_text("a\nb\nc\nd\ne\n")
    workflow.configure(example["variants"])
    outcome = workflow.run()
    assert outcome.code == 0, outcome.output
    assert re.search(r"^my-model +verified, network assumed +", outcome.output, re.MULTILINE)


def test_push_is_set_up_as_shown(workflow: Workflow) -> None:
    push = yaml.safe_load(blocks("yaml")[1])["push"]
    shutil.copy(DATA / "trained/v1-cls.pth", workflow.folder / "it.pth")
    workflow.configure({"it": {"checkpoint": "it.pth"}}, push=push)
    outcome = workflow.run("--dry-run")
    assert outcome.code == 0, outcome.output
    assert "results/pushed/it.json" in outcome.output


def edges(mermaid: str) -> set[tuple[str, str]]:
    """Read the arrows of a graph, whatever numbers Snakemake gives the steps."""
    names = dict(re.findall(r"^\s*(id\d+)\[(\w+)\]", mermaid, re.MULTILINE))
    arrows = re.findall(r"^\s*(id\d+) --> (id\d+)", mermaid, re.MULTILINE)
    return {(names[one], names[other]) for one, other in arrows}


def test_graph_of_the_steps_is_the_one_that_snakemake_draws(tmp_path: Path) -> None:
    workflow = Workflow(tmp_path)
    shutil.copy(ROOT / "config.yaml", tmp_path)
    options = ("--rulegraph", "mermaid-js", "--config", "push={enabled: true, namespace: lab}")
    drawn = edges(workflow.run(*options).output)
    assert ("verify", "push") in drawn
    assert edges(blocks("mermaid")[0]) == drawn


@pytest.mark.full
def test_tasks_are_planned_by_the_commands_that_are_shown(tmp_path: Path) -> None:
    workflow = Workflow(tmp_path)
    shutil.copy(ROOT / "config.yaml", tmp_path)
    shutil.copy(DATA / "trained/v1-cls.pth", tmp_path / "best.pth")
    for name in ("DIR", "SHARED/results/checkpoints"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "LIST").touch()
    shown = re.findall(r"^\|.*\| `[^`]*snakemake ([^`]+)` \|", README, re.MULTILINE)
    assert len(shown) == 7
    for options in shown:
        outcome = workflow.run("--dry-run", "--quiet", "all", *shlex.split(options))
        assert outcome.code == 0, outcome.output


def test_make_targets_of_the_tasks_exist() -> None:
    assert set(re.findall(r"\| `make ([a-z-]+)`", README)) <= TARGETS


def test_links_of_the_documents_lead_somewhere() -> None:
    for document in (README, CONTRIBUTING):
        for target in re.findall(r"\]\((?!https://)([^)]+)\)", document):
            assert Path(ROOT / target).exists(), target
