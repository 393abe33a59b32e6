"""A stand-in for Kubernetes' API that a real client reaches over loopback, through KUBECONFIG.

It takes the secrets and jobs that Snakemake's executor creates, keeps what was asked for, and runs
each job's command as a process in an empty folder of its own, as a pod would in its container: with
the secrets' values in its environment, and little else. Nothing is scheduled, limited or checked as
a cluster does.
"""

import base64
import json
import os
import re
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import yaml

COLLECTION = re.compile(r"/(?:api|apis/batch)/v1/namespaces/(?P<namespace>[^/]+)/(?P<kind>\w+)")
KINDS = {"secrets": "Secret", "jobs": "Job", "pods": "Pod"}


class KubernetesStandIn:
    """What was created, and the processes that stand for pods."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.jobs: dict[str, dict[str, Any]] = {}  # manifests, kept after deletion
        self.secrets: dict[str, dict[str, Any]] = {}
        self.present: set[str] = set()  # names of secrets and jobs that were not deleted
        self.pods: dict[str, subprocess.Popen[bytes]] = {}
        self.namespaces: set[str] = set()

    def create(self, kind: str, body: dict[str, Any]) -> None:
        """Take a secret, or a job, whose command begins."""
        name = body["metadata"]["name"]
        {"secrets": self.secrets, "jobs": self.jobs}[kind][name] = body
        self.present.add(name)
        if kind == "jobs":
            self._begin(name, body["spec"]["template"]["spec"]["containers"][0])

    def _begin(self, name: str, container: dict[str, Any]) -> None:
        place = self.folder / name
        place.mkdir()
        environment = {name: value for name, value in os.environ.items() if name.startswith("PIP_")}
        environment |= {"HOME": str(place), "PIP_NO_DEPS": "1"}  # as envs/Containerfile has it
        environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        for variable in container["env"]:
            reference = variable["valueFrom"]["secretKeyRef"]
            value = self.secrets[reference["name"]]["data"][reference["key"]]
            environment[variable["name"]] = base64.b64decode(value).decode()
        with (self.folder / f"{name}.log").open("wb") as log:
            self.pods[name] = subprocess.Popen(
                [*container["command"], *container["args"]],
                cwd=place,
                env=environment,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def log(self, name: str) -> str:
        """Give what a job's command has printed."""
        return (self.folder / f"{name}.log").read_text()

    def job(self, name: str) -> dict[str, Any]:
        """Give a job with its status, as the API does."""
        code = self.pods[name].poll()
        status = {} if code is None else {"failed" if code else "succeeded": 1}
        return {**self.jobs[name], "status": status}

    def pod(self, name: str) -> dict[str, Any]:
        """Give a job's pod with its status, as the API does."""
        code = self.pods[name].poll()
        state = {"running": {}} if code is None else {"terminated": {"exitCode": code}}
        container: dict[str, Any] = {"name": "snakemake", "state": state, "ready": True}
        container |= {"image": "", "imageID": "", "restartCount": 0}
        return {"metadata": {"name": name}, "status": {"containerStatuses": [container]}}

    def stop(self) -> None:
        """End what still runs."""
        for pod in self.pods.values():
            pod.kill()
            pod.wait()


class _Handler(BaseHTTPRequestHandler):
    standin: KubernetesStandIn

    def log_message(self, format: str, *args: object) -> None:
        """Keep the tests' output clean."""

    def _answer(self, body: Any, status: HTTPStatus = HTTPStatus.OK) -> None:
        data = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        self.send_response(status)
        kind = "text/plain" if isinstance(body, str) else "application/json"
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _refuse(self, status: HTTPStatus) -> None:
        self._answer({"kind": "Status", "status": "Failure", "code": int(status)}, status)

    def _asked(self) -> tuple[str, list[str]]:
        """Give the kind of what a request is about, and the rest of its path."""
        path = urlsplit(self.path).path
        found = COLLECTION.match(path)
        if not found or found["kind"] not in KINDS:
            return "", []
        self.standin.namespaces.add(found["namespace"])
        return found["kind"], [part for part in path[found.end() :].split("/") if part]

    def do_POST(self) -> None:
        kind, rest = self._asked()
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if kind not in ("secrets", "jobs") or rest:
            return self._refuse(HTTPStatus.NOT_FOUND)
        if body["metadata"]["name"] in self.standin.present:
            return self._refuse(HTTPStatus.CONFLICT)
        self.standin.create(kind, body)
        body["metadata"]["uid"] = str(uuid.uuid4())
        return self._answer(body, HTTPStatus.CREATED)

    def do_GET(self) -> None:
        standin = self.standin
        match self._asked():
            case "jobs", [name, "status"] if name in standin.present:
                return self._answer(standin.job(name))
            case "pods", []:
                [selector] = parse_qs(urlsplit(self.path).query)["labelSelector"]
                name = selector.removeprefix("job-name=")
                items = [standin.pod(name)] if name in standin.present else []
                return self._answer({"kind": "PodList", "items": items})
            case "pods", [name, "log"] if name in standin.pods:
                return self._answer(standin.log(name))
        return self._refuse(HTTPStatus.NOT_FOUND)

    def do_DELETE(self) -> None:
        kind, rest = self._asked()
        if not rest or rest[0] not in self.standin.present:
            return self._refuse(HTTPStatus.NOT_FOUND)
        if kind != "pods":
            self.standin.present.remove(rest[0])
        return self._answer({"kind": "Status", "status": "Success"})


@contextmanager
def kubernetes(folder: Path) -> Iterator[tuple[KubernetesStandIn, Path]]:
    """Serve the API while the block runs; gives it and the file that KUBECONFIG names."""
    standin = KubernetesStandIn(folder)
    handler = type("Handler", (_Handler,), {"standin": standin})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    one = {"name": "standin"}
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{**one, "cluster": {"server": f"http://127.0.0.1:{server.server_port}"}}],
        "users": [{**one, "user": {}}],
        "contexts": [{**one, "context": {"cluster": "standin", "user": "standin"}}],
        "current-context": "standin",
    }
    (folder / "kubeconfig").write_text(yaml.safe_dump(config))
    try:
        yield standin, folder / "kubeconfig"
    finally:
        server.shutdown()
        server.server_close()
        standin.stop()
