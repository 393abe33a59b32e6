"""What editors and readers learn of config.yaml is what its models say."""

from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from videomae.config import schema
from videomae.config.models import Config

from tests.conftest import ROOT

TEMPLATE = (ROOT / schema.TEMPLATE).read_text()


def load(path: str) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load((ROOT / path).read_text())
    return content


def test_schema_and_page_are_those_of_the_models() -> None:
    mend = "run `make schema`"
    assert (ROOT / schema.SCHEMA).read_text() == schema.schema_text(), mend
    assert (ROOT / schema.PAGE).read_text() == schema.page(TEMPLATE), mend


def test_command_writes_both_files_anew(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / schema.TEMPLATE).write_text(TEMPLATE)
    for written in (schema.SCHEMA, schema.PAGE):
        (tmp_path / written).write_text("edited by hand")
    schema.main(tmp_path)
    for written in (schema.SCHEMA, schema.PAGE):
        assert (tmp_path / written).read_text() == (ROOT / written).read_text()


def test_page_has_every_key_of_every_model_once() -> None:
    page = schema.page(TEMPLATE)
    whole = schema.schema()
    for name, model in whole["$defs"].items():
        assert TEMPLATE.count(f'table("{name}")') == 1, name
        assert all(f"| `{key}` |" in page for key in model["properties"])
        assert f"# {schema.HEADINGS[name]}\n" in page
    of_config = [line for line in TEMPLATE.splitlines() if 'table("Config"' in line]
    keys = " ".join(line.split('"')[3] for line in of_config).split()
    linked = ["push", "score"]  # which have a table, and a text, of their own
    assert sorted([*keys, *linked]) == sorted(Config.model_fields)


@pytest.mark.parametrize("name", ["config.yaml", "rehearsal/config.yaml"])
def test_editors_take_what_is_shipped(name: str) -> None:
    jsonschema.validate(load(name), load("config.schema.yaml"))


@pytest.mark.parametrize(
    "wrong",
    [
        {"variant": {}},
        {"variants": {"a b": {"checkpoint": "x"}}},
        {"variants": {"a": {"checkpoint": "x", "labels": None}}},
        {"config": {"num_frames": 0}},
        {"push": {"enabled": True}},
        {"push": {"revision": "refs/pr/1"}},
        {"releases": ["5.0.0", "5.0.0"]},
        {"recorded": {"shape": [1]}},
    ],
)
def test_editors_mark_what_a_run_refuses(wrong: dict[str, Any]) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(wrong, load("config.schema.yaml"))
