"""`download.py`: the real clients against stand-ins, and that only what is right gets its name."""

import hashlib
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import httpx2
import huggingface_hub
import pytest
from huggingface_hub import constants
from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError
from videomae.checkpoint import formats
from videomae.download import sources
from videomae.errors import ConversionError
from videomae.network.progress import Progress
from videomae.workflow import run_lock

from tests.conftest import CLI, Outcome, Workflow, command, process, until
from tests.standins import drive as standin
from tests.standins.drive import DriveStandIn
from tests.standins.hub import HubStandIn

FILE_ID = "1MzwteHH-1yuMnFb8vRBQDvngV1Zl-d3z"


def download(source: str, output: Path, *options: object, **environment: str) -> Outcome:
    """Run the command as a process of its own, whose clients find the stand-ins by its settings."""
    return process(*CLI, "fetch", source, output, *options, environment=environment)


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
def test_drive_file_comes_whole(
    behaviour: standin.Behaviour, checkpoint: bytes, out: Path, home: dict[str, str], tmp_path: Path
) -> None:
    with DriveStandIn(tmp_path) as server:
        server.add(FILE_ID, checkpoint, behaviour=behaviour)
        outcome = download(f"gdrive:{FILE_ID}", out, "--checkpoint", **home, **server.environment)
    assert outcome.code == 0, outcome.output
    assert out.read_bytes() == checkpoint
    assert out.stat().st_mode & 0o444 == 0o444
    assert only(out.parent, "it.pth")


SENT = f"error: videomae-base: Google Drive sent a web page ('{{}}') for file {FILE_ID}: {{}}"
WAYS = (
    "sign in with `gdown --cookies-from-browser BROWSER`{}, or download it with a browser and "
    "put it at "
)


@pytest.mark.parametrize(
    ("behaviour", "title", "messages"),
    [
        (
            standin.QUOTA,
            "Quota exceeded",
            ["the download quota of this file is used up. Wait", WAYS.format("")],
        ),
        (standin.MISSING, "Not found", ["the file does not exist (status 404). Correct the id"]),
        (
            standin.SIGN_IN,
            "Google Drive: Sign-in",
            ["the file is not public", WAYS.format(" as a user who may read it")],
        ),
        (standin.FORBIDDEN, "Forbidden", ["the file is not public"]),
        (standin.PAGE_WITH_DISPOSITION, "Sign in", ["the file is not public"]),
    ],
)
def test_lasting_refusal_of_drive_is_told_apart_and_stops_at_once(
    behaviour: standin.Behaviour,
    title: str,
    messages: list[str],
    checkpoint: bytes,
    out: Path,
    home: dict[str, str],
    tmp_path: Path,
) -> None:
    with DriveStandIn(tmp_path) as server:
        server.add(FILE_ID, checkpoint, behaviour=behaviour)
        options = ("--checkpoint", "--name", "videomae-base", "--wait", 60)
        outcome = download(f"gdrive:{FILE_ID}", out, *options, **home, **server.environment)
    assert outcome.code == 1
    assert outcome.output.count("error: videomae-base: ") == 1
    assert SENT.format(title, messages[0]) in outcome.output
    assert all(message in outcome.output for message in messages)
    assert f"put it at {out}, or give its path instead of the id" in outcome.output
    assert "Traceback" not in outcome.output
    assert [request.host for request in server.requests].count(standin.DOWNLOAD_HOST) == 1
    assert only(out.parent)


def test_workflow_does_not_repeat_a_lasting_refusal(
    workflow: Workflow, home: dict[str, str], tmp_path: Path
) -> None:
    workflow.configure({"mine": {"checkpoint": f"gdrive:{FILE_ID}"}})
    with DriveStandIn(tmp_path) as server:
        outcome = workflow.run("results/checkpoints/mine.pth", **home, **server.environment)
    assert outcome.code != 0
    assert "error: mine: Google Drive sent a web page ('Not found')" in outcome.output
    assert [request.host for request in server.requests].count(standin.DOWNLOAD_HOST) == 1


def test_drive_out_of_order_is_asked_again(
    checkpoint: bytes, out: Path, home: dict[str, str], tmp_path: Path
) -> None:
    with DriveStandIn(tmp_path) as server:
        server.add(FILE_ID, checkpoint, behaviour=standin.unavailable(times=2))
        options = ("--checkpoint", "--wait", 0.01)
        outcome = download(f"gdrive:{FILE_ID}", out, *options, **home, **server.environment)
    assert outcome.code == 0, outcome.output
    assert out.read_bytes() == checkpoint
    assert "next try in 0.01 s" in outcome.output
    assert "next try in 0.03 s" in outcome.output


