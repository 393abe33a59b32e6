"""`push.py`: the real client against a stand-in of the hub; only what was verified goes there."""

import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import CommitOperationAdd, _commit_api, constants
from huggingface_hub.utils.tqdm import enable_progress_bars
from videomae.errors import ConversionError
from videomae.publish import verified_folder as reading
from videomae.publish.permissions import check_access

from tests.conftest import CLI, DATA, Outcome, Workflow, command, jobs, process
from tests.standins.hub import Account, Commit, HubStandIn
from tests.standins.socks import SocksStandIn

TOKEN = "hf_a_token_of_the_tests"
FOUR = {"config.json", "model.safetensors", "preprocessor_config.json", "README.md"}
HEADS = ("--config", "num_attention_heads=4")


@pytest.fixture(scope="module")
def publishable(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder made from trained weights, with its card and its report beside; not to be edited."""
    base = tmp_path_factory.mktemp("publishable")
    path = DATA / "trained/v1-cls.pth"
    command("convert", path, base / "model", *HEADS)
    command("verify", path, base / "model", "--passed", base / "report.json", *HEADS)
    hashed = hashlib.sha256(path.read_bytes()).hexdigest()
    (base / "receipt.json").write_text(json.dumps({"source": "v1-cls.pth", "sha256": hashed}))
    card = base / "model/README.md"
    assert command("card", base / "report.json", base / "receipt.json", card).code == 0
    return base


@pytest.fixture
def base(publishable: Path, tmp_path: Path) -> Path:
    return shutil.copytree(publishable, tmp_path / "base")


@pytest.fixture(autouse=True)
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The hub's client takes its environment when it is imported; these tests share one import."""
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "token"))
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_TELEMETRY", True)


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Any:
    with HubStandIn(tokens={TOKEN: Account("alice", orgs=["lab"], can_write=True)}) as hub:
        monkeypatch.setattr(constants, "ENDPOINT", hub.endpoint)
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        yield hub


def push(base: Path, repo_id: str, *options: str) -> Outcome:
    return command(
        *("push", base / "model", base / "report.json", repo_id, base / "pushed.json"),
        *("--wait=0", *options),
    )


def test_four_files_go_in_one_commit_with_a_receipt(base: Path, hub: HubStandIn) -> None:
    (base / "lab" / "model").mkdir(
        parents=True
    )  # a local folder of the repo's name changes nothing
    enable_progress_bars()  # which verifying, in this process, has turned off
    outcome = push(base, "lab/model")
    assert outcome.code == 0, outcome.output
    repo = hub.repos["model", "lab/model"]
    assert repo.private
    before, commit = repo.commits
    assert commit.files.keys() - before.files.keys() == FOUR
    for path in (base / "model").iterdir():
        assert commit.files[path.name] == path.read_bytes()
    receipt = json.loads((base / "pushed.json").read_text())
    assert receipt["repo_id"] == "lab/model"
    assert receipt["commit"] == commit.sha
    assert len(receipt["sha256"]) == 4
    sent = f"{sum(path.stat().st_size for path in (base / 'model').iterdir()):,}"
    assert outcome.output.splitlines() == [  # and no bars of the hub's client
        f"lab/model: sending 4 files, {sent} bytes",
        f"lab/model: commit {commit.sha}",
    ]
    assert TOKEN not in (base / "pushed.json").read_text()


def test_public_is_on_request(base: Path, hub: HubStandIn) -> None:
    assert push(base, "alice/model", "--public").code == 0
    assert not hub.repos["model", "alice/model"].private


@pytest.mark.usefixtures("hub")
@pytest.mark.parametrize(
    ("repo_id", "token", "said"),
    [("somebody/model", TOKEN, "403"), ("lab/model", "hf_wrong", "401")],
)
def test_refusal_of_the_hub_is_one_message_without_a_receipt(
    base: Path, monkeypatch: pytest.MonkeyPatch, repo_id: str, token: str, said: str
) -> None:
    monkeypatch.setenv("HF_TOKEN", token)
    outcome = push(base, repo_id)
    assert outcome.code == 1
    assert f"error: the hub refused {repo_id}" in outcome.output
    assert said in outcome.output
    assert "Traceback" not in outcome.output
    assert not (base / "pushed.json").exists()


