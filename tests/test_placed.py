"""What somebody puts in a checkpoint's place is theirs: no run deletes it, whatever it is told."""

import json
import os
import shutil
from pathlib import Path

import pytest
from videomae import placed, sources
from videomae.errors import ConversionError
from videomae.transfers import Progress

from tests.conftest import Workflow, command, jobs

NAME = "tiny-pretraining"  # the one of `finished` that is made, and so downloaded in effect


def put_over(path: Path, content: bytes) -> None:
    """Write over a file in place, as ``cp -p`` does: its inode, size and time stay."""
    before = path.stat()
    path.write_bytes(content)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def other(path: Path) -> bytes:
    """Give a checkpoint's bytes with the last bit of a weight flipped: as many, and still read."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    return bytes(content)


@pytest.mark.full
@pytest.mark.parametrize(
    "options",
    [
        ("--forceall",),
        ("--forcerun", "download", "link", "receipt"),
        ("--forceall", "--config", "keep_checkpoints=false"),
        ("--delete-all-output",),
    ],
    ids=" ".join,
)
def test_checkpoint_put_over_a_downloaded_or_linked_one_is_never_deleted(
    options: tuple[str, ...], finished: Workflow
) -> None:
    over, link = (finished.results / f"checkpoints/{name}.pth" for name in (NAME, "own-0"))
    mine = other(over)
    put_over(over, mine)
    original = link.resolve()
    link.unlink()
    shutil.copy(original, link)
    theirs = link.read_bytes()
    outcome = finished.run(*options)
    assert over.read_bytes() == mine, outcome.output
    assert link.read_bytes() == theirs, outcome.output
    assert not {f"download {NAME}", "link own-0"} & set(jobs(outcome))
    if "keep_checkpoints=false" in options:
        said = (finished.results / f"discarded/{NAME}.txt").read_text()
        assert said.strip().endswith("stays: it is not the file that was downloaded")
        assert not (finished.results / "checkpoints/own-1.pth").exists()


@pytest.mark.full
def test_downloaded_checkpoint_is_downloaded_again_when_that_is_forced(finished: Workflow) -> None:
    """Or else nothing would show that the test above can fail."""
    path = finished.results / f"checkpoints/{NAME}.pth"
    before = path.stat().st_ino
    outcome = finished.run("--forcerun", "download", "--until", "download", "link")
    assert f"download {NAME}" in jobs(outcome)
    assert path.stat().st_ino != before


def test_downloaded_file_is_told_from_another_by_what_came(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = Path("results/checkpoints/mine.pth")
    noted = Path("results/logs/download/mine.json")
    asked = ("synthetic:tiny-finetuned", path, "--checkpoint", "--fetched", noted)
    assert command("download", *asked).code == 0
    assert placed.by_hand(path)  # of which Snakemake has no note
    placed.note("metadata", path).parent.mkdir(parents=True)
    placed.note("metadata", path).touch()
    assert not placed.by_hand(path)
    os.utime(path, (1, 1))  # as `snakemake --touch` does
    assert not placed.by_hand(path)
    assert json.loads(noted.read_text())["mtime_ns"] == 10**9  # so that it is not hashed again
    put_over(path, other(path))
    assert placed.by_hand(path)
    assert placed.discard(path).endswith("stays: it is not the file that was downloaded")
    assert path.exists()
    noted.write_text("")
    assert placed.by_hand(path)


def test_download_does_not_replace_what_is_there_unasked(tmp_path: Path) -> None:
    path = tmp_path / "mine.pth"
    path.write_text("weeks of training")
    refused = command("download", "synthetic:tiny-finetuned", path)
    assert refused.code == 1
    assert f"{path} exists; give --overwrite to replace it" in refused.output
    assert path.read_text() == "weeks of training"
    assert command("download", "synthetic:tiny-finetuned", path, "--overwrite").code == 0


@pytest.mark.parametrize("fails", [True, False])
def test_file_that_is_put_there_while_a_download_goes_on_is_taken(
    fails: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run would remove it with what a failed job left."""
    path, noted = tmp_path / "mine.pth", tmp_path / "mine.json"
    made = sources.FETCHERS["synthetic"]

    def slow(address: str, new: Path, progress: Progress) -> None:
        path.write_text("put there by hand")
        if fails:
            raise ConversionError("the quota is used up")
        made(address, new, progress)

    monkeypatch.setitem(sources.FETCHERS, "synthetic", slow)
    outcome = command("download", "synthetic:tiny-finetuned", path, "--fetched", noted)
    assert outcome.code == 0, outcome.output
    assert "was put there meanwhile and stays" in outcome.output
    assert path.read_text() == "put there by hand"
    assert not noted.exists()
    assert sorted(tmp_path.iterdir()) == [path]


def test_note_of_a_long_path_is_where_snakemake_has_it() -> None:
    path = Path("theirs/" * 20 + "results/checkpoints/" + "n" * 140 + ".pth")
    found = placed.note("metadata", path)
    assert all(len(part) <= 255 for part in found.parts)
    assert found.parts[2].startswith("@")