@pytest.mark.parametrize(
    ("behaviour", "message"),
    [
        (
            standin.unavailable(None),
            "the service is overloaded or out of order (status 503). Tried 4 times",
        ),
        (standin.Behaviour(first=0), f"the transfer of {FILE_ID} from Google Drive stopped: "),
    ],
)
def test_drive_that_stays_out_of_order_is_given_up(
    behaviour: standin.Behaviour,
    message: str,
    checkpoint: bytes,
    out: Path,
    home: dict[str, str],
    tmp_path: Path,
) -> None:
    with DriveStandIn(tmp_path) as server:
        server.add(FILE_ID, checkpoint, behaviour=behaviour)
        outcome = download(f"gdrive:{FILE_ID}", out, "--wait=0", **home, **server.environment)
    assert outcome.code == 1
    assert message in outcome.output.splitlines()[-1]
    assert "Tried 4 times" in outcome.output.splitlines()[-1]
    assert "Traceback" not in outcome.output
    assert len(server.requests) <= 20
    assert only(out.parent)


BIG = bytes(range(251)) * 16_000  # gdown writes pieces of half a megabyte
FIRST = 1_100_000
WRITTEN = 1 << 20


@pytest.mark.parametrize(("times", "starts"), [(2, [WRITTEN]), (6, [WRITTEN, 2 * WRITTEN])])
def test_cut_transfer_goes_on_from_what_it_has(
    times: int, starts: list[int], out: Path, home: dict[str, str], tmp_path: Path
) -> None:
    with DriveStandIn(tmp_path) as server:
        server.add(FILE_ID, BIG, behaviour=standin.cut(FIRST, times))
        outcome = download(f"gdrive:{FILE_ID}", out, "--wait=0", **home, **server.environment)
    assert outcome.code == 0, outcome.output
    assert out.read_bytes() == BIG
    ranges = {request.range: None for request in server.requests if request.range}  # in order
    assert list(ranges) == [f"bytes={start}-" for start in starts]
    assert only(out.parent, "it.pth")


class Killed(NamedTuple):
    """A download that was killed in the middle, with the folder of its part."""

    drive: DriveStandIn
    options: dict[str, str]
    parts: Path


@pytest.fixture
def killed(out: Path, home: dict[str, str], tmp_path: Path) -> Iterator[Killed]:
    with DriveStandIn(tmp_path) as server:
        server.add(FILE_ID, BIG, behaviour=standin.slow(FIRST, stall=60))
        options = {**home, **server.environment}
        parts = out.with_name(".it.pth.parts")
        running = start(f"gdrive:{FILE_ID}", out, **options)
        until(
            lambda: any(part.stat().st_size == WRITTEN for part in parts.glob("*.part")), "the part"
        )
        running.kill()
        running.wait()
        assert not out.exists()
        server.requests.clear()
        server.add(FILE_ID, BIG)
        yield Killed(server, options, parts)


def start(source: str, output: Path, **environment: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, *CLI, "fetch", source, str(output), "--wait=0"]
    return subprocess.Popen(command, env={**os.environ, **environment})


def test_next_start_goes_on_from_what_a_killed_one_left(killed: Killed, out: Path) -> None:
    outcome = download(f"gdrive:{FILE_ID}", out, **killed.options)
    assert outcome.code == 0, outcome.output
    assert out.read_bytes() == BIG
    assert f"bytes={WRITTEN}-" in [request.range for request in killed.drive.requests]
    assert not killed.parts.exists()


@pytest.mark.parametrize(
    ("behaviour", "message"),
    [
        (standin.QUOTA, "the download quota of this file is used up"),
        (standin.Behaviour(first=1000), f"({WRITTEN:,} bytes are in "),
    ],
)
def test_part_is_kept_when_drive_gives_no_more(
    behaviour: standin.Behaviour, message: str, killed: Killed, out: Path
) -> None:
    killed.drive.add(FILE_ID, BIG, behaviour=behaviour)
    outcome = download(f"gdrive:{FILE_ID}", out, "--wait=0", **killed.options)
    assert outcome.code == 1
    assert message in outcome.output.splitlines()[-1]
    (part,) = killed.parts.glob("*.part")
    assert part.read_bytes() == BIG[:WRITTEN]