def test_same_content_again_makes_no_commit(base: Path, hub: HubStandIn) -> None:
    assert push(base, "lab/model").code == 0
    first = json.loads((base / "pushed.json").read_text())
    assert push(base, "lab/model").code == 0
    assert json.loads((base / "pushed.json").read_text()) == first
    assert len(hub.repos["model", "lab/model"].commits) == 2  # the hub's own, and one


def test_other_content_is_overwritten_on_request_only(base: Path, hub: HubStandIn) -> None:
    hub.add_file("model", "lab/model", "config.json", b"{}")
    outcome = push(base, "lab/model")
    assert outcome.code == 1
    assert "lab/model on the hub has another config.json" in outcome.output
    assert "to replace them, set push.overwrite: true" in outcome.output
    assert hub.repos["model", "lab/model"].branches["main"].files["config.json"] == b"{}"
    assert push(base, "lab/model", "--overwrite").code == 0
    files = hub.repos["model", "lab/model"].branches["main"].files
    assert files["config.json"] == (base / "model/config.json").read_bytes()


@pytest.mark.usefixtures("hub")
def test_name_that_the_hub_can_not_have_is_one_message(base: Path) -> None:
    outcome = push(base, "lab/a--b")
    assert outcome.code == 1
    assert "error: the hub refused lab/a--b: " in outcome.output


def test_file_that_arrives_otherwise_is_noticed_and_removed(base: Path, hub: HubStandIn) -> None:
    hub.garble("config.json")
    outcome = push(base, "lab/model", "--public")
    assert outcome.code == 1
    assert (
        "other files than were sent: config.json differ; they were removed there; push again. The "
        "repository lab/model was created and may still exist"
    ) in outcome.output
    assert "config.json" not in hub.repos["model", "lab/model"].branches["main"].files
    assert not (base / "pushed.json").exists()


def test_file_that_arrives_otherwise_and_can_not_be_removed_is_said_to_be_there(
    base: Path, hub: HubStandIn
) -> None:
    hub.garble("config.json")
    hub.meanwhile("GET", "/revision/[0-9a-f]{40}", lambda: hub.fail("POST", "/commit/", 403))
    outcome = push(base, "lab/model")
    assert outcome.code == 1
    assert "config.json differ; removing them failed too (" in (outcome.output)


def uploads(hub: HubStandIn, branch: str = "main") -> list[Commit]:
    """The commits after the hub's own first one, the last of which the branch has."""
    repo = hub.repos["model", "lab/model"]
    assert not repo.commits[1:] or repo.branches[branch] == repo.commits[-1]
    return repo.commits[1:]


def test_branch_is_created_and_recorded(base: Path, hub: HubStandIn) -> None:
    hub.add_file("model", "lab/model", "notes.txt", b"on main")
    outcome = push(base, "lab/model", "--revision=v2/final", "--overwrite")
    assert outcome.code == 0, outcome.output
    branches = hub.repos["model", "lab/model"].branches
    assert set(branches["v2/final"].files) - set(branches["main"].files) == FOUR
    receipt = json.loads((base / "pushed.json").read_text())
    assert (receipt["revision"], receipt["commit"]) == ("v2/final", branches["v2/final"].sha)
    (base / "pushed.json").unlink()
    assert push(base, "lab/model", "--revision=v2/final").code == 0
    assert json.loads((base / "pushed.json").read_text()) == receipt


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (("license: mit", "license: my own"), '"license" must be one of [apache-2.0,'),
        (("license: mit", "license: []"), '"license" must be a string'),
    ],
)
def test_card_that_the_hub_refuses_is_refused_in_its_words_before_anything_is_made(
    base: Path, hub: HubStandIn, edit: tuple[str, str], said: str
) -> None:
    card = base / "model/README.md"
    text = card.read_text().replace("---\n", "---\nlicense: mit\n", 1)
    card.write_text(text.replace(*edit))
    outcome = push(base, "lab/model")
    assert outcome.code == 1
    assert f"error: the hub refuses the metadata of {card}: {said}" in outcome.output
    assert not hub.repos
    card.write_text(text)
    assert push(base, "lab/model").code == 0


