"""`download.py`: the real clients against stand-ins, and that only what is right gets its name."""

import hashlib
import json
from pathlib import Path

import pytest
from videomae import magic, sources
from videomae.errors import ConversionError

from tests.conftest import ROOT, Outcome, process
from tests.standins import drive as standin
from tests.standins.drive import DriveStandIn
from tests.standins.hub import HubStandIn

FILE_ID = "1MzwteHH-1yuMnFb8vRBQDvngV1Zl-d3z"


def download(source: str, output: Path, *options: object, **environment: str) -> Outcome:
    """Run the command as a process of its own, whose clients find the stand-ins by its settings."""
    return process(ROOT / "scripts/download.py", source, output, *options, environment=environment)


def only(folder: Path, *names: str) -> bool:
    """Tell whether a folder holds just these."""
    return sorted(path.name for path in folder.iterdir()) == sorted(names)


@pytest.fixture
def checkpoint(checkpoints: dict[str, Path]) -> bytes:
    return checkpoints["tiny-finetuned"].read_bytes()


@pytest.fixture
def out(tmp_path: Path) -> Path:
    (tmp_path / "out").mkdir()
    return tmp_path / "out" / "it.pth"


@pytest.mark.parametrize("behaviour", [standin.DIRECT, standin.SCAN_WARNING])
def test_drive_file_comes_whole_with_its_receipt(
    behaviour: standin.Behaviour, checkpoint: bytes, out: Path, home: dict[str, str], tmp_path: Path
) -> None:
    receipt = out.with_suffix(".json")
    with DriveStandIn(tmp_path) as drive:
        drive.add(FILE_ID, checkpoint, behaviour=behaviour)
        options = ("--checkpoint", "--receipt", receipt)
        outcome = download(f"gdrive:{FILE_ID}", out, *options, **home, **drive.environment)
    assert outcome.code == 0, outcome.output
    assert out.read_bytes() == checkpoint
    assert out.stat().st_mode & 0o444 == 0o444
    assert json.loads(receipt.read_text()) == {
        "source": f"gdrive:{FILE_ID}",
        "bytes": len(checkpoint),
        "sha256": hashlib.sha256(checkpoint).hexdigest(),
    }
    assert only(out.parent, "it.json", "it.pth")


@pytest.mark.parametrize(
    ("behaviour", "message"),
    [
        (standin.QUOTA, "Google Drive did not give file"),
        (standin.MISSING, "Google Drive did not give file"),
        (standin.PAGE_WITH_DISPOSITION, "not a PyTorch checkpoint but a web page"),
        (standin.cut(1000, times=9), "Google Drive did not give file"),
    ],
)
def test_drive_giving_something_else_leaves_nothing(
    behaviour: standin.Behaviour,
    message: str,
    checkpoint: bytes,
    out: Path,
    home: dict[str, str],
    tmp_path: Path,
) -> None:
    with DriveStandIn(tmp_path) as drive:
        drive.add(FILE_ID, checkpoint, behaviour=behaviour)
        options = ("--checkpoint", "--name", "videomae-base")
        outcome = download(f"gdrive:{FILE_ID}", out, *options, **home, **drive.environment)
    assert outcome.code == 1
    assert outcome.output.count("error: videomae-base: ") == 1
    assert message in outcome.output
    assert "Traceback" not in outcome.output
    assert only(out.parent)


@pytest.mark.parametrize("revision", ["", "@main", "@COMMIT"])
def test_hub_file_comes_from_its_revision(
    revision: str, checkpoint: bytes, out: Path, home: dict[str, str]
) -> None:
    with HubStandIn(tokens={}) as hub:
        first = hub.add_file("model", "lab/zoo", "distill/it.pth", checkpoint)
        if revision == "@COMMIT":
            hub.add_file("model", "lab/zoo", "distill/it.pth", b"something newer")
            revision = f"@{first.sha}"
        source = f"hub:lab/zoo/distill/it.pth{revision}"
        outcome = download(source, out, "--checkpoint", **home, **client(hub))
    assert outcome.code == 0, outcome.output
    assert out.read_bytes() == checkpoint


def client(hub: HubStandIn) -> dict[str, str]:
    return {
        "HF_ENDPOINT": hub.endpoint,
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_TOKEN": "",
    }


def test_dataset_file_comes_from_the_hub(out: Path, home: dict[str, str]) -> None:
    with HubStandIn(tokens={}) as hub:
        hub.add_file("dataset", "lab/clips", "clip.npy", b"any content")
        outcome = download("hub:datasets/lab/clips/clip.npy", out, **home, **client(hub))
    assert outcome.code == 0, outcome.output
    assert out.read_bytes() == b"any content"