def test_part_of_another_file_is_not_gone_on_with(killed: Killed, out: Path) -> None:
    other = FILE_ID[::-1]
    killed.drive.add(other, BIG[::-1])
    assert download(f"gdrive:{other}", out, **killed.options).code == 0
    assert out.read_bytes() == BIG[::-1]
    assert not any(request.range for request in killed.drive.requests)
    assert not killed.parts.exists()


def test_part_of_a_file_that_was_replaced_is_not_gone_on_with(killed: Killed, out: Path) -> None:
    killed.drive.add(FILE_ID, BIG[::-1] + b"more")
    assert download(f"gdrive:{FILE_ID}", out, **killed.options).code == 0
    assert out.read_bytes() == BIG[::-1] + b"more"
    assert not any(request.range for request in killed.drive.requests)


def test_complete_part_is_taken(killed: Killed, out: Path) -> None:
    (part,) = killed.parts.glob("*.part")
    part.write_bytes(BIG)
    assert download(f"gdrive:{FILE_ID}", out, **killed.options).code == 0
    assert out.read_bytes() == BIG
    assert len(killed.drive.requests) == 2  # the question what there is, and its redirection
    assert only(out.parent, "it.pth")


def test_of_two_parts_the_longer_is_gone_on_with(killed: Killed, out: Path) -> None:
    (part,) = killed.parts.glob("*.part")
    part.with_name(part.name[:16] + "12345678.part").write_bytes(BIG[:1000])
    assert download(f"gdrive:{FILE_ID}", out, **killed.options).code == 0
    assert out.read_bytes() == BIG
    assert f"bytes={WRITTEN}-" in [request.range for request in killed.drive.requests]
    assert not killed.parts.exists()


def test_server_that_sends_no_rest_is_asked_for_the_whole(killed: Killed, out: Path) -> None:
    killed.drive.add(FILE_ID, BIG, behaviour=standin.Behaviour(ranges=False))
    outcome = download(f"gdrive:{FILE_ID}", out, "--wait=0", **killed.options)
    assert outcome.code == 0, outcome.output
    assert "the next try starts from the beginning; next try in" in outcome.output
    assert out.read_bytes() == BIG
    assert only(out.parent, "it.pth")


def test_part_goes_when_the_file_comes_from_elsewhere(
    killed: Killed, out: Path, checkpoints: dict[str, Path]
) -> None:
    assert killed.parts.exists()
    assert command("fetch", checkpoints["tiny-finetuned"], out).code == 0
    assert only(out.parent, "it.pth")


def test_two_at_once_for_one_output_wait_for_each_other(
    out: Path, home: dict[str, str], tmp_path: Path
) -> None:
    with DriveStandIn(tmp_path) as server:
        server.add(FILE_ID, BIG, behaviour=standin.slow(FIRST, stall=3, times=2))
        options = {**home, **server.environment}
        first = start(f"gdrive:{FILE_ID}", out, **options)
        until(lambda: any(out.parent.glob(".it.pth.parts/*.part")), "the part")
        second = download(f"gdrive:{FILE_ID}", out, **options)
        assert first.wait() == 0
    assert second.code == 0
    assert "waiting for another process" in second.output
    assert out.read_bytes() == BIG
    assert only(out.parent, "it.pth")


@pytest.mark.parametrize("plant", ["folder", "lock", "part", "file"])
def test_link_among_the_parts_is_not_followed(
    plant: str, killed: Killed, out: Path, tmp_path: Path
) -> None:
    """The next try would write to the file elsewhere, or to a folder elsewhere."""
    victim = tmp_path / "victim"
    victim.write_bytes(BIG[:WRITTEN])
    (part,) = killed.parts.glob("*.part")
    if plant == "folder":
        elsewhere = killed.parts.rename(tmp_path / "elsewhere")
        killed.parts.symlink_to(elsewhere)
    else:
        at = {"lock": killed.parts / "lock", "part": part, "file": part.with_name(part.name[:16])}
        at[plant].unlink(missing_ok=True)
        at[plant].symlink_to(victim)
    outcome = download(f"gdrive:{FILE_ID}", out, "--wait=0", **killed.options)
    assert victim.read_bytes() == BIG[:WRITTEN]
    if plant in ("folder", "lock"):
        assert outcome.code == 1
        said = "is a link" if plant == "lock" else "is a link, a file or another user's folder"
        assert said in outcome.output.splitlines()[-1]
        assert not out.exists()
    else:
        assert outcome.code == 0, outcome.output
        assert out.read_bytes() == BIG
        assert only(out.parent, "it.pth")