def test_commit_of_others_meanwhile_is_not_built_upon(base: Path, hub: HubStandIn) -> None:
    hub.meanwhile(
        "POST", "/commit/", lambda: hub.add_file("model", "lab/model", "config.json", b"{}")
    )
    outcome = push(base, "lab/model")
    assert outcome.code == 1
    assert (
        "the hub refused lab/model: somebody else changed the repository meanwhile; push"
        in outcome.output
    )
    assert [commit.message for commit in uploads(hub)] == ["Add config.json"]
    assert not (base / "pushed.json").exists()


# -- others' files at the hub ----------------------------------------------------------------------

# Each is read by `from_pretrained`, a pipeline or an adapters' library if it is there.
READ = (
    "adapter_config.json",
    "adapter_model.bin",
    "adapter_model.safetensors",
    "config.4.0.0.json",
    "flax_model.msgpack",
    "generation_config.json",
    "image_processor_config.json",
    "model-00001-of-00002.safetensors",
    "model.fp16.safetensors",
    "model.safetensors.index.json",
    "modeling_videomae.py",
    "optimizer.pt",
    "processor_config.json",
    "pytorch_model.bin",
    "tf_model.h5",
    "tokenizer.json",
    "video_preprocessor_config.json",
    "vocab.txt",
)
UNREAD = ("LICENSE", "images/clip.gif", "notes.md", "logs/pytorch_model.bin")


def files_at(hub: HubStandIn) -> set[str]:
    return set(hub.repos["model", "lab/model"].branches["main"].files)


@pytest.mark.parametrize("before", ["nothing else", "the same four"])
def test_what_loaders_would_read_is_refused_by_name_or_removed_in_the_same_commit(
    before: str, base: Path, hub: HubStandIn
) -> None:
    if before == "the same four":
        assert push(base, "lab/model").code == 0
        (base / "pushed.json").unlink()
    for name in (*READ, *UNREAD):
        hub.add_file("model", "lab/model", name, b"{}")
    commits = hub.repos["model", "lab/model"].commits
    count = len(commits)
    for option in ((), ("--dry-run",)):
        outcome = push(base, "lab/model", *option)
        assert outcome.code == 1
        assert f"has {', '.join(READ)}, which loaders would read beside the" in (outcome.output)
        assert "to remove them, set push.overwrite: true" in outcome.output
        assert not (base / "pushed.json").exists()
    said = plan(base, hub, "--overwrite")
    assert re.findall(r"^  removed +(\S+)$", said, re.M) == list(READ)
    assert f", {len(READ)} removed (dry run" in said
    assert len(commits) == count
    assert push(base, "lab/model", "--overwrite").code == 0
    assert len(commits) == count + 1
    assert files_at(hub) == {".gitattributes", *UNREAD, *FOUR}


def test_files_that_no_loader_reads_are_no_reason_to_refuse(base: Path, hub: HubStandIn) -> None:
    for name in UNREAD:
        hub.add_file("model", "lab/model", name, b"anything")
    outcome = push(base, "lab/model")
    assert outcome.code == 0, outcome.output
    assert files_at(hub) == {".gitattributes", *UNREAD, *FOUR}


# -- files that change while they are sent ---------------------------------------------------------

# Each request of a push to a repository that is there, in order.
STAGES = (
    ("POST", "validate-yaml"),
    ("GET", "/api/models/"),
    ("POST", "/preupload/"),
    ("POST", "/objects/batch"),
    ("PUT", "/lfs/"),
    ("POST", "/objects/verify"),
    ("POST", "/commit/"),
)
LAST = len(STAGES) - 1
SWAPS = [(there, back) for there in range(LAST) for back in sorted({there + 1, LAST})] + [
    (there, None) for there in range(len(STAGES))
]
WEIGHTS = "model.safetensors"


def write_in_place(path: Path, content: bytes) -> None:
    """Give a file another content of the same size, and its time stamps of before."""
    before = path.stat()
    path.write_bytes(content)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def replace(path: Path, content: bytes) -> None:
    """Put another file in a file's place, as `cp -p` and `mv` do."""
    before, new = path.stat(), path.with_name("new")
    new.write_bytes(content)
    os.utime(new, ns=(before.st_atime_ns, before.st_mtime_ns))
    new.replace(path)


