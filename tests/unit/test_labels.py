"""Lists of labels: read in class order, refused rather than shifted or padded."""

import json
import re
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from videomae.download.synthetic_recipes import RECIPES
from videomae.errors import ConversionError
from videomae.model.labels import id2label, read_labels

from tests.conftest import DATA, ROOT

SHIPPED = {"kinetics400": 400, "k710": 710, "ssv2": 174, "ucf101": 101}


def write(tmp_path: Path, content: Any, name: str = "labels.txt") -> Path:
    """Write a text as it is, anything else as JSON."""
    text = content if isinstance(content, str) else json.dumps(content)
    (tmp_path / name).write_bytes(text.encode())
    return tmp_path / name


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_lists_are_complete(name: str) -> None:
    labels = read_labels(ROOT / f"scripts/videomae/model/label_lists/{name}.txt")
    assert len(set(labels)) == len(labels) == SHIPPED[name]


def test_lists_of_the_zoo_are_as_long_as_its_heads() -> None:
    variants = yaml.safe_load((ROOT / "config.yaml").read_text())["variants"]
    known = variants.keys() & RECIPES.keys()
    assert len(known) > 13
    for name in known:
        assert SHIPPED.get(variants[name].get("labels")) == RECIPES[name].num_labels


def test_ucf101_is_in_the_order_of_its_own_numbers() -> None:
    # classInd.txt counts from 1 and sorts without regard to case, unlike Python.
    labels = read_labels(ROOT / "scripts/videomae/model/label_lists/ucf101.txt")
    assert labels[34:36] == ["Hammering", "HammerThrow"]
    assert (labels[0], labels[98], labels[100]) == ("ApplyEyeMakeup", "WallPushups", "YoYo")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("labels.txt", "walk\nrun, fast\nsit\n"),
        ("labels", "walk\r\nrun, fast\r\nsit\r\n\r\n"),
        ("labels.txt", "\ufeffwalk\nrun, fast\nsit"),
        ("labels.txt", "1 run, fast\n0 walk\n2\tsit\n"),
        ("labels.json", ["walk", "run, fast", "sit"]),
        ("labels.json", {"1": "run, fast", "2": "sit", "0": "walk"}),
        ("labels.json", {"sit": 2, "walk": 0, "run, fast": 1}),
        ("labels.JSON", {"sit": "2", "walk": "0", "run, fast": "1"}),
        ("config.json", {"depth": 2, "id2label": {"0": "walk", "2": "sit", "1": "run, fast"}}),
        ("labels.csv", 'id,name\n0,walk\n2,sit\n1,"run, fast"\n'),
        ("labels.csv", '0,walk\n1,"run, fast"\n\n2,sit'),
        ("labels.csv", '\ufeffname,id\r\n"run, fast",1\r\nwalk,0\r\nsit,2\r\n'),
    ],
)
def test_every_form_gives_the_same_list(tmp_path: Path, name: str, content: Any) -> None:
    assert read_labels(write(tmp_path, content, name)) == ["walk", "run, fast", "sit"]


# -- numbers beside names --------------------------------------------------------------------------

FORMS = """
    NAME N|N NAME|NAME,N|N,NAME|NAME\tN|N\tNAME|NAME;N|N; NAME|NAME: N|N: NAME|NAME - N|N - NAME
    N. NAME|NAME. N|N) NAME|NAME (N)|(N) NAME|[N] NAME|NAME [N]|"NAME" N|"NAME",N|N,"NAME"
    "N","NAME"|'NAME': N|N: 'NAME',|“NAME” N|class N NAME|class N: NAME|NAME (class N)|NAME -> N
    N => NAME|#N NAME|NAME #N|NAME_N|N_NAME|NAME-N|00N NAME|00N.NAME|NAME=N|NAME/N|NAME – N
    - N: NAME|(NAME, N)|NAME <N>
"""
NAMES = ["run", "sit down", "stand", "walk, fast", "hand-stand"]


def numbered(form: str, start: int = 0) -> list[str]:
    """Write the names in a form, out of order."""
    order = (3, 0, 4, 1, 2)
    return [re.sub(r"N(?!AME)", str(n + start), form).replace("NAME", NAMES[n]) for n in order]


@pytest.mark.parametrize("form", re.split(r" *[|\n] *", FORMS.strip()))
def test_number_in_every_line_is_the_id_and_no_part_of_the_label(tmp_path: Path, form: str) -> None:
    shuffled = numbered(form)
    for header in ([], ["id,name"], ["Class\tLabel"]):
        for end in ("\n", "\r\n"):
            text = "\ufeff" + end.join([*header, *shuffled]) + 2 * end
            assert read_labels(write(tmp_path, text)) == NAMES
    with pytest.raises(ConversionError, match="5 ids run from 1 to 5, but must run from 0 to 4"):
        read_labels(write(tmp_path, "\n".join(numbered(form, start=1))))


