"""Real runs with results in object storage: an S3 server here, by moto (`make test-storage`)."""

import json
import logging
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import numpy as np
import pytest
from moto.server import ThreadedMotoServer
from videomae.download import synthetic_weights
from videomae.verify import clips

from tests.conftest import CLI, DATA, GIVEN, SEVEN_LABELS, Outcome, Workflow, jobs, process
from tests.standins.hub import Account, HubStandIn

pytestmark = pytest.mark.full
logging.getLogger("werkzeug").setLevel(logging.ERROR)  # a line for each request

PREFIX = "s3://bucket/a folder"
OPTIONS = ("--default-storage-provider", "s3", "--default-storage-prefix", PREFIX)
KEYS = {"ACCESS_KEY": "this-is-the-key", "SECRET_KEY": "this-is-the-secret"}
CONFIG = GIVEN["tiny-finetuned"]
# Of what is at hand, whose receipt is made with its link.
STEPS = ("card", "convert", "download", "verify")


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """Give the address of an S3 server."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


class Storage:
    """A bucket, what is in it, and how Snakemake and the commands reach it."""

    def __init__(self, server: str) -> None:
        settings = {"ENDPOINT_URL": server, **KEYS}
        self.environment = {f"SNAKEMAKE_STORAGE_S3_{name}": text for name, text in settings.items()}
        self.client = boto3.client(
            "s3",
            endpoint_url=server,
            aws_access_key_id=KEYS["ACCESS_KEY"],
            aws_secret_access_key=KEYS["SECRET_KEY"],
            region_name="us-east-1",
        )

    def names(self) -> set[str]:
        """Name the objects that are there."""
        listed = self.client.list_objects_v2(Bucket="bucket").get("Contents", [])
        return {one["Key"].removeprefix("a folder/results/") for one in listed}

    def read(self, name: str) -> bytes:
        """Give what an object holds."""
        key = f"a folder/results/{name}"
        content: bytes = self.client.get_object(Bucket="bucket", Key=key)["Body"].read()
        return content

    def run(self, workflow: Workflow, *options: str, **environment: str) -> Outcome:
        """Run the workflow with its results there."""
        return workflow.run(*OPTIONS, *options, **self.environment, **environment)

    def status(self, workflow: Workflow) -> Outcome:
        """Draw the table of `make status`."""
        script, here = (*CLI, "status"), ("--directory", workflow.folder)
        options = (*here, "--results", f"{PREFIX}/results")
        return process(*script, *options, environment=self.environment)


@pytest.fixture
def storage(server: str) -> Iterator[Storage]:
    storage = Storage(server)
    storage.client.create_bucket(Bucket="bucket")
    yield storage
    for name in storage.names():
        storage.client.delete_object(Bucket="bucket", Key=f"a folder/results/{name}")
    storage.client.delete_bucket(Bucket="bucket")


def variants(**broken: Any) -> dict[str, Any]:
    """Give a checkpoint at hand with its labels, and one that is made, perhaps wrongly told of."""
    return {
        "own": {"checkpoint": "own.pth", "config": CONFIG, "labels": "labels.txt"},
        "made": {"checkpoint": "synthetic:tiny-finetuned", "config": {**CONFIG, **broken}},
    }


def lay(folder: Path, **broken: Any) -> Workflow:
    """Make a folder to run in, with a config.yaml and what that names."""
    folder.mkdir()
    synthetic_weights.save("tiny-finetuned", folder / "own.pth")
    (folder / "labels.txt").write_text(SEVEN_LABELS)
    workflow = Workflow(folder)
    workflow.configure(variants(**broken))
    return workflow


def copied(workflow: Workflow, folder: Path) -> Workflow:
    """Give another folder with the same config and files, and nothing of any run."""
    shutil.copytree(workflow.folder, folder, ignore=shutil.ignore_patterns(".snakemake"))
    return Workflow(folder)


def test_results_land_there_and_only_what_failed_runs_again_even_from_elsewhere(
    storage: Storage, tmp_path: Path
) -> None:
    workflow = lay(tmp_path / "run", num_attention_heads=5)
    first = storage.run(workflow)
    assert first.code == 1, first.output
    reason = "num_attention_heads is 5, which does not divide"
    assert re.search(r"^made +FAILED at convert", first.output, re.M), first.output
    assert re.search(r"^own +verified", first.output, re.M)
    assert reason in first.output.split("made failed at convert")[1]
    assert not (workflow.folder / "results").exists()
    assert {f"{step}/own" for step in STEPS} == {
        name.removeprefix("logs/").removesuffix(".log")
        for name in storage.names()
        if re.fullmatch(r"logs/\w+/own\.log", name)
    }
    assert {"benchmarks/verify/own.tsv", "verification/own.json"} < storage.names()
    assert not {name for name in storage.names() if name.startswith("models/made/")}
    for name in ("config.json", "model.safetensors", "preprocessor_config.json", "README.md"):
        assert storage.read(f"models/own/{name}")
    told = storage.status(workflow)
    assert re.search(r"^made +done +done +FAILED +waiting +waiting$", told.output, re.M), told
    assert re.search(r"^own +done +done +done +verified, .* +done$", told.output, re.M)
    assert reason in told.output

    elsewhere = copied(workflow, tmp_path / "elsewhere")
    elsewhere.configure(variants())
    again = storage.run(elsewhere)
    assert again.code == 0, again.output
    assert jobs(again) == ["card made", "convert made", "verify made"]
    assert "Nothing to be done" in storage.run(copied(elsewhere, tmp_path / "third")).output

    held = [path for path in tmp_path.rglob("*") if path.is_file()]
    texts = [path.read_bytes() for path in held] + [storage.read(name) for name in storage.names()]
    texts += [outcome.output.encode() for outcome in (first, told, again)]
    assert len(texts) > 30
    assert not [text for text in texts for key in KEYS.values() if key.encode() in text]


def test_report_is_drawn_of_what_is_there(storage: Storage, tmp_path: Path) -> None:
    workflow = lay(tmp_path / "run", num_attention_heads=5)
    assert storage.run(workflow).code == 1
    drawn = storage.run(workflow, "pages")
    assert drawn.code == 0, drawn.output
    assert jobs(drawn) == ["overview", "page made", "page own", "pages"]
    assert storage.read("report/variants/own.html").count(b"data:image/jpeg;base64,") == 1
    assert b"does not divide" in storage.read("report/variants/made.html")
    assert b"1 FAILED at convert; 1 verified, network assumed" in storage.read(
        "report/overview.html"
    )
    gathered = storage.run(workflow, "--report", "report.html")
    assert gathered.code == 0, gathered.output
    assert "Adding own.html" in gathered.output
    assert "Nothing to be done" in storage.run(copied(workflow, tmp_path / "third"), "pages").output


def test_what_the_hub_gives_lies_there_and_the_folder_is_pushed_from_there(
    storage: Storage, tmp_path: Path, home: dict[str, str]
) -> None:
    workflow = lay(tmp_path / "run")
    truth = json.loads((DATA / "trained/v1-cls.json").read_text())["truth"]["model"]
    np.save(tmp_path / "clip.npy", clips.synthetic_clip(8, 48))
    recorded = {
        **{"shape": [1, 5], "logits": truth["logits"], "clip": "hub:datasets/them/files/clip.npy"},
        **{"image_mean": [0.5] * 3, "image_std": [0.5] * 3},
    }
    entry = {
        **{"checkpoint": "hub:them/zoo/it.pth", "config": {"num_attention_heads": 4}},
        **{"labels": "hub:them/files/labels.json", "recorded": recorded},
    }
    workflow.configure({"own": entry}, push={"enabled": True, "namespace": "lab"})
    with HubStandIn(tokens={"token": Account("them", ["lab"])}) as hub:
        hub.add_file("model", "them/zoo", "it.pth", (DATA / "trained/v1-cls.pth").read_bytes())
        hub.add_file("dataset", "them/files", "labels.json", b'["a", "b", "c", "d", "e"]')
        hub.add_file("dataset", "them/files", "clip.npy", (tmp_path / "clip.npy").read_bytes())
        client = {"HF_ENDPOINT": hub.endpoint, "HF_TOKEN": "token", "HF_HUB_DISABLE_XET": "1"}
        pushed = storage.run(workflow, **home, **client)
        assert pushed.code == 0, pushed.output
        files = hub.repos["model", "lab/own"].at("main").files
        drawn = storage.run(workflow, "pages", **home, **client)
        assert drawn.code == 0, drawn.output
    assert files["model.safetensors"] == storage.read("models/own/model.safetensors")
    assert json.loads(storage.read("verification/own.json"))["recorded"]["status"] == "agrees"
    assert {"pushed/own.json", "inputs/clip/them/files/clip.npy"} <= storage.names()
    assert b"The clip clip.npy." in storage.read("report/variants/own.html")


def test_what_storage_can_not_do_is_refused(storage: Storage, tmp_path: Path) -> None:
    workflow = lay(tmp_path / "run")
    outcome = storage.run(workflow, "--config", "keep_checkpoints=false")
    assert outcome.code == 1
    assert (
        "keep_checkpoints: false removes local checkpoints only, not those in s3://"
        in outcome.output
    )


def test_edit_is_noticed_from_elsewhere_where_snakemake_has_no_notes(
    storage: Storage, tmp_path: Path
) -> None:
    workflow = lay(tmp_path / "run")
    assert storage.run(workflow).code == 0
    elsewhere = copied(workflow, tmp_path / "elsewhere")
    edited = variants()
    edited["own"]["config"] = {**CONFIG, "num_attention_heads": 4}
    elsewhere.configure(edited)
    outcome = storage.run(elsewhere)
    assert outcome.code == 0, outcome.output
    assert jobs(outcome) == ["card own", "convert own", "verify own"]
    assert json.loads(storage.read("models/own/config.json"))["num_attention_heads"] == 4
    assert "Nothing to be done" in storage.run(elsewhere).output