def believe(hub: HubStandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    """Upload as through Xet, which believes a hash that is known and else hashes what it sends."""

    def upload(*, additions: list[CommitOperationAdd], **_: object) -> None:
        for addition in additions:
            with addition.as_file() as file:
                content = file.read()
            if not addition.upload_info.is_hashed:
                addition.upload_info.sha256 = hashlib.sha256(content).digest()
            hub.keep(addition.upload_info.sha256.hex(), content)

    monkeypatch.setattr(_commit_api, "_upload_files", upload)


@pytest.mark.parametrize(
    ("storage", "name", "swap"),
    [
        ("checks", WEIGHTS, write_in_place),
        pytest.param("checks", WEIGHTS, replace, marks=pytest.mark.full),
        pytest.param("believes", WEIGHTS, write_in_place, marks=pytest.mark.full),
        ("believes", WEIGHTS, replace),
        pytest.param("checks", "config.json", write_in_place, marks=pytest.mark.full),
    ],
)
def test_file_that_is_swapped_at_any_stage_and_back_never_arrives_otherwise(
    storage: str,
    name: str,
    swap: Callable[[Path, bytes], None],
    base: Path,
    hub: HubStandIn,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(reading, "SMALL", 10_000)  # so that the weights are none
    if storage == "believes":
        believe(hub, monkeypatch)
    path = base / "model" / name
    right = path.read_bytes()
    wrong = right[:-2] + bytes(byte ^ 1 for byte in right[-2:])
    refused = 0
    for number, (there, back) in enumerate(SWAPS):
        repo = f"lab/model-{number}"
        hub.add_file("model", repo, "LICENSE", b"any")
        first = hub.repos["model", repo].branches["main"]
        hub.clear_meanwhile()
        hub.meanwhile(*STAGES[there], lambda: swap(path, wrong))
        if back is not None:
            hub.meanwhile(*STAGES[back], lambda: swap(path, right))
        outcome = push(base, repo, "--public")
        now = hub.repos["model", repo].branches["main"]
        if outcome.code:
            refused += 1
            assert now is first, (there, back, outcome.output)
            assert f"changed during the push: {name}; nothing was committed" in outcome.output
            assert not (base / "pushed.json").exists()
        else:
            assert now.files[name] == right, (there, back)
            (base / "pushed.json").unlink()
        swap(path, right)
        hub.forget(right, wrong)
    assert (refused > 0) == (name == WEIGHTS)  # a small file is sent from memory


def test_new_repository_whose_push_fails_holds_nothing_and_is_named(
    base: Path, hub: HubStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "SMALL", 10_000)
    path = base / "model/model.safetensors"
    hub.meanwhile("POST", "/preupload/", lambda: write_in_place(path, b"x" * path.stat().st_size))
    outcome = push(base, "lab/model", "--public")
    assert outcome.code == 1
    assert "error: " in outcome.output
    assert "The repository lab/model was created and may still exist" in outcome.output
    assert files_at(hub) == {".gitattributes"}


# -- only said -------------------------------------------------------------------------------------


def plan(base: Path, hub: HubStandIn, *options: str) -> str:
    """Give what a dry run says that a push would do; it asks, and writes nothing."""
    hub.requests.clear()
    before = {name: list(repo.commits) for name, repo in hub.repos.items()}
    outcome = push(base, "lab/model", "--dry-run", *options)
    assert outcome.code == 0, outcome.output
    assert {name: repo.commits for name, repo in hub.repos.items()} == before
    assert {what for what in hub.requests if what[0] != "GET"} == {("POST", "/api/validate-yaml")}
    assert (base / "pushed.json").read_text() in outcome.output
    return outcome.output


def test_dry_run_says_what_would_go_and_writes_nothing(base: Path, hub: HubStandIn) -> None:
    said = plan(base, hub)
    assert "lab/model, branch main, private (this repository would be created):" in said
    size = (base / "model/model.safetensors").stat().st_size
    assert re.search(rf"^  new +{size:,} bytes  model.safetensors$", said, re.M)
    assert "  one commit of 4 files, " in said
    assert not hub.repos
    assert push(base, "lab/model", "--public").code == 0
    assert "lab/model, branch main, public:" in (said := plan(base, hub))
    assert said.count("  same ") == 4
    assert "no commit needed" in said
    assert "lab/model, branch v2, public (this branch would be created):" in (
        said := plan(base, hub, "--revision=v2")
    )
    assert "no commit needed" in said
    hub.add_file("model", "lab/model", "config.json", b"{}")
    said = plan(base, hub, "--overwrite")
    assert re.findall(r"^  changed .* (\S+)$", said, re.M) == ["config.json"]
    assert "  one commit of 1 files, " in said


def test_dry_run_refuses_what_a_push_would_refuse(base: Path, hub: HubStandIn) -> None:
    hub.add_file("model", "lab/model", "config.json", b"{}")
    outcome = push(base, "lab/model", "--dry-run")
    assert outcome.code == 1
    assert "to replace them, set push.overwrite: true" in outcome.output


@pytest.mark.usefixtures("hub")
def test_repository_that_can_not_be_seen_without_a_token_is_not_taken_for_a_new_one(
    base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "")
    outcome = push(base, "lab/model", "--dry-run")
    assert outcome.code == 1
    assert "error: the hub refused lab/model: 401" in outcome.output


# -- a hub that is busy, out of order or far away --------------------------------------------------

# Each request of a push to a branch of a new repository that its client doesn't repeat itself.
READING = {
    "card": ("POST", "validate-yaml"),
    "look": ("GET", "/api/models/"),
    "look at the commit": ("GET", "/revision/[0-9a-f]{40}"),
}
WRITING = {
    "repository": ("POST", "repos/create"),
    "branch": ("POST", "/branch/"),
    "commit": ("POST", "/commit/"),
}


@pytest.mark.parametrize(
    ("asked", "status", "done"),
    [
        *((asked, status, False) for asked in READING | WRITING for status in (429, 503, 0)),
        *((asked, status, True) for asked in WRITING for status in (503, 0)),
    ],
)
def test_what_passes_is_tried_again_and_makes_one_commit(
    base: Path, hub: HubStandIn, asked: str, status: int, done: bool
) -> None:
    hub.fail(*(READING | WRITING)[asked], status, done=done)
    outcome = push(base, "lab/model", "--revision=v2")
    assert outcome.code == 0, outcome.output
    assert outcome.output.count("next try in 0 s") == 1
    (commit,) = uploads(hub, "v2")
    assert json.loads((base / "pushed.json").read_text())["commit"] == commit.sha
    assert set(commit.files) >= FOUR


@pytest.mark.parametrize("status", [0, 429, 503])
def test_what_does_not_pass_is_given_up_after_four_tries(
    base: Path, hub: HubStandIn, status: int
) -> None:
    hub.fail("POST", "/commit/", status, times=9)
    outcome = push(base, "lab/model")
    assert outcome.code == 1
    assert "error: lab/model could not be pushed: " in outcome.output
    assert "Tried 4 times; try again later" in outcome.output
    assert sum("/commit/" in path for _, path in hub.requests) == 4
    assert not uploads(hub)
    assert not (base / "pushed.json").exists()


@pytest.mark.parametrize("status", [400, 401, 403, 404])
def test_lasting_refusal_is_not_asked_again(base: Path, hub: HubStandIn, status: int) -> None:
    hub.fail("POST", "/commit/", status)
    outcome = push(base, "lab/model")
    assert outcome.code == 1
    assert "error: the hub refused lab/model: " in outcome.output
    assert sum("/commit/" in path for _, path in hub.requests) == 1
    assert not uploads(hub)


def test_refusal_of_the_storage_is_one_message(base: Path, hub: HubStandIn) -> None:
    hub.fail("PUT", "/lfs/", 403)
    outcome = push(base, "lab/model")
    assert outcome.code == 1
    assert "error: the hub refused lab/model: 403 Forbidden" in outcome.output
    assert not uploads(hub)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "7"}, 7.0),
        ({"RateLimit": '"api";r=0;t=55'}, 55.0),
        ({"RateLimit": '"api";r=9;t=55', "Retry-After": "300"}, 300.0),
        ({}, 0.0),
    ],
)
def test_hub_says_how_long_to_wait(
    base: Path,
    hub: HubStandIn,
    monkeypatch: pytest.MonkeyPatch,
    headers: dict[str, str],
    seconds: float,
) -> None:
    waits: list[float] = []
    monkeypatch.setattr("time.sleep", waits.append)
    hub.fail("POST", "/commit/", 429, headers=headers)
    assert push(base, "lab/model").code == 0
    assert waits == [seconds]


