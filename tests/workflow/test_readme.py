"""Commands, snippets and paths in README.md and docs/ exist and do what the text says."""

import re
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path

import jsonschema
import pytest
import yaml
from videomae.cli.main import COMMANDS, _parsed
from videomae.config import schema
from videomae.verify import summary

from tests.conftest import DATA, ROOT, Workflow

README = (ROOT / "README.md").read_text()
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text()
PAGES = {path.name: path.read_text() for path in sorted((ROOT / "docs").glob("*.md"))}
FOR_USERS = "\n".join([README, *PAGES.values()])
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))

ROOMS = "docs|envs|examples|profiles|rehearsal|rules|scripts|tests"
# Words in the text that stand for a user's own.
PLACEHOLDER = re.compile(r"…|\b(PATH|YOUR|BUCKET|IMAGE|REGISTRY)\b|--profile|--sdm")


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def lines(program: str) -> Iterator[str]:
    """Yield the options of each line that runs a program, in blocks of the README and the pages."""
    for line in "\n".join(blocks(FOR_USERS, "bash")).replace("\\\n", " ").splitlines():
        if line.startswith(f"{program} ") and not PLACEHOLDER.search(line):
            yield line.removeprefix(f"{program} ").partition(" #")[0]


# -- what is named exists --------------------------------------------------------------------------


def test_make_targets_that_are_shown_exist() -> None:
    text = "\n".join(blocks(FOR_USERS, "bash")) + CONTRIBUTING
    shown = set(re.findall(r"^make ([a-z-]+)", text, re.MULTILINE))
    assert {"rehearsal", "test", "setup"} <= shown <= TARGETS


def test_make_targets_in_the_text_exist() -> None:
    shown = set(re.findall(r"`make ([a-z-]+)", FOR_USERS + CONTRIBUTING))
    assert {"resume", "docs"} <= shown <= TARGETS


def test_ci_runs_the_tests_lint_pages_and_dry_runs() -> None:
    run = (ROOT / ".ci/run").read_text().splitlines()
    assert {"make lint", "make docs", "make dry-run", "make test"} <= set(run)


def test_files_that_are_shown_exist() -> None:
    paths = re.findall(rf"`((?:{ROOMS})/[\w./-]*)`", FOR_USERS + CONTRIBUTING)
    paths += re.findall(r"scripts/[a-z_/]+\.py", FOR_USERS + CONTRIBUTING)
    assert {"examples/module", "envs/Containerfile"} <= set(paths)
    for path in paths:
        assert (ROOT / path).exists(), path


def test_pages_that_code_and_settings_name_exist() -> None:
    sources = [*(ROOT / "scripts").rglob("*.py"), *(ROOT / "rules").glob("*.smk")]
    sources += [ROOT / name for name in ("config.yaml", "Makefile", "CONTRIBUTING.md")]
    named = {
        page
        for source in sources
        for page in re.findall(r"(?<![\w/-])docs/[\w-]+\.md", source.read_text())
    }
    assert "docs/verification.md" in named
    assert all((ROOT / page).exists() for page in named), named


def test_videomae_commands_that_are_shown_parse(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    named = set(re.findall(r"`videomae ([a-z-]+)", FOR_USERS))
    assert {"inspect", "verify", "restore"} <= named <= set(COMMANDS)
    shown = [shlex.split(line) for line in lines("videomae")]
    assert len(shown) >= 6
    for options in shown:
        assert _parsed(options).run, options


def test_table_of_the_rehearsal_has_the_words_of_the_status() -> None:
    shown = f"{summary.BY_RECORDED}{summary.notes({'rehearsal': True})} "
    rows = re.findall(r"^videomae-\S+ +(.*)", README, re.MULTILINE)
    assert len(rows) == 3
    assert all(row.startswith(shown) for row in rows)


def test_statuses_of_the_page_are_those_of_the_code() -> None:
    for status in (summary.BY_RECORDED, summary.BY_YOURS, summary.ASSUMED):
        assert f"| {status} |" in PAGES["verification.md"]


@pytest.mark.parametrize("name", sorted(PAGES))
def test_settings_that_are_shown_are_allowed(name: str) -> None:
    """They are a config.yaml, or keys of one entry."""
    whole = schema.schema()
    for block in blocks(PAGES[name], "yaml"):
        content = yaml.safe_load(block)
        if content is None:  # a comment alone
            continue
        if not content.keys() <= whole["properties"].keys():
            content = {"variants": {"it": {"checkpoint": "it.pth", **content}}}
        jsonschema.validate(content, whole)


# -- what is shown works ---------------------------------------------------------------------------


def test_own_checkpoint_is_converted_by_the_config_that_is_shown(workflow: Workflow) -> None:
    example = yaml.safe_load(blocks(PAGES["own-checkpoints.md"], "yaml")[0])
    shutil.copy(DATA / "trained/v1-cls.pth", workflow.folder / "checkpoint-best.pth")
    (workflow.folder / "labels.txt").write_text("a\nb\nc\nd\ne\n")
    workflow.configure(example["variants"])
    outcome = workflow.run()
    assert outcome.code == 0, outcome.output
    assert re.search(r"^my-model +verified, network assumed +", outcome.output, re.MULTILINE)


def test_push_is_set_up_as_shown(workflow: Workflow) -> None:
    push = yaml.safe_load(blocks(PAGES["publishing.md"], "yaml")[0])["push"]
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
    assert edges(blocks(PAGES["internals.md"], "mermaid")[0]) == drawn


@pytest.fixture
def furnished(tmp_path: Path) -> Workflow:
    """Give a folder with the files that the commands name."""
    shutil.copy(ROOT / "config.yaml", tmp_path)
    for name in ("best.pth", "checkpoint-best.pth", "detector.pth"):
        shutil.copy(DATA / "trained/v1-cls.pth", tmp_path / name)
    for name in ("DIR", "SHARED/results/checkpoints"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "LIST").touch()
    (tmp_path / "val.csv").write_text("a.mp4 0\n")
    (tmp_path / "truth.npz").touch()
    (tmp_path / "labels.txt").write_text("a\nb\nc\nd\ne\n")
    return Workflow(tmp_path)


@pytest.mark.full
def test_tasks_are_planned_by_the_commands_that_are_shown(furnished: Workflow) -> None:
    shown = re.findall(r"^\|.*\| `[^`]*snakemake ([^`]+)` \|", PAGES["index.md"], re.MULTILINE)
    assert len(shown) == 7
    for options in shown:
        outcome = furnished.run("--dry-run", "--quiet", "all", *shlex.split(options))
        assert outcome.code == 0, outcome.output


@pytest.mark.full
def test_commands_in_blocks_are_planned(furnished: Workflow) -> None:
    shown = sorted({line.replace("/data/run7/", "") for line in lines("snakemake")})
    assert len(shown) >= 10
    for options in shown:
        outcome = furnished.run("--dry-run", "--quiet", "all", *shlex.split(options))
        assert outcome.code == 0, f"{options}\n{outcome.output}"
