"""Passwords, signatures and tokens reach the step that needs them, and nothing that is kept."""

import base64
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from videomae.cli.main import COMMANDS
from videomae.config import ad_hoc, settings
from videomae.download import receipts, sources
from videomae.download.receipts import Content
from videomae.errors import ConversionError
from videomae.network import addresses, secrets

from tests.conftest import CLI, DATA, ROOT, Outcome, Workflow, process
from tests.standins.hub import Account, HubStandIn
from tests.standins.web import WebStandIn

USER, PASSWORD, SIGNATURE, TOKEN = "anna", "pa55-w0rd", "5igned0123456789", "hf_T0ken0fTests"
CHECKPOINT = DATA / "trained/v1-cls.pth"
SIGNED = f"X-Amz-Date=20261130&X-Amz-Signature={SIGNATURE}"
BASIC = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()


@pytest.fixture
def web(tmp_path: Path) -> Iterator[WebStandIn]:
    with WebStandIn(tmp_path) as web:
        yield web


def whole(web: WebStandIn, path: str = f"/zoo/it.pth?{SIGNED}") -> str:
    return f"https://{USER}:{PASSWORD}@{web.here}{path}"


def download(source: str, output: Path, web: WebStandIn, **more: str) -> Outcome:
    return process(
        *CLI, "fetch", source, output, "--wait=0", environment={**web.environment, **more}
    )


# -- how an address is shown -----------------------------------------------------------------------

BARE = "https://host.org/zoo/it.pth"


@pytest.mark.parametrize(
    "address",
    [
        BARE,
        "https://anna:pa55@host.org/zoo/it.pth",
        "https://anna:p@55@host.org/zoo/it.pth",
        "https://anna@host.org/zoo/it.pth#part",
        f"{BARE}?X-Amz-Signature=ab&X-Amz-Credential=c%2Fd&X-Amz-Expires=60",
        f"{BARE}?X-Goog-Signature=ab&X-Goog-Algorithm=x",
        f"{BARE}?sv=2025&st=2026&se=2027&sr=b&sp=r&sig=ab%3D",
        f"{BARE}?Expires=1&Signature=ab~&Key-Pair-Id=K",
        f"{BARE}?AWSAccessKeyId=A&Expires=1&Signature=ab",
        f"{BARE}?access_token=ab&api_key=c&password=d&auth=e",
    ],
)
def test_address_is_shown_without_what_lets_somebody_in(address: str) -> None:
    assert addresses.shown(address) == BARE
    source = sources.parse(address)
    assert str(source) == BARE
    assert source.whole == address
    assert "pa55" not in repr(source)


def test_query_that_says_which_file_is_meant_tells_two_files_apart() -> None:
    one, same, other = (
        addresses.shown(f"https://host.org/get?{query}")
        for query in ("file=7&token=ab", "token=cd&file=7", "file=8&token=ab")
    )
    assert one == same != other
    assert re.fullmatch(r"https://host\.org/get#query-[0-9a-f]{12}", one)
    assert addresses.shown(one) == one
    assert addresses.is_marked(one)


def test_short_names_of_azure_are_no_secrets_of_others() -> None:
    assert addresses.is_marked(addresses.shown("https://host.org/get?sp=7"))


@pytest.mark.parametrize(
    "address",
    [
        "https://anna:pa55/w0rd@host.org/it.pth",
        "https://anna:pa55?w0rd@host.org/it.pth",
        "https://anna:pa55#w0rd@host.org/it.pth",
        "https://anna:pa55@/it.pth",
        "https://[anna:pa55/it.pth",
        "http://anna:pa55@host.org/it.pth",
    ],
)
def test_address_that_can_not_be_read_is_refused_without_its_password(address: str) -> None:
    with pytest.raises(ConversionError) as error:
        sources.parse(address)
    assert "pa55" not in str(error.value)


@pytest.mark.parametrize(
    ("text", "left"),
    [
        (f"403 for url: https://a:b@h.org/x?{SIGNED}", "403 for url: https://h.org/x"),
        (f"Max retries exceeded with url: /x?{SIGNED} (Caused", "with url: /x (Caused"),
        (f"'https://h.org/x?{SIGNED}' at (s3://a:b@c/d)", "'https://h.org/x' at (s3://c/d)"),
        ("what is it? nothing", "what is it? nothing"),
    ],
)
def test_texts_of_others_lose_users_and_queries(text: str, left: str) -> None:
    assert addresses.redacted(text).endswith(left)


def test_checkpoint_is_named_without_user_and_query() -> None:
    address = f"https://{USER}:{PASSWORD}@host.org/it.pth?file=7.2&{SIGNED}"
    assert list(ad_hoc.variants(settings.parse({"checkpoint": address})) or {}) == ["it"]