def test_too_long_a_wait_ends_the_push_at_once(base: Path, hub: HubStandIn) -> None:
    hub.fail("POST", "repos/create", 503, headers={"Retry-After": "4000"})
    outcome = push(base, "lab/model")
    assert outcome.code == 1
    assert "asks for a pause of 4,000 s, but the limit here is 300 s" in outcome.output
    assert not hub.repos


# -- before a run ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("account", "token", "message"),
    [
        (Account("alice", orgs=["lab"]), "", "the hub needs a token; log in with `hf"),
        pytest.param(
            *(Account("alice", orgs=["lab"]), "hf_other", "the hub rejects the token"),
            marks=pytest.mark.full,
        ),
        (Account("alice", orgs=["club"]), TOKEN, "the token of alice can't write to lab"),
        pytest.param(
            *(Account("alice", orgs=["lab"], can_write=False), TOKEN, "alice is read-only"),
            marks=pytest.mark.full,
        ),
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


def test_push_goes_through_a_socks_proxy_or_ends_in_one_line(
    base: Path, hub: HubStandIn, home: dict[str, str]
) -> None:
    given = ("push", base / "model", base / "report.json", "lab/model", base / "pushed.json")
    settings = {**home, "HF_ENDPOINT": hub.endpoint, "HF_TOKEN": TOKEN, "HF_HUB_DISABLE_XET": "1"}
    bad = {"HTTPS_PROXY": "socks9://localhost:1", "NO_PROXY": "", "no_proxy": ""}
    outcome = process(*CLI, *given, environment={**settings, **bad})
    assert outcome.code == 1
    assert outcome.output.startswith("error: ")
    assert "the proxy that HTTPS_PROXY or ALL_PROXY names can't be used" in outcome.output
    with SocksStandIn() as proxy:
        outcome = process(*CLI, *given, environment={**settings, **proxy.environment})
    assert outcome.code == 0, outcome.output
    assert hub.endpoint.removeprefix("http://") in proxy.asked
    assert len(hub.repos["model", "lab/model"].commits) == 2


def test_hub_that_can_not_be_reached_is_the_reason_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    with pytest.raises(ConversionError, match=r"push\.enabled: the hub does not answer.*4 times"):
        check_access("lab", wait=0)


def test_access_is_asked_for_again_while_the_hub_is_busy(hub: HubStandIn) -> None:
    hub.fail("GET", "whoami", 429, times=3)
    check_access("lab", wait=0)
    hub.fail("GET", "whoami", 429, times=4)
    with pytest.raises(ConversionError, match=r"the hub does not answer: .*rate limit"):
        check_access("lab", wait=0)


def refused(base: Path, hub: HubStandIn) -> str:
    outcome = push(base, "lab/model")
    assert outcome.code == 1
    assert not hub.requests, "nothing may be asked of the hub"
    return outcome.output


def test_synthetic_weights_are_never_pushed(base: Path, hub: HubStandIn) -> None:
    report = json.loads((base / "report.json").read_text())
    (base / "report.json").write_text(json.dumps(report | {"rehearsal": "never trained"}))
    assert "holds synthetic weights, which are never pushed" in refused(base, hub)


def test_synthetic_folder_is_never_pushed_whatever_the_report_says(
    base: Path, hub: HubStandIn
) -> None:
    config = json.loads((base / "model/config.json").read_text())
    (base / "model/config.json").write_text(json.dumps(config | {"rehearsal": "never trained"}))
    assert "holds synthetic weights" in refused(base, hub)


def test_unverified_folder_is_not_pushed(base: Path, hub: HubStandIn) -> None:
    report = json.loads((base / "report.json").read_text())
    (base / "report.json").write_text(json.dumps(report | {"passed": False}))
    assert "did not pass verification" in refused(base, hub)


def test_folder_changed_after_verification_is_not_pushed(base: Path, hub: HubStandIn) -> None:
    with (base / "model/config.json").open("a") as file:
        file.write("\n")
    assert "changed after its verification: config.json" in refused(base, hub)


def test_report_that_does_not_know_every_file_is_not_enough(base: Path, hub: HubStandIn) -> None:
    report = json.loads((base / "report.json").read_text())
    del report["sha256"]["model.safetensors"]
    (base / "report.json").write_text(json.dumps(report))
    assert "changed after its verification: model.safetensors" in refused(base, hub)


def test_folder_without_its_card_is_not_pushed(base: Path, hub: HubStandIn) -> None:
    (base / "model/README.md").unlink()
    assert "is incomplete: README.md missing" in refused(base, hub)
