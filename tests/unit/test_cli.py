"""The command ``videomae``: its help, whose examples are right, and its exit codes."""

import argparse
import re
import shlex
from importlib import import_module
from pathlib import Path

import pytest
from videomae import __version__
from videomae.cli.main import COMMANDS

from tests.conftest import CLI, ROOT, command, process

NO_COMMANDS = {"__init__", "main", "options"}  # modules of cli/ that are none
EXAMPLES = re.compile(r"\n\nExample:\n((?:  \S.*\n)+)")


@pytest.fixture(autouse=True)
def wide_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep argparse from breaking lines."""
    monkeypatch.setenv("COLUMNS", "200")


def module(name: str) -> str:
    """Give the name of a subcommand's module."""
    return f"videomae.cli.{name.replace('-', '_')}"


def examples(name: str) -> list[str]:
    """Give the command lines that a subcommand's help shows."""
    outcome = command(name, "--help")
    assert outcome.code == 0
    found = EXAMPLES.search(outcome.output)
    assert found, outcome.output
    return [line.strip() for line in found[1].splitlines()]


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> list[argparse.Namespace]:
    """Keep every subcommand from running; give the options that it would run with."""
    found: list[argparse.Namespace] = []
    for name in COMMANDS:
        monkeypatch.setattr(f"{module(name)}.run", found.append)
    return found


def test_help_lists_every_command_with_a_line() -> None:
    outcome = command("--help")
    assert outcome.code == 0
    for name, line in COMMANDS.items():
        assert re.search(rf"^ +{name}\s+{re.escape(line)}$", outcome.output, re.MULTILINE), name


def test_every_module_of_a_command_is_listed() -> None:
    modules = {path.stem for path in (ROOT / "scripts/videomae/cli").glob("*.py")} - NO_COMMANDS
    assert modules == {name.replace("-", "_") for name in COMMANDS}


@pytest.mark.parametrize("name", COMMANDS)
def test_help_of_a_command_begins_with_what_it_does(name: str) -> None:
    first, blank, *_ = (import_module(module(name)).__doc__ or "").splitlines()
    assert re.match(r"[A-Z].*[.:]", first)
    assert not blank
    assert f"\n\n{first}\n\n" in command(name, "--help").output


@pytest.mark.parametrize("name", COMMANDS)
def test_command_accepts_the_examples_of_its_help(
    name: str, parsed: list[argparse.Namespace]
) -> None:
    shown = examples(name)
    for line in shown:
        program, *words = shlex.split(line)
        assert (program, words[0]) == ("videomae", name)
        outcome = command(*words)
        assert outcome.code == 0, outcome.output
        assert not outcome.output
    assert len(parsed) == len(shown)


@pytest.mark.parametrize("name", [name for name in COMMANDS if name != "resume"])
def test_unknown_option_is_wrong_usage(name: str, parsed: list[argparse.Namespace]) -> None:
    outcome = command(*shlex.split(examples(name)[0])[1:], "--no-such-option")
    assert outcome.code == 2
    assert "unrecognized arguments: --no-such-option" in outcome.output
    assert not parsed


def test_resume_passes_options_on(parsed: list[argparse.Namespace]) -> None:
    outcome = command("resume", "--directory", "there", "--cores", "4", "--no-such-option")
    assert outcome.code == 0, outcome.output
    assert parsed[0].directory == Path("there")
    assert parsed[0].passed_on == ["--cores", "4", "--no-such-option"]


def test_no_arguments_are_wrong_usage() -> None:
    outcome = process(*CLI)
    assert outcome.code == 2
    assert "usage: videomae" in outcome.output
    assert "Traceback" not in outcome.output


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("--no-such-option", "the following arguments are required: COMMAND"),
        ("no-such-command", "invalid choice: 'no-such-command'"),
    ],
)
def test_unknown_word_is_wrong_usage(word: str, message: str) -> None:
    outcome = command(word)
    assert outcome.code == 2
    assert message in outcome.output


def test_refused_file_exits_with_1_and_one_line(tmp_path: Path) -> None:
    path, folder = tmp_path / "best.pth", tmp_path / "out"
    path.write_text("<html>no checkpoint</html>")
    outcome = process(*CLI, "convert", path, folder)
    assert outcome.code == 1
    last = outcome.output.splitlines()[-1]
    assert last.startswith(f"error: {path}: ")
    assert outcome.output.count("error:") == 1
    assert "Traceback" not in outcome.output
    assert not folder.exists()


def test_version_is_the_package_s() -> None:
    outcome = command("--version")
    assert outcome.code == 0
    assert outcome.output == f"videomae {__version__}\n"


def test_discard_takes_a_bare_name_and_keeps_what_no_download_brought(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("best.pth").write_bytes(b"put here by hand")
    outcome = command("discard", "best.pth", "said.txt")
    assert outcome.code == 0, outcome.output
    assert outcome.output == "best.pth stays, because it is not the downloaded file\n"
    assert Path("best.pth").read_bytes() == b"put here by hand"
