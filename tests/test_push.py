"""`push.py`: the real client against a stand-in of the hub; only what was verified goes there."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import DATA, ROOT, Outcome, Workflow, command, jobs, process
from tests.standins.hub import Account, HubStandIn

TOKEN = "hf_a_token_of_the_tests"
HEADS = ("--config", "num_attention_heads=4")


@pytest.fixture(scope="module")
def publishable(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder made from trained weights, with its card and its report beside; not to be edited."""
    base = tmp_path_factory.mktemp("publishable")
    path = DATA / "trained/v1-cls.pth"
    command("convert", path, base / "model", *HEADS)
    command("verify", path, base / "model", "--passed", base / "report.json", *HEADS)
    (base / "receipt.json").write_text(json.dumps({"source": "v1-cls.pth", "sha256": "0" * 64}))
    card = base / "model/README.md"
    assert command("card", base / "report.json", base / "receipt.json", card).code == 0
    return base


@pytest.fixture
def base(publishable: Path, tmp_path: Path) -> Path:
    return shutil.copytree(publishable, tmp_path / "base")


def push(base: Path, repo_id: str, endpoint: str, token: str, *options: str) -> Outcome:
    return process(
        *(ROOT / "scripts/push.py", base / "model", base / "report.json"),
        *(repo_id, base / "pushed.json", *options),
        cwd=base,
        environment={
            "HF_ENDPOINT": endpoint,
            "HF_TOKEN": token,
            "HF_HOME": str(base / "hf"),
            "HF_HUB_DISABLE_XET": "1",
            "HF_HUB_DISABLE_TELEMETRY": "1",
        },
    )


@pytest.fixture
def hub() -> Any:
    with HubStandIn(tokens={TOKEN: Account("alice", orgs=["lab"], can_write=True)}) as hub:
        yield hub


def test_four_files_go_in_one_commit_with_a_receipt(base: Path, hub: HubStandIn) -> None:
    (base / "lab" / "model").mkdir(
        parents=True
    )  # a local folder of the repo's name changes nothing
    outcome = push(base, "lab/model", hub.endpoint, TOKEN)
    assert outcome.code == 0, outcome.output
    repo = hub.repos["model", "lab/model"]
    assert repo.private
    before, *uploads = repo.commits
    assert len(uploads) == 1
    assert uploads[0].files.keys() - before.files.keys() == {
        *("config.json", "model.safetensors", "preprocessor_config.json", "README.md")
    }
    for path in (base / "model").iterdir():
        assert uploads[0].files[path.name] == path.read_bytes()
    receipt = json.loads((base / "pushed.json").read_text())
    assert receipt["repo_id"] == "lab/model"
    assert receipt["commit"] == uploads[0].sha
    assert len(receipt["sha256"]) == 4
    assert TOKEN not in outcome.output + (base / "pushed.json").read_text()


def test_public_is_on_request(base: Path, hub: HubStandIn) -> None:
    assert push(base, "alice/model", hub.endpoint, TOKEN, "--public").code == 0
    assert not hub.repos["model", "alice/model"].private


@pytest.mark.parametrize(
    ("repo_id", "token", "said"),
    [("somebody/model", TOKEN, "403"), ("lab/model", "hf_wrong", "401")],
)
def test_refusal_of_the_hub_is_one_message_without_a_receipt(
    base: Path, hub: HubStandIn, repo_id: str, token: str, said: str
) -> None:
    outcome = push(base, repo_id, hub.endpoint, token)
    assert outcome.code == 1
    assert f"error: the hub refused {repo_id}" in outcome.output
    assert said in outcome.output
    assert "Traceback" not in outcome.output
    assert not (base / "pushed.json").exists()


def test_same_content_again_makes_no_commit(base: Path, hub: HubStandIn) -> None:
    assert push(base, "lab/model", hub.endpoint, TOKEN).code == 0
    first = json.loads((base / "pushed.json").read_text())
    assert push(base, "lab/model", hub.endpoint, TOKEN).code == 0
    assert json.loads((base / "pushed.json").read_text()) == first
    assert len(hub.repos["model", "lab/model"].commits) == 2  # the hub's own, and one


