"""profiles/kubernetes as it is shipped, with a stand-in of the API and an S3 server here.

No pod, no image and no cluster are in this: each job's command runs as a process on this machine.
"""

import base64
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
import torch
import yaml
from moto.server import ThreadedMotoServer

from tests.conftest import GIVEN, ROOT, Outcome, process
from tests.standins.kubernetes import KubernetesStandIn, kubernetes

pytestmark = pytest.mark.full

IMAGE, BUCKET = "registry.example/videomae", "models"
# Nothing checks them here; they must not be seen anywhere.
KEYS = {
    "SNAKEMAKE_STORAGE_S3_ACCESS_KEY": "the-access-key-of-the-tests",
    "SNAKEMAKE_STORAGE_S3_SECRET_KEY": "the-secret-key-of-the-tests",
    "HF_TOKEN": "the-token-of-the-tests",
}
GOOD = {"checkpoint": "synthetic:tiny-finetuned", "config": GIVEN["tiny-finetuned"]}
BAD = {"checkpoint": "synthetic:tiny-finetuned"}  # without its heads


@dataclass(frozen=True)
class Cluster:
    """A clone of the project to run in, and what stands for cluster and storage."""

    folder: Path
    standin: KubernetesStandIn
    kubeconfig: Path
    endpoint: str

    @property
    def s3(self) -> Any:
        keys = {"aws_access_key_id": "any", "aws_secret_access_key": "any"}
        return boto3.client("s3", endpoint_url=self.endpoint, region_name="us-east-1", **keys)

    def configure(self, variants: dict[str, Any], **more: Any) -> None:
        (self.folder / "config.yaml").write_text(yaml.safe_dump({"variants": variants, **more}))

    def run(self, *options: str) -> Outcome:
        """Run with the profile, its words in capitals replaced by options."""
        return process(
            *("-m", "snakemake", "--profile", "profiles/kubernetes", "--container-image", IMAGE),
            *("--default-storage-prefix", f"s3://{BUCKET}/run", "--kubernetes-namespace", "lab"),
            *("--storage-s3-endpoint-url", self.endpoint),
            *("--seconds-between-status-checks", "1", *options),
            environment={"KUBECONFIG": str(self.kubeconfig), **KEYS},
            cwd=self.folder,
        )

    def objects(self) -> set[str]:
        """Give the names of what is in storage, under the prefix."""
        found = self.s3.list_objects_v2(Bucket=BUCKET, Prefix="run/").get("Contents", [])
        return {one["Key"].removeprefix("run/") for one in found}

    def submitted(self) -> dict[str, list[dict[str, Any]]]:
        """Give each step's containers that were asked for since the last call, in their order."""
        found: dict[str, list[dict[str, Any]]] = {}
        for manifest in self.standin.jobs.values():
            [container] = manifest["spec"]["template"]["spec"]["containers"]
            [step] = re.findall(r"--target-jobs '(\S+)'", container["args"][1])
            found.setdefault(step, []).append(container)
        self.standin.jobs.clear()
        return found


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    # Pods get the files that git knows, so the run is in a clone.
    folder = tmp_path_factory.mktemp("kubernetes")
    clone, pods = folder / "clone", folder / "pods"
    pods.mkdir()
    known = ("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    names = subprocess.run(known, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    for name in filter(None, names.split("\0")):
        if not name.startswith("tests/") and (ROOT / name).is_file():
            (clone / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, clone / name)
    for command in (["init", "--quiet"], ["add", "--all"]):
        subprocess.run(["git", *command], cwd=clone, check=True)
    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    try:
        with kubernetes(pods) as (standin, kubeconfig):
            made = Cluster(clone, standin, kubeconfig, f"http://{host}:{port}")
            made.s3.create_bucket(Bucket=BUCKET)
            yield made
    finally:
        server.stop()


def test_plan_asks_nothing_of_the_cluster(cluster: Cluster) -> None:
    cluster.configure({"good": GOOD})
    outcome = cluster.run("--dry-run")
    assert outcome.code == 0, outcome.output
    assert "rule verify:" in outcome.output
    assert not cluster.standin.jobs
    assert not cluster.standin.secrets


def test_run_lands_in_storage_and_a_rerun_submits_what_failed(cluster: Cluster) -> None:
    cluster.configure({"good": GOOD, "bad": BAD})
    outcome = cluster.run()
    assert outcome.code == 1, outcome.output
    assert cluster.standin.namespaces == {"lab"}
    assert not cluster.standin.present  # jobs and secrets were taken away again
    landed = {"results/verification/good.json", "results/models/good/model.safetensors"}
    assert landed <= cluster.objects()
    assert not any("models/bad" in name for name in cluster.objects())

    submitted = cluster.submitted()
    tried = {step: len(containers) for step, containers in submitted.items()}
    once = {f"{step}:variant=good": 1 for step in ("download", "receipt", "convert", "verify")}
    failed = {"download:variant=bad": 1, "receipt:variant=bad": 1, "convert:variant=bad": 2}
    assert tried == {**once, **failed}
    assert all(container["image"] == IMAGE for one in submitted.values() for container in one)
    # As the rule declares; with twice as much where it failed; and never more.
    first, second = (one["resources"] for one in submitted["convert:variant=bad"])
    assert first["requests"]["memory"] == first["limits"]["memory"] == "550M"
    assert second["requests"]["memory"] == second["limits"]["memory"] == "1100M"
    downloading = submitted["download:variant=good"][0]["resources"]["limits"]
    assert downloading["ephemeral-storage"] == "12000M"
    assert "gpu" not in json.dumps([one["resources"] for one in submitted["verify:variant=good"]])

    cluster.configure({"good": GOOD, "bad": GOOD})
    outcome = cluster.run()
    assert outcome.code == 0, outcome.output
    assert cluster.submitted().keys() == {"convert:variant=bad", "verify:variant=bad"}


def test_keys_go_to_pods_by_reference_and_appear_nowhere(cluster: Cluster) -> None:
    cluster.configure({"keys": GOOD})
    outcome = cluster.run("results/checkpoints/keys.pth", "--verbose", "--envvars", "HF_TOKEN")
    assert outcome.code == 0, outcome.output
    [name] = cluster.standin.jobs
    manifest, log = cluster.standin.jobs[name], cluster.standin.log(name)
    secret = [*cluster.standin.secrets][-1]
    [[container]] = cluster.submitted().values()
    references = {one["name"]: one["valueFrom"]["secretKeyRef"] for one in container["env"]}
    for variable, value in KEYS.items():
        assert references[variable] == {"name": secret, "key": variable.lower()}
        kept = cluster.standin.secrets[secret]["data"][variable.lower()]
        assert base64.b64decode(kept).decode() == value
        for text in (json.dumps(manifest), log, outcome.output):
            assert value not in text
            assert kept not in text
    notes = (path for path in (cluster.folder / ".snakemake").rglob("*") if path.is_file())
    known = b"".join(path.read_bytes() for path in notes)
    assert not any(value.encode() in known for value in KEYS.values())


def test_accelerator_is_asked_for_by_verify_alone(cluster: Cluster) -> None:
    cluster.configure({"fast": GOOD}, device="cuda")
    shutil.rmtree(cluster.folder / ".snakemake/storage", ignore_errors=True)
    outcome = cluster.run()
    assert outcome.code == int(not torch.cuda.is_available()), outcome.output
    manifests = [*cluster.standin.jobs.values()]
    for step, containers in cluster.submitted().items():
        for container in containers:
            limits, requests = (container["resources"][key] for key in ("limits", "requests"))
            asked = "1" if step == "verify:variant=fast" else None
            assert limits.get("nvidia.com/gpu") == requests.get("nvidia.com/gpu") == asked
    # Its memory comes from the folder's size in storage: there is no file here.
    assert container["resources"]["requests"]["memory"] == "1900M"
    tolerated = [one["spec"]["template"]["spec"].get("tolerations", []) for one in manifests]
    assert [[one["key"] for one in each] for each in tolerated][-1] == ["nvidia.com/gpu"]
