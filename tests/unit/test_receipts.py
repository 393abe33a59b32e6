"""Receipts, pins and checkpoints.lock: what came once is what comes again, or is refused."""

import hashlib
import json
import os
from pathlib import Path

import pytest
from videomae import file_state
from videomae.config import settings
from videomae.config.variant import Variant
from videomae.download import manual_files, receipts
from videomae.download.receipts import Content
from videomae.errors import ConversionError

from tests.conftest import command

DRIVE = "gdrive:1MzwteHH-1yuMnFb8vRBQDvngV1Zl-d3z"
ONE, OTHER = Content(1, "1" * 64), Content(2, "2" * 64)


def write(path: Path, source: str, content: Content, fetched: bool = False) -> Path:
    path.write_text(json.dumps({"source": source, "fetched": fetched, **content._asdict()}))
    return path


def test_receipt_tells_source_size_and_sha256(checkpoints: dict[str, Path], tmp_path: Path) -> None:
    path = checkpoints["tiny-finetuned"]
    outcome = command("receipt", path, tmp_path / "it.json", "--source", DRIVE)
    assert outcome.code == 0, outcome.output
    found = path.stat()
    assert json.loads((tmp_path / "it.json").read_text()) == {
        "source": DRIVE,
        "fetched": False,  # by whom it was put there is not known
        "bytes": found.st_size,
        "mtime_ns": found.st_mtime_ns,
        "ctime_ns": found.st_ctime_ns,
        "inode": found.st_ino,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
    }


def test_file_at_hand_is_linked_with_its_receipt_or_neither_is_made(
    checkpoints: dict[str, Path], tmp_path: Path
) -> None:
    path, link, receipt = checkpoints["tiny-finetuned"], tmp_path / "it.pth", tmp_path / "it.json"
    asked = ("fetch", path, link, "--checkpoint", "--receipt", receipt)
    outcome = command(*asked, "--sha256", "0" * 64)
    assert outcome.code == 1
    found = receipts.content(path)
    assert f"it.pth: the file from {path} has {found}, but {'0' * 64}" in outcome.output
    assert list(tmp_path.iterdir()) == []
    assert command(*asked, "--sha256", found.sha256).code == 0
    assert link.readlink() == path
    assert receipts.of(link) == receipts.Receipt(str(path), found, file_state.stat(path))


def test_receipt_is_refused_to_what_is_no_checkpoint_or_another(
    checkpoints: dict[str, Path], tmp_path: Path
) -> None:
    page, link = tmp_path / "page.pth", tmp_path / "it.pth"
    page.write_text("<!DOCTYPE html><title>Quota</title>")
    link.symlink_to(checkpoints["tiny-finetuned"])
    found = receipts.content(link)
    locked = ("--locked", DRIVE, found.bytes + 1, "1" * 64)
    receipt, source = tmp_path / "it.json", ("--source", DRIVE, "--name", "mine")
    for path, options, message in (
        (
            page,
            (),
            f"mine: {page} is not a PyTorch checkpoint but a web page, 'Quota' (35 bytes); ",
        ),
        (link, ("--sha256", "0" * 64), f"mine: {link} (a link to {link.resolve()}) has {found}, "),
        (link, locked, f"checkpoints.lock has SHA-256 {'1' * 64} ({found.bytes + 1:,} bytes)"),
        (link, locked, f"{DRIVE}; remove that entry from checkpoints.lock if the file was "),
        (link, locked, f"else remove {link} to download it again"),
    ):
        outcome = command("receipt", path, receipt, *source, *options)
        assert outcome.code == 1
        assert message in outcome.output.splitlines()[-1]
        assert not receipt.exists()
    assert command("receipt", link, receipt, *source, "--locked", DRIVE, *found).code == 0


