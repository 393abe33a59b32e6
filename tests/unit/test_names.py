"""Names of variants and files, and words from elsewhere: they work, are quoted, or are refused."""

import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from videomae import errors, names
from videomae.checkpoint import formats
from videomae.config import settings
from videomae.download import sources
from videomae.errors import ConversionError
from videomae.publish import markdown
from videomae.publish.model_card import model_card
from videomae.report import inputs, pages, scores_table
from videomae.report.images import Pictures
from videomae.score import compare, results
from videomae.score.logit_store import Record, State
from videomae.score.merge_views import Prediction
from videomae.score.protocols import PROTOCOLS
from videomae.score.settings import Asked

from tests.conftest import GIVEN, Workflow, command, given
from tests.unit.test_card import RECEIPT, STATED, read

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
        (
            "a{b}",
            "a{b}.pth: the path has braces, which Snakemake treats as wildcards; rename the file",
        ),
        ("a}", "a}.pth: the path has braces"),
        ("{{a}}", "braces"),
        ("two\nlines", "two\\nlines.pth: the path has control characters"),
        ("\x1b[31mred", "\\x1b[31mred.pth: the path has control characters"),
        ("\udcff", "bytes that are not UTF-8"),
        ("l" * 20, "the name ends with many repetitions of 'l'"),
        ("run-" + "ab" * 20, "the name ends with many repetitions of 'ab'"),
        (
            "".join(map(str, range(10, 86))),
            "the name has 152 characters, but file names have room for 150",
        ),
    ],
)
def test_name_that_can_not_be_had_is_refused_in_one_line(
    file: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / f"{file}.pth").touch()
    with pytest.raises(ConversionError) as refused:
        settings.read({"checkpoints": "*.pth"}, [])
    said = str(refused.value)
    assert message in said
    assert said.isprintable()


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
    found = settings.read({"checkpoints": f"{tmp_path}/*/*.pth"}, [])
    assert list(found.variants) == ["one-Best", "two-best"]
    with pytest.raises(
        ConversionError, match="the name differs from best only in upper and lower case"
    ):
        names.check_variants(["best", "Best"])


@pytest.mark.parametrize(
    "path", ["../x", "a/../../x", "a/./b", "a//b", "..", "/etc/passwd", "a/..", "a\\..\\b"]
)
def test_path_on_the_hub_that_leads_elsewhere_is_no_source(path: str) -> None:
    for address in (f"hub:datasets/lab/clips/{path}", f"hub:lab/model/{path}"):
        with pytest.raises(ConversionError, match="is not a source"):
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
    with pytest.raises(ConversionError, match="which is not a folder beside it") as refused:
        formats.located(tmp_path / "run")
    assert len(str(refused.value)) < 500


def test_latest_that_names_a_link_to_elsewhere_is_refused(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other/mp_rank_00_model_states.pt").touch()
    (tmp_path / "run").mkdir()
    (tmp_path / "run/global_step1").symlink_to("../other")
    (tmp_path / "run/latest").write_text("global_step1\n")
    with pytest.raises(ConversionError, match="leads outside"):
        formats.located(tmp_path / "run")


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
    rows = [
        line for line in card.splitlines() if line.startswith(("| Converted from", "| Checkpoint"))
    ]
    assert [re.sub(r"\\\|", "", row).count("|") for row in rows] == [3, 3]
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
    assert markdown.code(text) == shown


def test_plain_words_stay_as_they_are() -> None:
    for text in ("Kinetics-400, Something-Something V2", "qkv_bias of layer 3 (zero)", "100 %"):
        assert markdown.plain(text) == text


def test_address_can_not_end_its_link() -> None:
    assert (
        markdown.address("https://a.org/b) [x](c d>") == "https://a.org/b%29%20%5Bx%5D%28c%20d%3E"
    )


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


# -- pages and scores ------------------------------------------------------------------------------

HOSTILE = "a`b|c\n<script>f()</script> [x](http://evil) \x1b[31m {{ 7*7 }} \"'> <img src=x> \x9b2J"
CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]")