def test_other_content_is_overwritten_on_request_only(base: Path, hub: HubStandIn) -> None:
    hub.add_file("model", "lab/model", "config.json", b"{}")
    outcome = push(base, "lab/model", hub.endpoint, TOKEN)
    assert outcome.code == 1
    assert "lab/model on the hub holds config.json, not the same as here" in outcome.output
    assert "push.overwrite: true replaces" in outcome.output
    assert hub.repos["model", "lab/model"].branches["main"].files["config.json"] == b"{}"
    assert push(base, "lab/model", hub.endpoint, TOKEN, "--overwrite").code == 0
    files = hub.repos["model", "lab/model"].branches["main"].files
    assert files["config.json"] == (base / "model/config.json").read_bytes()


def test_file_that_arrives_otherwise_is_noticed(base: Path, hub: HubStandIn) -> None:
    hub.garble("config.json")
    outcome = push(base, "lab/model", hub.endpoint, TOKEN)
    assert outcome.code == 1
    assert "not what was sent: config.json differ" in outcome.output
    assert not (base / "pushed.json").exists()


# -- before a run ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("account", "token", "message"),
    [
        (Account("alice", orgs=["lab"]), "", "there is no token for the hub; log in with `hf"),
        (Account("alice", orgs=["lab"]), "hf_other", "the hub rejects the token"),
        (Account("alice", orgs=["club"]), TOKEN, "lab is none that the token of alice may write"),
        (Account("alice", orgs=["lab"], can_write=False), TOKEN, "alice may only read"),
    ],
)
def test_push_that_would_fail_stops_the_run_before_anything_is_downloaded(
    account: Account, token: str, message: str, workflow: Workflow, home: dict[str, str]
) -> None:
    path = DATA / "trained/v1-cls.pth"
    entry = {"checkpoint": str(path), "config": {"num_attention_heads": 4}}
    workflow.configure({"it": entry}, push={"enabled": True, "namespace": "lab"})
    with HubStandIn(tokens={TOKEN: account}) as hub:
        outcome = workflow.run(HF_ENDPOINT=hub.endpoint, HF_TOKEN=token, **home)
    assert outcome.code != 0
    assert message in outcome.output
    assert jobs(outcome) == []
    assert TOKEN not in outcome.output
    assert not list(workflow.results.glob("checkpoints/*"))


def test_hub_that_can_not_be_reached_stops_a_push_at_once(
    workflow: Workflow, home: dict[str, str]
) -> None:
    entry = {"checkpoint": str(DATA / "trained/v1-cls.pth")}
    workflow.configure({"it": entry}, push={"enabled": True, "namespace": "lab"})
    outcome = workflow.run(HF_ENDPOINT="http://127.0.0.1:9", HF_TOKEN=TOKEN, **home)
    assert outcome.code != 0
    assert "push.enabled: the hub can't be reached" in outcome.output


def refused(base: Path, hub: HubStandIn) -> str:
    outcome = push(base, "lab/model", hub.endpoint, TOKEN)
    assert outcome.code == 1
    assert not hub.requests, "nothing may be asked of the hub"
    return outcome.output


def test_rehearsal_weights_are_never_pushed(base: Path, hub: HubStandIn) -> None:
    report = json.loads((base / "report.json").read_text())
    (base / "report.json").write_text(json.dumps(report | {"rehearsal": "never trained"}))
    assert "holds rehearsal weights, which are never pushed" in refused(base, hub)


def test_rehearsal_folder_is_never_pushed_whatever_the_report_says(
    base: Path, hub: HubStandIn
) -> None:
    config = json.loads((base / "model/config.json").read_text())
    (base / "model/config.json").write_text(json.dumps(config | {"rehearsal": "never trained"}))
    assert "holds rehearsal weights" in refused(base, hub)


def test_unverified_folder_is_not_pushed(base: Path, hub: HubStandIn) -> None:
    report = json.loads((base / "report.json").read_text())
    (base / "report.json").write_text(json.dumps(report | {"passed": False}))
    assert "did not pass verification" in refused(base, hub)


def test_folder_changed_after_verification_is_not_pushed(base: Path, hub: HubStandIn) -> None:
    with (base / "model/config.json").open("a") as file:
        file.write("\n")
    assert "is not what was verified: config.json changed since" in refused(base, hub)


def test_report_that_does_not_know_every_file_is_not_enough(base: Path, hub: HubStandIn) -> None:
    report = json.loads((base / "report.json").read_text())
    del report["sha256"]["model.safetensors"]
    (base / "report.json").write_text(json.dumps(report))
    assert "is not what was verified: model.safetensors" in refused(base, hub)


def test_folder_without_its_card_is_not_pushed(base: Path, hub: HubStandIn) -> None:
    (base / "model/README.md").unlink()
    assert "is not complete: README.md missing" in refused(base, hub)