def test_hub_file_that_is_not_there_is_one_message(out: Path, home: dict[str, str]) -> None:
    with HubStandIn(tokens={}) as hub:
        hub.add_file("model", "lab/zoo", "it.pth", b"x")
        outcome = download("hub:lab/zoo/other.pth", out, **home, **client(hub))
    assert outcome.code == 1
    assert "error: it.pth: the hub did not give lab/zoo/other.pth" in outcome.output
    assert only(out.parent)


def test_https_file_comes_whole(checkpoint: bytes, out: Path, tmp_path: Path) -> None:
    with DriveStandIn(tmp_path) as drive:
        drive.add(FILE_ID, checkpoint)
        url = f"https://drive.usercontent.google.com/download?id={FILE_ID}"
        outcome = download(url, out, "--checkpoint", **drive.environment)
    assert outcome.code == 0, outcome.output
    assert out.read_bytes() == checkpoint


@pytest.mark.parametrize("behaviour", [standin.MISSING, standin.cut(1000, times=9)])
def test_https_failing_is_one_message(
    behaviour: standin.Behaviour, checkpoint: bytes, out: Path, tmp_path: Path
) -> None:
    with DriveStandIn(tmp_path) as drive:
        drive.add(FILE_ID, checkpoint, behaviour=behaviour)
        url = f"https://drive.usercontent.google.com/download?id={FILE_ID}"
        outcome = download(url, out, **drive.environment)
    assert outcome.code == 1
    assert f"error: it.pth: {url}: " in outcome.output
    assert only(out.parent)


def test_file_at_hand_is_linked(checkpoints: dict[str, Path], out: Path) -> None:
    outcome = download(str(checkpoints["tiny-finetuned"]), out, "--checkpoint")
    assert outcome.code == 0
    assert out.is_symlink()
    assert out.resolve() == checkpoints["tiny-finetuned"].resolve()


def test_missing_file_is_one_message(out: Path, tmp_path: Path) -> None:
    outcome = download(str(tmp_path / "nowhere.pth"), out)
    assert outcome.code == 1
    assert f"error: it.pth: {tmp_path}/nowhere.pth: no such file" in outcome.output
    assert only(out.parent)


def test_other_sha256_than_the_pinned_is_refused(checkpoints: dict[str, Path], out: Path) -> None:
    path = checkpoints["tiny-finetuned"]
    right = hashlib.sha256(path.read_bytes()).hexdigest()
    assert download(str(path), out, f"--sha256={right.upper()}").code == 0
    out.unlink()
    outcome = download(str(path), out, f"--sha256={'0' * 64}")
    assert outcome.code == 1
    assert f"has SHA-256 {right}" in outcome.output
    assert only(out.parent)


def test_failed_download_keeps_what_was_there(out: Path, tmp_path: Path) -> None:
    out.write_text("the file of before")
    (tmp_path / "page.html").write_text("<html>")
    assert download(str(tmp_path / "page.html"), out, "--checkpoint").code == 1
    assert out.read_text() == "the file of before"


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("gdrive:1MzwteHH-1yuMnFb8vRBQDvngV1Zl-d3z", "gdrive"),
        ("hub:OpenGVLab/VideoMAE2/distill/vit_s.pth@main", "hub"),
        ("https://example.org/a.pth", "https"),
        ("/data/run 7/checkpoint-best.pth", "file"),
        ("synthetic:tiny-finetuned", "synthetic"),
    ],
)
def test_source_is_told_by_its_text(text: str, kind: str) -> None:
    source = sources.parse(text)
    assert source.kind == kind
    assert str(source) == text


@pytest.mark.parametrize("text", ["", "gdrive:short", "hub:owner/repo", "ftp://host/file"])
def test_text_that_is_no_source_is_refused(text: str) -> None:
    with pytest.raises(ConversionError, match="is no source"):
        sources.parse(text)


def test_progress_is_said_with_speed_and_time_left(capsys: pytest.CaptureFixture[str]) -> None:
    progress = sources.Progress("videomae-base", seconds=0)
    progress(50_000_000, 100_000_000)
    assert "videomae-base: 50 of 100 MB, " in capsys.readouterr().err


def test_checkpoints_are_told_by_their_bytes(checkpoints: dict[str, Path]) -> None:
    assert magic.fault(checkpoints["tiny-finetuned"]) is None