# -- a download ------------------------------------------------------------------------------------


def test_download_finds_the_whole_address_in_its_environment(
    web: WebStandIn, tmp_path: Path
) -> None:
    web.files[f"/get?file=7&{SIGNED}"] = b"seven"
    address = whole(web, f"/get?file=7&{SIGNED}")
    shown = str(sources.parse(address))
    outcome = download(shown, tmp_path / "it", web, **{secrets.ADDRESS: address})
    assert outcome.code == 0, outcome.output
    assert (tmp_path / "it").read_bytes() == b"seven"
    assert web.requests[-1].authorization == BASIC
    for given in ({}, {secrets.ADDRESS: whole(web, "/get?file=8")}):
        outcome = download(shown, tmp_path / "other", web, **given)
        assert outcome.code == 1
        assert f"{shown} lacks its query; give the whole address in" in outcome.output
    assert len(web.requests) == 1


def test_refusal_of_a_server_tells_no_secrets(web: WebStandIn, tmp_path: Path) -> None:
    outcome = download(whole(web), tmp_path / "it", web)
    assert outcome.code == 1
    assert f"error: it: https://{web.here}/zoo/it.pth: 403 " in outcome.output
    assert not secrets_in(outcome.output)


def test_server_that_can_not_be_reached_tells_no_secrets(tmp_path: Path) -> None:
    with WebStandIn(tmp_path) as web:
        address = whole(web)
    outcome = download(address, tmp_path / "it", web)
    assert outcome.code == 1
    assert "Tried 4 times" in outcome.output
    assert not secrets_in(outcome.output)


@pytest.mark.parametrize("hops", [1, 2])
def test_redirection_from_https_to_http_is_refused(
    hops: int, web: WebStandIn, tmp_path: Path
) -> None:
    web.redirections["/zoo/1"] = f"http://{USER}:{PASSWORD}@{web.plain}/it?{SIGNED}"
    web.redirections["/zoo/2"] = "1"  # relative
    web.files[f"/it?{SIGNED}"] = b"anything"
    outcome = download(whole(web, f"/zoo/{hops}"), tmp_path / "it", web)
    assert outcome.code == 1
    assert (
        f"https://{web.here}/zoo/1 redirects to http://{web.plain}/it, which is not encrypted"
    ) in outcome.output
    assert [request.host for request in web.requests] == [web.here] * hops
    assert not secrets_in(outcome.output)


def test_password_does_not_go_to_another_host(web: WebStandIn, tmp_path: Path) -> None:
    web.redirections["/zoo/it.pth"] = f"https://{web.other}/it?{SIGNED}"
    web.files[f"/it?{SIGNED}"] = b"whole"
    assert download(whole(web, "/zoo/it.pth"), tmp_path / "it", web).code == 0
    first, second = web.requests
    assert (first.host, first.authorization) == (web.here, BASIC)
    assert (second.host, second.authorization) == (web.other, None)


GET = """
import sys
from huggingface_hub import get_session
from videomae.network.hub import failures
with failures("refused", "not reached"):
    print(get_session().get(sys.argv[1]).text)
"""


def test_hub_does_not_lead_from_https_to_http(web: WebStandIn) -> None:
    web.files["/it"] = b"anything"
    web.redirections["/other"] = f"https://{web.other}/it"
    web.redirections["/plain"] = f"http://{web.plain}/it"
    environment = {**web.environment, "SSL_CERT_FILE": web.environment["REQUESTS_CA_BUNDLE"]}
    other, plain = (
        process("-c", GET, f"https://{web.here}/{path}", environment=environment, cwd=ROOT)
        for path in ("other", "plain")
    )
    assert other.output == "anything\n"
    assert plain.code == 1
    assert f"/plain redirects to http://{web.plain}/it, which is not encrypted" in plain.output
    assert web.plain not in [request.host for request in web.requests]


# -- what an earlier version has written -----------------------------------------------------------


def test_lock_and_receipts_of_an_earlier_version_lose_their_secrets(tmp_path: Path) -> None:
    address, content = f"https://anna:pa55@host.org/it.pth?{SIGNED}", Content(3, "0" * 64)
    lock, receipt = tmp_path / "checkpoints.lock", tmp_path / "it.json"
    lock.write_text(json.dumps({address: content._asdict()}))
    receipt.write_text(json.dumps({"source": address, **content._asdict()}))
    assert receipts.read_lock(lock) == {"https://host.org/it.pth": content}
    assert receipts.read(receipt)[0] == "https://host.org/it.pth"
    receipts.record([], lock)
    assert json.loads(lock.read_text()) == {"https://host.org/it.pth": content._asdict()}


