"""config.yaml as a text: what Snakemake is not given to load."""

from pathlib import Path

import pytest
from videomae.config import yaml_checks
from videomae.errors import ConversionError

from tests.conftest import ROOT, Workflow, command


@pytest.mark.parametrize("name", ["config.yaml", "rehearsal/config.yaml"])
def test_shipped_files_are_plain(name: str) -> None:
    yaml_checks.check(ROOT / name)


LAUGHS = "\n".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]" for n in range(1, 40))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"a: [1\nb: 2", "line 2: did not find expected ',' or ']'"),
        (b"a: \xff", "not UTF-8: "),
        (b"a: \0", "unacceptable character #x0000"),
        (b"- a", "the file must have keys at its top level"),
        (b"", "the file must have keys at its top level"),
        (b"a: " + b"[" * 100_000, "line 1: exceeded maximum nesting depth"),
        (f"a0: &a0 x\n{LAUGHS}".encode(), "line 17: aliases expand to 131,071 values"),
        (b"a: &a\n- *a", "line 1: an alias makes the value contain itself"),
        (b"a:\n  b: 1\n  b: 2", "line 3: the key b is already in line 2"),
        (b"[a]: 1", "line 1: a key must be text"),
        (b"a: 1\n__use_yte__: true", "line 2: __use_yte__ would run code"),
        (b"a: !!python/object/apply:os.system [x]", "os.system is not plain YAML"),
        (b"a: !x 1", "line 1: !x is not plain YAML"),
        (b"b: 1\na:\t2", "line 2: found character '\\t' that cannot start any token"),
    ],
)
def test_what_is_no_plain_yaml_is_refused(tmp_path: Path, text: bytes, message: str) -> None:
    path = tmp_path / "config.yaml"
    path.write_bytes(text)
    with pytest.raises(ConversionError) as refusal:
        yaml_checks.check(path)
    assert message in str(refusal.value)
    assert str(refusal.value).isprintable()


def test_snakemake_runs_no_code_of_a_config(workflow: Workflow) -> None:
    made = workflow.folder / "made"
    text = f"__use_yte__: true\nlicense: ?open({str(made)!r}, 'w').name\nvariants: {{}}\n"
    (workflow.folder / "config.yaml").write_text(text)
    outcome = workflow.run("--dry-run")
    assert outcome.code
    assert "config.yaml: line 1: __use_yte__ would run code" in outcome.output
    assert not made.exists()


RUNS = """__use_yte__: true
__definitions__: [import pathlib]
models: ?pathlib.Path("ran").touch() or "all"
"""
GOOD = "variants: {tiny: {checkpoint: 'synthetic:tiny-finetuned', config: {num_frames: 4}}}\n"


def test_file_of_somebody_else_is_checked_and_nothing_in_it_runs(
    workflow: Workflow, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Named by --configfile Snakemake would run it, before the workflow can look at it."""
    monkeypatch.chdir(workflow.folder)
    (workflow.folder / "theirs.yaml").write_text(RUNS)
    (workflow.folder / "config.yaml").write_text(GOOD)
    refused = command("check-config", "theirs.yaml")
    assert refused.code == 1
    assert refused.output == "error: theirs.yaml: line 1: __use_yte__ would run code; remove it"
    assert not (workflow.folder / "ran").exists()
    workflow.run("--dry-run", "--quiet", "all", "--configfile", "theirs.yaml")
    assert (workflow.folder / "ran").exists()  # or else this test shows nothing


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (GOOD, "safe and valid; variants: tiny"),
        (
            GOOD.replace("num_frames", "num_frame"),
            "num_frame: unknown key (did you mean num_frames",
        ),
        (GOOD.replace("finetuned", "fine"), "variants.tiny.checkpoint:"),
        (GOOD + "a: !!python/name:os.system\n", "line 2: tag:yaml.org,2002:python/name:os.system"),
        ("{}", "variants: no variants are given"),
    ],
)
def test_checked_file_is_held_to_the_schema_and_to_what_no_schema_can_tell(
    text: str, message: str, tmp_path: Path
) -> None:
    (tmp_path / "theirs.yaml").write_text(text)
    outcome = command("check-config", tmp_path / "theirs.yaml")
    assert message in outcome.output
    assert outcome.code == (0 if text == GOOD else 1)
    assert len(outcome.output.strip().splitlines()) == 1


def test_files_are_checked_as_snakemake_merges_them(tmp_path: Path) -> None:
    (tmp_path / "one.yaml").write_text(GOOD)
    (tmp_path / "two.yaml").write_text("variants: {tiny: {config: {num_frame: 8}}}\n")
    assert command("check-config", tmp_path / "one.yaml").code == 0
    outcome = command("check-config", tmp_path / "one.yaml", tmp_path / "two.yaml")
    assert outcome.code == 1
    assert "variants.tiny.config.num_frame: unknown key" in outcome.output