class Elements(HTMLParser):
    """The elements of a page with their attributes' names, and what is read on it."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, list[str]]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, [name for name, _ in attributes]))

    def handle_data(self, data: str) -> None:
        self.text += data


def outcome_of(word: str) -> results.Outcome:
    """Give what scoring found, all of whose names are such a word: wrong, right, not read, cut."""
    labels, state = [f"{word} {number}" for number in range(3)], State(9999, 0)

    def scored(path: str, label: int, **record: Any) -> results.Scored:
        read = "unreadable" not in record
        prediction = Prediction(np.array([0.1, 0.7, 0.2]), label) if read else None
        return results.Scored(path, Record(path, state, **record), prediction, label)

    videos = [
        scored(f"{word} wrong", 0),
        scored(f"{word} right", 1),
        scored(f"{word} broken", 2, unreadable=word),
        scored(f"{word} cut", 1, lacking=word),
    ]
    return results.Outcome(PROTOCOLS["kinetics400"], False, labels, videos)


def page_of(word: str, run: Path) -> tuple[str, str]:
    """Give a variant's page and the one of all, with a word wherever something of others stands."""
    report_at = run / "verification/own-1.json"
    report = json.loads(report_at.read_text())
    report["checks"].append({"name": word, "passed": False, "message": word})
    report |= {"container": word, "device": word, "unknown_options": [word], "rehearsal": word}
    report["assumptions"] = [{"what": word, "value": word, "origin": word, "kind": "network"}]
    report["config"][word] = report["origin"]["num_frames"] = report["versions"][word] = word
    report_at.write_text(json.dumps(report))
    receipt = run / "checkpoints/own-1.json"
    receipt.write_text(json.dumps({**json.loads(receipt.read_text()), "source": word}))
    release = run / "releases/models/own-1/5.0.json"
    release.parent.mkdir(parents=True, exist_ok=True)
    release.write_text(json.dumps({"transformers": word, "max_abs_difference": 0.5}))
    stated = {"dataset": word, "top1": word}
    facts = {"list": word, "videos": 4, "published": stated, "sha256": report["sha256"]}
    scores, examples = (
        run.parent / place.format(variant="own-1") for place in (inputs.SCORES, inputs.EXAMPLES)
    )
    results.save(outcome_of(word), facts, scores, scores.with_suffix(".csv"))
    content = json.loads(scores.read_text())
    scores.write_text(json.dumps({**content, "diagnosis": word}))
    examples.parent.mkdir(exist_ok=True)
    for made in ("models/own-1/model.safetensors", report_at, "models/own-1/README.md"):
        (run / made).touch()  # in the order of the steps
    example = {"video": word, "label": word, "right": False, "top": [[word, 0.5]], "picture": word}
    examples.write_text(json.dumps([example]))
    found = pages.Facts("own-1", run, family=word)
    assert found.scores
    assert found.assumed
    found.variant = found.status = found.meaning = found.reason = word
    return pages.page(found, Pictures({word: word}, [(word, 0.5)]), word), pages.overview([found])


def test_pages_show_words_of_others_and_obey_none(finished: Workflow) -> None:
    other = Path(shutil.copytree(finished.results, finished.folder / "other/results"))
    plain, hostile = page_of("zzz", other), page_of(HOSTILE, finished.results)
    for harmless, page in zip(plain, hostile, strict=True):
        made, wanted = Elements(page), Elements(harmless)
        assert made.found == wanted.found
        assert not CONTROL.search(page)
        assert wanted.text.count("zzz") > 2
        assert made.text.replace(errors.one_line(HOSTILE), "zzz") == wanted.text


def test_scores_show_words_of_others_and_obey_none(tmp_path: Path) -> None:
    def said(word: str) -> list[list[str]]:
        outcome = outcome_of(word)
        results.save(outcome, {"published": None}, tmp_path / "it.json", tmp_path / "it.csv")
        compared = [compare.Compared(step, outcome.accuracy, otherwise=0) for step in compare.STEPS]
        texts = [
            (tmp_path / "it.csv").read_text(),
            results.table(outcome, {"dataset": word, "top1": 1}),
            compare.table({word: compared}),
        ]
        return [text.split("\n") for text in texts]

    for harmless, lines in zip(said("word"), said(HOSTILE), strict=True):
        assert len(lines) == len(harmless)
        assert not any(CONTROL.search(line.rstrip("\r")) for line in lines)
        assert any("<script>" in line for line in lines)
    log = tmp_path / "logs/merge/it.log"
    log.parent.mkdir(parents=True)
    log.write_text(f"error: {HOSTILE}\n")
    assert not CONTROL.search(scores_table.table({"it": Asked("list.csv", 1, [], [])}, tmp_path))