# -- a run -----------------------------------------------------------------------------------------

SPY = """
import json, os, sys
names = [name for name in os.environ if "TOKEN" in name or name.startswith("VIDEOMAE_ADDRESS")]
with open(os.environ["SPY"], "a") as file:
    found = {name: os.environ[name] for name in names}
    file.write(json.dumps([sys.orig_argv, found]) + "\\n")
"""


def spied(folder: Path) -> Iterator[tuple[str, list[str], dict[str, str]]]:
    """Give each command of a run: its name, its words from there, and the secrets it finds."""
    for line in (folder / "spy.jsonl").read_text().splitlines():
        argv, found = json.loads(line)
        assert not secrets_in(" ".join(argv)), "no command line may hold a secret"
        if places := [number for number, word in enumerate(argv) if word in COMMANDS]:
            yield argv[places[0]], argv[places[0] :], found  # behind who starts it


def secrets_in(text: str) -> list[str]:
    return [secret for secret in (PASSWORD, SIGNATURE, TOKEN, BASIC[6:]) if secret in text]


def kept(folder: Path) -> Iterator[tuple[Path, str]]:
    """Give what a run has left, with Snakemake's records decoded."""
    for path in folder.rglob("*"):
        if path.is_file() and path.name not in ("config.yaml", "spy.jsonl"):
            yield path, path.read_bytes().decode(errors="replace")


def test_run_keeps_and_shows_no_secret_and_gives_each_step_its_own(
    web: WebStandIn, workflow: Workflow, home: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "site").mkdir()
    (tmp_path / "site/sitecustomize.py").write_text(SPY)
    folder = tmp_path / "run"
    folder.mkdir()
    workflow = Workflow(folder)
    web.files[f"/zoo/it.pth?{SIGNED}"] = CHECKPOINT.read_bytes()
    web.files[f"/zoo/other.pth?{SIGNED}2"] = CHECKPOINT.read_bytes()
    heads = {"config": {"num_attention_heads": 4}}
    variants = {
        "it": {"checkpoint": whole(web), **heads},
        "other": {"checkpoint": whole(web, f"/zoo/other.pth?{SIGNED}2"), **heads},
        "local": {"checkpoint": str(CHECKPOINT), **heads},
        "hub": {"checkpoint": "hub:lab/zoo/it.pth", **heads},
    }
    workflow.configure(variants, push={"enabled": True, "namespace": "lab"})
    receipts_of = [f"results/checkpoints/{name}.json" for name in variants if name != "it"]
    targets = ["results/pushed/it.json", *receipts_of]
    given = {**home, **web.environment, "HF_TOKEN": TOKEN, "HUGGING_FACE_HUB_TOKEN": TOKEN}
    given |= {"SPY": str(folder / "spy.jsonl"), "PYTHONPATH": str(tmp_path / "site")}
    given |= {"HF_HUB_DISABLE_XET": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}
    with HubStandIn(tokens={TOKEN: Account("alice", orgs=["lab"])}) as hub:
        hub.add_file("model", "lab/zoo", "it.pth", CHECKPOINT.read_bytes())
        outcome = workflow.run("--printshellcmds", *targets, HF_ENDPOINT=hub.endpoint, **given)
        assert outcome.code == 0, outcome.output
        for repo in hub.repos.values():
            for commit in repo.commits:
                assert not secrets_in(commit.files.get("README.md", b"").decode())
    assert not secrets_in(outcome.output)
    assert f"https://{web.here}/zoo/it.pth" in outcome.output
    assert [path for path, text in kept(folder) if secrets_in(text)] == []
    lock = json.loads((folder / "checkpoints.lock").read_text())
    shown = {name: f"https://{web.here}/zoo/{name}.pth" for name in ("it", "other")}
    assert set(lock) == {"hub:lab/zoo/it.pth", *shown.values()}
    card = (workflow.results / "models/it/README.md").read_text()
    assert f"| Checkpoint | `{shown['it']}` |" in card
    tokens = {"HF_TOKEN": TOKEN, "HUGGING_FACE_HUB_TOKEN": TOKEN}
    needed = {
        "push": tokens,
        "hub:lab/zoo/it.pth": tokens,
        **{shown[name]: {secrets.ADDRESS: variants[name]["checkpoint"]} for name in shown},
    }
    steps = set()
    for step, argv, found in spied(folder):
        what = argv[1] if step == "fetch" else step
        assert found == needed.get(what, {}), argv
        steps.add(what)
    assert steps >= {*needed, "receipt", "convert", "verify", "card", str(CHECKPOINT)}
    again = workflow.run("--dry-run", *targets, HF_ENDPOINT="http://127.0.0.1:9", **given)
    assert "Nothing to be done" in again.output