def test_run_does_not_lock_through_a_link(workflow: Workflow, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    (workflow.folder / ".snakemake").mkdir()
    (workflow.folder / ".snakemake/alive").symlink_to(victim)
    with pytest.raises(ConversionError, match="alive is a link"):
        run_lock.hold(workflow.folder)
    assert not victim.exists()


def test_page_is_named_by_its_title(out: Path, tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text("<!DOCTYPE html><title>Quota &amp; more</title>")
    outcome = download(str(tmp_path / "page.html"), out, "--checkpoint")
    assert "gave not a PyTorch checkpoint but a web page, 'Quota & more' (" in outcome.output


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


GATED = {"X-Error-Code": "GatedRepo"}


@pytest.mark.parametrize(
    ("path", "status", "headers", "message"),
    [
        ("other.pth", None, {}, "404"),
        ("it.pth", 401, {}, "401"),
        ("it.pth", 403, GATED, "Cannot access gated repo"),
    ],
)
def test_hub_that_refuses_is_one_message(
    path: str,
    status: int | None,
    headers: dict[str, str],
    message: str,
    out: Path,
    home: dict[str, str],
) -> None:
    with HubStandIn(tokens={}) as hub:
        hub.add_file("model", "lab/zoo", "it.pth", b"x")
        if status:
            hub.fail("HEAD", path, status, headers=headers)
        outcome = download(f"hub:lab/zoo/{path}", out, "--wait=60", **home, **client(hub))
    assert outcome.code == 1
    last = outcome.output.splitlines()[-1]
    assert last.startswith(f"error: it.pth: the hub did not give lab/zoo/{path}: ")
    assert message in last
    assert len(hub.requests) == 1
    assert only(out.parent)


def test_hub_is_not_asked_when_offline_and_its_cache_is_enough(
    checkpoint: bytes, out: Path, home: dict[str, str]
) -> None:
    offline = {"HF_HUB_OFFLINE": "1"}
    with HubStandIn(tokens={}) as hub:
        hub.add_file("model", "lab/zoo", "it.pth", checkpoint, revision="v1")
        hub.add_file("model", "lab/zoo", "it.pth", b"something newer")
        source = "hub:lab/zoo/it.pth@v1"
        assert download(source, out, **home, **client(hub)).code == 0
        out.unlink()
        hub.requests.clear()
        outcome = download(source, out, **home, **client(hub), **offline)
        assert outcome.code == 0, outcome.output
        assert out.read_bytes() == checkpoint
        out.unlink()
        outcome = download("hub:lab/zoo/it.pth", out, **home, **client(hub), **offline)
        assert not hub.requests
    assert outcome.code == 1
    assert "error: it.pth: lab/zoo/it.pth is not in the hub's cache (" in outcome.output
    assert outcome.output.splitlines()[-1].endswith(
        "HF_HUB_OFFLINE is set; run once without HF_HUB_OFFLINE"
    )


REQUEST = httpx2.Request("GET", "https://huggingface.co")


@pytest.mark.parametrize(
    ("cause", "after"),
    [
        (httpx2.ConnectError("no route"), 0),
        (httpx2.ReadTimeout("no route"), 0),
        (HfHubHTTPError("no route", response=httpx2.Response(503, request=REQUEST)), 0),
        (
            HfHubHTTPError(
                "no route",
                response=httpx2.Response(429, headers={"Retry-After": "7"}, request=REQUEST),
            ),
            7,
        ),
    ],
)
def test_hub_that_is_out_of_order_is_asked_again(
    cause: Exception, after: float, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Its client tries again itself, for half a minute; so here it is told what that ends in."""

    def ask(*_: object, **__: object) -> str:
        try:
            raise cause
        except httpx2.HTTPError as error:
            raise LocalEntryNotFoundError("it is not in the cache") from error

    waits: list[float] = []
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", ask)
    monkeypatch.setattr(time, "sleep", waits.append)
    source = sources.parse("hub:lab/zoo/it.pth")
    with pytest.raises(
        ConversionError, match=r"it\.pth: no route\. Tried 4 times; try again later"
    ):
        sources.fetch(source, tmp_path / "new", "it", tmp_path / "it.pth", wait=1)
    assert waits == [max(wait, after) for wait in (1, 3, 9)]


def test_published_folder_is_asked_for_again(out: Path, home: dict[str, str]) -> None:
    with HubStandIn(tokens={}) as hub:
        hub.add_file("model", "lab/it", "config.json", b"{}")
        hub.add_file("model", "lab/it", "model.safetensors", b"weights")
        hub.fail("GET", "/api/models/lab/it", 503, times=3)
        script = (*CLI, "snapshot")
        environment = {**home, **client(hub)}
        outcome = process(*script, "lab/it", out, "--wait=0", environment=environment)
    assert outcome.code == 0, outcome.output
    assert only(out, "config.json", "model.safetensors")
    assert "\nlab/it: 0.0 of 0.0 kB" in outcome.output  # beside the lines of the three tries


def test_https_file_comes_whole(checkpoint: bytes, out: Path, tmp_path: Path) -> None:
    with DriveStandIn(tmp_path) as server:
        server.add(FILE_ID, checkpoint)
        url = f"https://drive.usercontent.google.com/download?id={FILE_ID}"
        outcome = download(url, out, "--checkpoint", **server.environment)
    assert outcome.code == 0, outcome.output
    assert out.read_bytes() == checkpoint


@pytest.mark.parametrize("behaviour", [standin.MISSING, standin.cut(1000, times=9)])
def test_https_failing_is_one_message(
    behaviour: standin.Behaviour, checkpoint: bytes, out: Path, tmp_path: Path
) -> None:
    with DriveStandIn(tmp_path) as server:
        server.add(FILE_ID, checkpoint, behaviour=behaviour)
        url = f"https://drive.usercontent.google.com/download?id={FILE_ID}"
        outcome = download(url, out, "--wait=0", **server.environment)
    assert outcome.code == 1
    assert f"error: it.pth: {sources.parse(url)}: " in outcome.output
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


def test_other_file_than_the_pinned_or_the_recorded_is_refused(
    checkpoints: dict[str, Path], out: Path
) -> None:
    path = checkpoints["tiny-finetuned"]
    right = hashlib.sha256(path.read_bytes()).hexdigest()
    assert download(str(path), out, f"--sha256={right.upper()}").code == 0
    out.unlink()
    outcome = download(str(path), out, f"--sha256={'0' * 64}")
    assert outcome.code == 1
    assert f"has SHA-256 {right}" in outcome.output
    outcome = download(str(path), out, "--locked", f"gdrive:{FILE_ID}", 1, right)
    assert outcome.code == 1
    assert f"but checkpoints.lock has SHA-256 {right} (1 bytes) for gdrive:" in outcome.output
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


@pytest.mark.parametrize("text", ["", "gdrive:short", "hub:owner", "ftp://host/file"])
def test_text_that_is_no_source_is_refused(text: str) -> None:
    with pytest.raises(ConversionError, match="is not a source"):
        sources.parse(text)


@pytest.mark.parametrize("kind", ["gdrive", "https", "hub"])
def test_every_source_says_how_far_it_is_and_how_long_the_rest_will_take(
    kind: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    home: dict[str, str],
    tmp_path: Path,
) -> None:
    monkeypatch.setattr(Progress, "seconds", 0)
    with DriveStandIn(tmp_path) as server, HubStandIn(tokens={}) as hub:
        for name, value in {**home, **server.environment, "HF_TOKEN": ""}.items():
            monkeypatch.setenv(name, value)
        path = "{repo_id}/resolve/{revision}/{filename}"
        for name, constant in {
            "HUGGINGFACE_CO_URL_TEMPLATE": f"{hub.endpoint}/{path}",
            "HF_HUB_CACHE": str(tmp_path / "cache"),
            "HF_HUB_DISABLE_XET": True,
            "DOWNLOAD_CHUNK_SIZE": 1 << 20,
        }.items():
            monkeypatch.setattr(constants, name, constant)
        server.add(FILE_ID, BIG, behaviour=standin.slow(FIRST, stall=0.2))
        hub.add_file("model", "lab/zoo", "it.pth", BIG)
        source = {
            "gdrive": f"gdrive:{FILE_ID}",
            "https": f"https://drive.usercontent.google.com/download?id={FILE_ID}",
            "hub": "hub:lab/zoo/it.pth",
        }[kind]
        sources.fetch(sources.parse(source), tmp_path / "new", "base", tmp_path / "it.pth")
    first, *rest, last = capsys.readouterr().err.splitlines()
    assert re.fullmatch(r"base: 0\.\d of 4\.0 MB", first)
    assert len(rest) >= 3
    for line in rest:
        assert re.fullmatch(r"base: \d\.\d of 4\.0 MB, [\d.,]+ [kMG]B/s, \d+ s left", line)
    assert re.fullmatch(r"base: 4\.0 of 4\.0 MB, [\d.,]+ [kMG]B/s", last)


def test_checkpoints_are_told_by_their_bytes(checkpoints: dict[str, Path]) -> None:
    assert formats.fault(checkpoints["tiny-finetuned"]) is None
