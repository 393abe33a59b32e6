"""Without a network, behind proxies: what can't work is told once and soon, by each client."""

import time
from pathlib import Path

import pytest

from tests.conftest import CLI, DATA, Outcome, Workflow, process
from tests.standins.hub import HubStandIn
from tests.standins.socks import SocksStandIn
from tests.standins.web import WebStandIn
from tests.unit.test_download import client

DRIVE = "gdrive:1MzwteHH-1yuMnFb8vRBQDvngV1Zl-d3z"
CONTENT = (DATA / "trained/v1-cls.pth").read_bytes()
NOWHERE = {"HF_ENDPOINT": "https://hub.invalid", "HF_TOKEN": "hf_token"}  # by RFC 2606 no such name


def fetch(source: str, output: Path, *options: str, **environment: str) -> Outcome:
    return process(*CLI, "fetch", source, output, *options, environment=environment)


def last_line(outcome: Outcome) -> str:
    assert outcome.code == 1
    assert "Traceback" not in outcome.output
    return outcome.output.splitlines()[-1]


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("hub:lab/zoo/it.pth", "the hub did not give lab/zoo/it.pth: "),
        ("https://files.invalid/it.pth", "https://files.invalid/it.pth: "),
        (DRIVE, "Google Drive can't be reached for file 1Mzwte"),
    ],
)
def test_name_that_can_not_be_resolved_is_told_once_and_soon(
    source: str, words: str, tmp_path: Path, home: dict[str, str]
) -> None:
    # Drive's own name may exist here, so that one is asked through a proxy of no name.
    proxy = {"HTTPS_PROXY": "http://proxy.invalid:1"} if source == DRIVE else {"NO_PROXY": "*"}
    began = time.monotonic()
    outcome = fetch(source, tmp_path / "it.pth", **NOWHERE, **proxy, **home)
    assert time.monotonic() - began < 20
    said = last_line(outcome)
    assert outcome.output.splitlines() == [said]
    assert said.startswith(f"error: it.pth: {words}")
    assert "the name can't be resolved, so this machine seems to have no network" in said
    assert "`checkpoints_dir`" in said
    assert ("HF_HUB_OFFLINE=1" in said) == source.startswith("hub:")


@pytest.mark.full
def test_run_that_would_push_without_a_name_server_stops_at_once(workflow: Workflow) -> None:
    entry = {"checkpoint": "hub:lab/zoo/it.pth", "config": {"num_attention_heads": 4}}
    push = {"enabled": True, "namespace": "lab"}
    workflow.configure({"it": entry}, push=push)
    outcome = workflow.run(**NOWHERE, NO_PROXY="*")
    assert outcome.code == 1
    assert outcome.output.count("the name can't be resolved") == 1


def test_retries_of_the_hubs_client_and_ours_do_not_multiply(
    tmp_path: Path, home: dict[str, str]
) -> None:
    with HubStandIn(tokens={}) as hub:
        hub.add_file("model", "lab/zoo", "it.pth", CONTENT)
        hub.fail("HEAD", "it.pth", 503, times=100)
        outcome = fetch(
            "hub:lab/zoo/it.pth", tmp_path / "it.pth", "--wait=0", **home, **client(hub)
        )
    assert "Tried 4 times; try again later" in last_line(outcome)
    assert len(hub.requests) == 8  # each try asks once more if nothing is in the client's cache
    assert len(outcome.output.splitlines()) <= 12


def test_hubs_cache_is_enough_when_the_hub_is_out_of_reach(
    tmp_path: Path, home: dict[str, str]
) -> None:
    with HubStandIn(tokens={}) as hub:
        hub.add_file("model", "lab/zoo", "it.pth", CONTENT)
        source, reached = "hub:lab/zoo/it.pth", client(hub)
        assert fetch(source, tmp_path / "1.pth", **home, **reached).code == 0
    for endpoint in (hub.endpoint, NOWHERE["HF_ENDPOINT"]):
        output = tmp_path / f"{len(endpoint)}.pth"
        outcome = fetch(source, output, **home, **{**reached, "HF_ENDPOINT": endpoint})
        assert outcome.code == 0, outcome.output
        assert output.read_bytes() == CONTENT


# -- proxies ---------------------------------------------------------------------------------------


def test_hub_and_https_are_reached_by_a_socks_proxy(tmp_path: Path, home: dict[str, str]) -> None:
    with HubStandIn(tokens={}) as hub, WebStandIn(tmp_path) as web, SocksStandIn() as proxy:
        hub.add_file("model", "lab/zoo", "it.pth", CONTENT)
        web.files["/it.pth"] = CONTENT
        settings = {**home, **client(hub), **web.environment, **proxy.environment}
        for number, source in enumerate(("hub:lab/zoo/it.pth", f"https://{web.here}/it.pth")):
            output = tmp_path / f"{number}.pth"
            outcome = fetch(source, output, "--wait=0", **settings)
            assert outcome.code == 0, outcome.output
            assert output.read_bytes() == CONTENT
    assert web.here in proxy.asked
    assert hub.endpoint.removeprefix("http://") in proxy.asked


@pytest.mark.parametrize("source", ["hub:lab/zoo/it.pth", "https://localhost/it.pth", DRIVE])
def test_proxy_of_an_unknown_kind_is_one_line(
    source: str, tmp_path: Path, home: dict[str, str]
) -> None:
    proxy = dict.fromkeys(("ALL_PROXY", "HTTPS_PROXY", "https_proxy"), "socks9://localhost:1")
    outcome = fetch(source, tmp_path / "it.pth", **home, **proxy, NO_PROXY="", no_proxy="")
    said = last_line(outcome)
    assert "the proxy that HTTPS_PROXY or ALL_PROXY names can't be used: " in said
    assert "socks5h://HOST:PORT" in said
