"""Names of variants and files, and words from elsewhere: they work, are quoted, or are refused."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from videomae import errors, magic, names, quoting, settings, sources
from videomae.card import model_card
from videomae.errors import ConversionError

from tests.conftest import GIVEN, Workflow, command, given
from tests.test_card import RECEIPT, STATED, read

ODD = [
    "-dash",
    "back`tick",
    "it's",
    "$HOME",
    "st*r",
    "x y",
    "a;b",
    '"dq"',
    "100%",
    "best.pth",
    "\xe9",
]


@pytest.mark.full
def test_checkpoints_of_odd_names_are_converted(
    workflow: Workflow, checkpoints: dict[str, Path]
) -> None:
    for name in ODD:
        (workflow.folder / f"{name}.pth").hardlink_to(checkpoints["tiny-finetuned"])
    workflow.configure({})
    values = ", ".join(f"{key}: {value}" for key, value in GIVEN["tiny-finetuned"].items())
    options = ("checkpoints=*.pth", f"config={{{values}}}")
    outcome = workflow.run("--until", "convert", "--config", *options)
    assert outcome.code == 0, outcome.output
    assert len(list(workflow.results.glob("models/*/model.safetensors"))) == len(ODD)


@pytest.mark.parametrize(
    ("file", "message"),
    [
        ("a{b}", "a{b}.pth: Snakemake takes braces for wildcards; rename the file"),
        ("a}", "a}.pth: Snakemake takes braces"),
        ("{{a}}", "braces"),
        ("two\nlines", "two\\nlines.pth: the path has control characters"),
        ("\x1b[31mred", "\\x1b[31mred.pth: the path has control characters"),
        ("\udcff", "bytes that are not UTF-8"),
        ("l" * 20, "the name ends with 'l' over and over"),
        ("run-" + "ab" * 20, "the name ends with 'ab' over and over"),
        ("".join(map(str, range(10, 86))), "the name has 152 characters, and at most 150 fit"),
    ],
)
def test_name_that_can_not_be_had_is_refused_in_one_line(
    file: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / f"{file}.pth").touch()
    with pytest.raises(ConversionError) as refused:
        settings.read({**DEFAULTS, "checkpoints": "*.pth"}, [])
    said = str(refused.value)
    assert message in said
    assert said.isprintable()


DEFAULTS: dict[str, Any] = {
    "variants": {},
    "models": "all",
    "push": {"enabled": False},
    "recorded_outputs": "skip",
    "recorded_under": {},
    "add_to_checkpoints_dir": False,
    "keep_checkpoints": True,
    "device": "cpu",
    "releases": [],
    "transfers_here": False,
}


@pytest.mark.full
def test_the_longest_name_is_taken_and_planned_twice(
    workflow: Workflow, checkpoints: dict[str, Path]
) -> None:
    """Notes are called after files, and the second run looks for them."""
    name = "".join(map(str, range(100, 150)))
    assert len(name) == names.MOST
    source = workflow.folder / f"{name}.pth"
    source.hardlink_to(checkpoints["tiny-finetuned"])
    workflow.configure({})
    options = (f"results/checkpoints/{name}.json", "--config", f"checkpoint={source.name}")
    for said in ("1 of 1 steps (100%) done", "Nothing to be done"):
        outcome = workflow.run(*options)
        assert outcome.code == 0, outcome.output
        assert said in outcome.output


def test_names_that_differ_in_case_alone_are_told_apart_by_their_folders(tmp_path: Path) -> None:
    for path in (tmp_path / "one/Best.pth", tmp_path / "two/best.pth"):
        path.parent.mkdir()
        path.touch()
    found = settings.read({**DEFAULTS, "checkpoints": f"{tmp_path}/*/*.pth"}, [])
    assert list(found.variants) == ["one-Best", "two-best"]
    with pytest.raises(ConversionError, match="differs from best in upper and lower case alone"):
        names.check_variants(["best", "Best"])


@pytest.mark.parametrize(
    "path", ["../x", "a/../../x", "a/./b", "a//b", "..", "/etc/passwd", "a/..", "a\\..\\b"]
)
def test_path_on_the_hub_that_leads_elsewhere_is_no_source(path: str) -> None:
    for address in (f"hub:datasets/lab/clips/{path}", f"hub:lab/model/{path}"):
        with pytest.raises(ConversionError, match="is no source"):
            sources.parse(address)
    sources.parse("hub:datasets/lab/clips/a..b/c.npy@refs/pr/1")


@pytest.mark.parametrize(
    "latest", ["../other", "/etc", "..", "", ".", "a/b", "x" * 5000, "a\nb", "a{b}"]
)
def test_latest_that_points_outside_its_folder_is_refused(latest: str, tmp_path: Path) -> None:
    for folder in (tmp_path / "other", tmp_path / "run/a/b"):
        folder.mkdir(parents=True)
        (folder / "mp_rank_00_model_states.pt").touch()
    (tmp_path / "run/latest").write_text(latest)
    with pytest.raises(ConversionError, match="which is no folder beside it") as refused:
        magic.located(tmp_path / "run")
    assert len(str(refused.value)) < 500


def test_latest_that_names_a_link_to_elsewhere_is_refused(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other/mp_rank_00_model_states.pt").touch()
    (tmp_path / "run").mkdir()
    (tmp_path / "run/global_step1").symlink_to("../other")
    (tmp_path / "run/latest").write_text("global_step1\n")
    with pytest.raises(ConversionError, match="leads outside"):
        magic.located(tmp_path / "run")


# -- words of others -------------------------------------------------------------------------------

EVIL = "a`b|c\n# d <script>alert(1)</script> [x](http://evil) ![y](z) **b** \x1b[31m ``` {{ 7*7 }}"


def test_card_shows_words_of_others_and_obeys_none(finished: Workflow) -> None:
    report = json.loads((finished.results / "verification/own-1.json").read_text())
    plain = str(model_card(report, RECEIPT, STATED))
    report["container"] = report["origin"]["num_attention_heads"] = EVIL
    report["folded"] = [EVIL]
    cell = {"transformers": "5.0", "max_abs_difference": 0.0, "loader": {EVIL: [EVIL]}}
    card = str(model_card(report, {**RECEIPT, "source": EVIL}, STATED, [cell]))
    assert "\x1b" not in card
    outside = "\n".join(
        re.sub(r"(`+)(?!`).*?(?<!`)\1(?!`)", "", line) for line in card.splitlines()
    )
    for markup in ("<script", "](http://evil", "![", "**b**", "\n# d"):
        assert markup not in outside
    rows = [line for line in card.splitlines() if line.startswith("| source")]
    assert [re.sub(r"\\\|", "", row).count("|") for row in rows] == [3]
    assert plain.count("\n#") == card.count("\n#")
    assert read(card).library_name == "transformers"


@pytest.mark.parametrize("name", ['x")\nimport os', "a`b", "<b>", "a|b", 'a"b', "a\\b", "a{b}"])
def test_card_of_a_name_that_would_end_its_programs_is_refused(
    name: str, finished: Workflow
) -> None:
    report = json.loads((finished.results / "verification/own-1.json").read_text())
    with pytest.raises(ConversionError, match="can't be the name in a card"):
        model_card({**report, "variant": name}, RECEIPT, STATED)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("model_ema", "`model_ema`"),
        ("a`b", "``a`b``"),
        ("`a``b`", "``` `a``b` ```"),
        ("a|b", "`a\\|b`"),
        ("a\nb", "`a\\nb`"),
    ],
)
def test_code_can_not_be_ended_from_within(text: str, shown: str) -> None:
    assert quoting.code(text) == shown


def test_plain_words_stay_as_they_are() -> None:
    for text in ("Kinetics-400, Something-Something V2", "qkv_bias of layer 3 (zero)", "100 %"):
        assert quoting.plain(text) == text


def test_address_can_not_end_its_link() -> None:
    assert quoting.address("https://a.org/b) [x](c d>") == "https://a.org/b%29%20%5Bx%5D%28c%20d%3E"


def test_terminal_is_shown_what_others_wrote_and_obeys_nothing(
    checkpoints: dict[str, Path], tmp_path: Path
) -> None:
    log = tmp_path / "log"
    log.write_text("error: \x1b]0;owned\x07\x1b[2J gone\n")
    assert errors.last_words(log) == "\\x1b]0;owned\\x07\\x1b[2J gone"
    labels = tmp_path / "labels.txt"
    labels.write_text("".join(f"\x1b[3{n}m{n}\n" for n in range(6)))
    asked = (checkpoints["tiny-finetuned"], tmp_path / "out", "--labels", labels)
    assert "\x1b" not in command("convert", *asked, *given("tiny-finetuned")).output
