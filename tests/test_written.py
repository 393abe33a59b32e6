"""config.yaml as a text: what Snakemake is not given to load."""

from pathlib import Path

import pytest
from videomae import written
from videomae.errors import ConversionError

from tests.conftest import ROOT, Workflow


@pytest.mark.parametrize("name", ["config.yaml", "rehearsal/config.yaml"])
def test_shipped_files_are_plain(name: str) -> None:
    written.check(ROOT / name)


LAUGHS = "\n".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]" for n in range(1, 40))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"a: [1\nb: 2", "line 2: did not find expected ',' or ']'"),
        (b"a: \xff", "not UTF-8: "),
        (b"a: \0", "unacceptable character #x0000"),
        (b"- a", "it must have keys at its top level"),
        (b"", "it must have keys at its top level"),
        (b"a: " + b"[" * 100_000, "line 1: exceeded maximum nesting depth"),
        (f"a0: &a0 x\n{LAUGHS}".encode(), "line 17: stands for 131,071 values by its aliases"),
        (b"a: &a\n- *a", "line 1: holds itself, by an alias"),
        (b"a:\n  b: 1\n  b: 2", "line 3: b stands in line 2 already"),
        (b"[a]: 1", "line 1: a key must be text"),
        (b"a: 1\n__use_yte__: true", "line 2: __use_yte__ would run code"),
        (b"a: !!python/object/apply:os.system [x]", "os.system is not plain YAML"),
        (b"a: !x 1", "line 1: !x is not plain YAML"),
    ],
)
def test_what_is_no_plain_yaml_is_refused(tmp_path: Path, text: bytes, message: str) -> None:
    path = tmp_path / "config.yaml"
    path.write_bytes(text)
    with pytest.raises(ConversionError) as refusal:
        written.check(path)
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