@pytest.mark.parametrize("case", sorted((DATA / "labels").iterdir(), key=str), ids=lambda p: p.stem)
def test_lists_in_which_ids_were_taken_for_names(case: Path) -> None:
    assert read_labels(case) == ["run", "sit", "stand", "walk", "jump"]


def test_lines_that_only_sometimes_begin_with_a_number_are_labels(tmp_path: Path) -> None:
    assert read_labels(write(tmp_path, "2 people\ncrowd\n")) == ["2 people", "crowd"]


@pytest.mark.parametrize(
    "labels",
    [
        ["label 0", "label 1", "label 2"],  # where the numbers are all that tells them apart
        ["LABEL_0", "LABEL_1"],
        ["passing 3 balls", "4x100 relay", "mp3", "top 10"],
        ["[something] falls", "{x} y"],
        ["A1. drink water", "A2. eat"],  # a code that counts in the order of the lines
    ],
)
def test_numbers_that_belong_to_names_stay(tmp_path: Path, labels: list[str]) -> None:
    assert read_labels(write(tmp_path, "\n".join(labels))) == labels
    assert read_labels(write(tmp_path, labels, "labels.json")) == labels


def test_json_says_which_numbers_are_ids_and_which_belong_to_names(tmp_path: Path) -> None:
    named = {"1": "Airbus 320", "0": "Boeing 737"}
    assert read_labels(write(tmp_path, named, "labels.json")) == ["Boeing 737", "Airbus 320"]
    assert read_labels(write(tmp_path, json.dumps(named))) == ["Boeing 737", "Airbus 320"]
    lines = "1 Airbus 320\n0 Boeing 737\n"
    assert read_labels(write(tmp_path, lines)) == ["Boeing 737", "Airbus 320"]


def test_quotes_around_every_line_are_no_part_of_a_label(tmp_path: Path) -> None:
    assert read_labels(write(tmp_path, '"walk"\n"say ""hi"""\n')) == ["walk", 'say "hi"']
    assert read_labels(write(tmp_path, '"walk"\nrun\n')) == ['"walk"', "run"]


def test_config_with_both_maps_is_read_where_they_agree(tmp_path: Path) -> None:
    maps = {"id2label": {"0": "walk", "1": "run"}, "label2id": {"run": 1, "walk": 0}}
    assert read_labels(write(tmp_path, maps, "config.json")) == ["walk", "run"]
    alone = {"label2id": {"run": 1, "walk": 0}, "depth": 2}
    assert read_labels(write(tmp_path, alone, "config.json")) == ["walk", "run"]


def test_no_line_takes_long(tmp_path: Path) -> None:
    for line in ("x" + " " * 50_000 + "x", "," * 50_000, " ,;" * 20_000 + "x", "1" * 50_000):
        began = time.perf_counter()
        read_labels(write(tmp_path, f"a\nb\n{line}\n"))
        assert time.perf_counter() - began < 2