def test_lock_records_what_came_from_the_network_and_keeps_what_it_has(tmp_path: Path) -> None:
    lock = tmp_path / "checkpoints.lock"
    made = [
        write(tmp_path / "a.json", "https://example.org/it.pth", OTHER, fetched=True),
        write(tmp_path / "b.json", DRIVE, ONE, fetched=True),
        write(tmp_path / "c.json", "run7/it.pth", ONE),
        write(tmp_path / "d.json", "synthetic:tiny-finetuned", ONE),
        write(tmp_path / "e.json", "gdrive:1234567890placed", ONE),  # by hand, whatever it says
    ]
    receipts.record(made[2:], lock)
    assert not lock.exists()
    receipts.record(made, lock)
    assert receipts.read_lock(lock) == {DRIVE: ONE, "https://example.org/it.pth": OTHER}
    assert list(json.loads(lock.read_text())) == [DRIVE, "https://example.org/it.pth"]
    before = lock.stat()
    receipts.record([write(tmp_path / "b.json", DRIVE, OTHER, fetched=True)], lock)
    assert lock.stat() == before


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("<<<<<<< HEAD\n{}", "checkpoints.lock can't be read: Expecting value: line 1 column 1"),
        ("[]", "must be an object with an entry for each source; correct the file"),
        (
            f'{{"{DRIVE}": {{"bytes": 1}}}}',
            f'{DRIVE}: {{"bytes": 1}} must have bytes (a number) and',
        ),
        (
            f'{{"{DRIVE}": {{"bytes": 1, "sha256": "1"}}}}',
            "sha256 (64 hexadecimal digits); correct",
        ),
    ],
)
def test_broken_lock_is_one_message(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "checkpoints.lock").write_text(text)
    with pytest.raises(ConversionError) as raised:
        receipts.read_lock(tmp_path / "checkpoints.lock")
    assert message in str(raised.value)


def test_broken_receipt_is_one_message(tmp_path: Path) -> None:
    for text in ('{"source"', "[]", '{"source": "a", "bytes": "1", "sha256": ""}'):
        (tmp_path / "it.json").write_text(text)
        with pytest.raises(ConversionError, match=r"it\.json is not a receipt; remove it"):
            receipts.read(tmp_path / "it.json")


def test_variant_is_held_to_its_pin_or_else_to_the_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    def variant(**entry: str) -> Variant:
        config = {"variants": {"it": {"checkpoint": DRIVE, **entry}}}
        return settings.read(config, (), {DRIVE: ONE}).variants["it"]

    assert variant().held_to == ["--locked", DRIVE, "1", "1" * 64]
    assert variant(sha256="1" * 64).held_to == [f"--sha256={'1' * 64}"]
    assert variant(checkpoint="gdrive:1234567890").held_to == []
    message = rf"\.it\.sha256: config\.yaml expects {'a' * 64}, but checkpoints\.lock has SHA-256 1"
    with pytest.raises(ConversionError, match=message):
        variant(sha256="A" * 64)
    assert not variant().contradicted
    Path("results/checkpoints").mkdir(parents=True)
    Path("results/checkpoints/it.pth").touch()
    receipt = write(Path("results/checkpoints/it.json"), DRIVE, ONE)
    assert not variant().contradicted
    write(receipt, "gdrive:1234567890", ONE)
    assert variant(checkpoint="gdrive:1234567890", sha256="2" * 64).contradicted
    write(receipt, DRIVE, OTHER)
    assert variant().contradicted
    assert not variant(checkpoint="gdrive:1234567890").contradicted  # it is of what was before
    os.utime(receipt, (1, 1))
    assert not variant().contradicted  # the checkpoint is newer


def test_file_put_in_a_downloads_place_stands_but_not_for_another_source(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    checkpoint = Path("results/checkpoints/it.pth")
    checkpoint.parent.mkdir(parents=True)
    assert not manual_files.accept(checkpoint, DRIVE)  # nothing is there yet
    checkpoint.touch()
    assert manual_files.accept(checkpoint, DRIVE)
    write(checkpoint.with_suffix(".json"), DRIVE, ONE)
    assert manual_files.accept(checkpoint, DRIVE)
    with pytest.raises(
        ConversionError, match=f"was added by hand for {DRIVE}, but the source is hub:a/b/c "
    ):
        manual_files.accept(checkpoint, "hub:a/b/c")
    record = Path("results/logs/download/it.json")
    record.parent.mkdir(parents=True)
    write(record, DRIVE, ONE)  # a download brought another file
    with pytest.raises(ConversionError, match="was added by hand for"):
        manual_files.accept(checkpoint, "hub:a/b/c")
    write(record, DRIVE, receipts.content(checkpoint))  # it is the one that was downloaded
    assert not manual_files.accept(checkpoint, "hub:a/b/c")