ONE_TO_THREE = (
    r"3 ids run from 1 to 3, but must run from 0 to 2 without gaps; missing: 0; .*shifted"
)
GAP = r"3 ids run from 0 to 4, but must run from 0 to 2 without gaps; missing: 1, 2; .*filled in"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("l.txt", "1 a\n2 b\n3 c\n", ONE_TO_THREE),
        ("l.json", {"1": "a", "2": "b", "3": "c"}, ONE_TO_THREE),
        ("l.json", {"a": "1", "b": "2", "c": "3"}, ONE_TO_THREE),
        ("l.csv", "id,name\n1,a\n2,b\n3,c\n", ONE_TO_THREE),
        ("l.txt", "0 a\n4 b\n3 c\n", GAP),
        ("l.json", {"0": "a", "4": "b", "3": "c"}, GAP),
        ("l.json", {"a": 0, "b": 4, "c": 3}, GAP),
        ("l.csv", "0,a\n4,b\n3,c\n", GAP),
        (
            "l.json",
            {"-1": "a", "0": "b"},
            "2 ids run from -1 to 0, but must run from 0 to 1 .* missing: 1;",
        ),
        (
            "l.json",
            '{"0": "a", "1": "b", "1": "c"}',
            r"ids appear more than once: 1 \(for b, c",
        ),
        ("l.json", {"a": 0, "b": 1, "c": 1}, r"ids appear more than once: 1 \(for b, c\)"),
        ("l.csv", "x/a.mp4,0\nx/b.mp4,0\n", r"more than once: 0 \(for x/a.mp4, x/b.mp4\)"),
        ("l.txt", "a\nb\na\n", r"labels appear more than once: a \(for 0, 2\)"),
        ("l.json", ["a", "b", " a"], r"labels appear more than once: a \(for 0, 2\)"),
        ("l.json", '{"a": 0, "b": 1, "a": 2}', r"labels appear more than once: a \(for 0, 2\)"),
        ("l.csv", "0,a\n1,b\n2,a\n", r"labels appear more than once: a \(for 0, 2\)"),
        ("l.txt", "a\n\nb\n", "classes have no label: 1"),
        ("l.json", ["a", "b", ""], "classes have no label: 2"),
        ("l.csv", "0,a\n1,\n", "classes have no label: 1"),
        ("l.json", ["a", None, 3], "labels are not text, at 1, 2"),
        ("l.json", {"0": "a", "1": None}, "labels are not text, at 1"),
        ("l.json", {"0": 1, "1": 0}, "2 pairs .* both are always a whole number; .* '0', 1"),
        (
            "l.txt",
            "walk 3\nrun 0\nsit\n",
            "2 of 3 lines end with a number.* not line 3, 'sit'; write",
        ),
        ("l.txt", "0 walk\n\n1 run\n", "2 of 3 lines begin with a number.* not line 2, ''; write"),
        (
            "l.txt",
            "0 walk\n1, run\n",
            "every line begins with .* line 2, '1, run', has another form",
        ),
        ("l.txt", "0 walk 1\n1 run 0\n", "begins and ends with a number .* either may be its id"),
        ("l.txt", "7 walk 8\n9 run 7\n", "begins and ends with a number .* neither may be its id"),
        ("l.txt", "walk,3.0\nrun,0.0\n", "neither is always a whole number; .* '3.0', 'walk'"),
        ("l.txt", "trip 2019\ntour 2020\n", "ids run from 2019 to 2020, .*write JSON"),
        ("l.txt", "walk -1\nrun 0\n", "ids run from -1 to 0"),
        ("l.txt", "label 1\nlabel 0\n", r"labels appear more than once: label \(for 0, 1\)"),
        (
            "l.txt",
            "1 001.Auk\n0 000.Owl\n",
            "begins with|contains a number, such as '000.Owl'",
        ),
        (
            "l.txt",
            "c001 hold\nc000 eat\n",
            "every label contains a number, such as 'c001 hold',",
        ),
        ("l.txt", "run1\nwalk0\n", "every label contains a number, such as 'run1',"),
        ("l.txt", "v_run/a.avi 0\nv_run/b.avi 0\n", "ids appear more than once: 0"),
        (
            "l.json",
            ["3 walk", "0 run", "2 sit", "1 hop"],
            "contains a number, such as '3 walk'",
        ),
        ("l.json", {"0": "1 walk", "1": "2 run"}, "contains a number, such as '1 walk'"),
        ("l.csv", "0,walk (1)\n1,run (0)\n", r"contains a number, such as 'walk \(1\)'"),
        (
            "c.json",
            {"id2label": {"0": "a", "1": "b"}, "label2id": {"a": 1, "b": 0}},
            r"id2label and label2id contradict each other, at class 0 \('a', 'b'\), 1",
        ),
        (
            "c.json",
            {"id2label": {"0": "a", "1": "b"}, "label2id": {"a": 0}},
            r"contradict each other, at class 1 \('b', None\)",
        ),
        (
            "l.json",
            [{"id": "74225", "label": "spinning cube", "placeholders": []}],
            "not text, at 0",
        ),
        ("l.json", {"a": "b"}, "1 pairs .* neither is always a whole number; .* 'a', 'b'"),
        ("l.json", "3", "the file must hold id2label, label2id or a list, not int"),
        ("l.json", "{", "not a list of labels: Expecting property name"),
        ("l.csv", "x/a.mp4 0\nx/b.mp4 1\n", "row 1, 'x/a.mp4 0', has 1 columns, but must have 2"),
        ("l.csv", "0,a\n1,b,c\n", "row 2, '1,b,c', has 3 columns, but must have 2"),
        ("l.csv", '0,"a\n', "not a list of labels: unexpected end"),
        ("l.json", "[" * 100_000, "not a list of labels: maximum recursion depth"),
        (
            "l.json",
            '["a", "b\\ud800"]',
            "labels have control characters or halves of characters, at 1",
        ),
        ("l.json", ["a", "b\nc"], "labels have control characters or halves of characters, at 1"),
        ("l.txt", "\n", "the file has no labels"),
        ("l.json", {}, "the file has no labels"),
        ("l.csv", "id,name\n", "the file has no labels"),
    ],
)
def test_what_is_no_list_of_all_classes_is_refused(
    tmp_path: Path, name: str, content: Any, message: str
) -> None:
    with pytest.raises(ConversionError, match=f"{name}: .*{message}") as refusal:
        read_labels(write(tmp_path, content, name))
    assert str(refusal.value).startswith(f"{tmp_path / name}: ")


def test_count_must_be_the_heads(tmp_path: Path) -> None:
    with pytest.raises(ConversionError, match=r"has 2 labels.*head has 7 classes"):
        id2label(7, write(tmp_path, "walk\nrun\n"))


def test_without_a_list_classes_are_numbered() -> None:
    assert id2label(2, None) == {0: "LABEL_0", 1: "LABEL_1"}
