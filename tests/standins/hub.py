"""A local stand-in for the Hugging Face Hub, for tests of code that uses `huggingface_hub`.

It answers the requests that huggingface_hub 2.4.0 makes for `HfApi.whoami`, `create_repo`,
`create_branch`, `create_commit` of added and removed files, `model_info`, `dataset_info`,
`repo_exists` and for `hf_hub_download`, and checks a card's metadata (validate-yaml). It answers
501 to anything else, which the client neither retries nor takes for a missing repo.

    with HubStandIn(tokens={"hf_good": Account("alice", orgs=["lab"])}) as hub:
        hub.add_file("model", "lab/tiny", "config.json", b"{}")
        subprocess.run(command, env={**env, "HF_ENDPOINT": hub.endpoint, "HF_TOKEN": "hf_good"})
        assert len(hub.repos["model", "lab/tiny"].commits) == 2

The environment needs HF_HUB_DISABLE_XET=1, as there is no Xet storage here, and a HF_HOME of its
own. With HF_HUB_DISABLE_TELEMETRY=1 the client leaves out a GET of /api/agent-harnesses.
"""

import base64
import hashlib
import json
import re
import threading
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import unquote

LFS_SUFFIXES = (".safetensors", ".bin")
LFS_MIN_BYTES = 10 * 1024 * 1024
FRONT_MATTER = re.compile(r"\A---\s*\n(.*?)^---\s*$", re.DOTALL | re.MULTILINE)
LICENSES = {"apache-2.0", "cc-by-4.0", "cc-by-nc-4.0", "mit", "other"}  # the hub has more
YAML_NOT_A_STRING = re.compile(r"|[\[{].*|~|null|true|false|[-+]?[\d.]+(e[-+]?\d+)?", re.IGNORECASE)

Headers = Mapping[str, str]


@dataclass(frozen=True)
class Response:
    """An HTTP response; a body that is not bytes is sent as JSON."""

    body: bytes | dict[str, Any] | list[Any] = b""
    status: int = 200
    headers: Headers = field(default_factory=dict)


class HubError(Exception):
    """A refusal; the client tells its error classes apart by the status and X-Error-Code."""

    def __init__(self, status: int, message: str, headers: Headers | None = None) -> None:
        """Word the response as the Hub does: in a header too, as HEAD has no body."""
        super().__init__(message)
        headers = {"X-Error-Message": message, **(headers or {})}
        self.response = Response({"error": message}, status, headers)


def is_lfs(path: str, size: int) -> bool:
    """Whether the Hub keeps a file in LFS; an empty one is always a regular git blob."""
    return size > 0 and (path.endswith(LFS_SUFFIXES) or size > LFS_MIN_BYTES)


def file_oid(path: str, content: bytes) -> str:
    """Identify content as the client does: sha256 for LFS, else the oid of the git blob."""
    if is_lfs(path, len(content)):
        return hashlib.sha256(content).hexdigest()
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


@dataclass(frozen=True)
class Account:
    """The user that a token belongs to, and whether the token has the write role."""

    name: str
    orgs: Collection[str] = ()
    can_write: bool = True

    def is_member(self, repo_id: str) -> bool:
        """Whether the repo's namespace is the user or one of their organizations."""
        return repo_id.split("/")[0] in (self.name, *self.orgs)

    def check_may_write(self, repo_id: str) -> None:
        """Refuse a write to a namespace of others, or by a read-only token."""
        if self is ANONYMOUS:
            raise HubError(401, "Invalid username or password.")
        if not (self.can_write and self.is_member(repo_id)):
            raise HubError(403, f"You don't have the rights to write to {repo_id}")


ANONYMOUS = Account("", can_write=False)


@dataclass(frozen=True)
class Commit:
    """One commit of a repo, with the whole tree as of that commit."""

    sha: str
    message: str
    files: Mapping[str, bytes]


@dataclass
class Repo:
    """A model or dataset repo; as on the Hub, its first commit has `.gitattributes` alone."""

    repo_type: str
    repo_id: str
    private: bool = False
    commits: list[Commit] = field(default_factory=list)
    branches: dict[str, Commit] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Make the initial commit."""
        rules = (f"*{suffix} filter=lfs diff=lfs merge=lfs -text\n" for suffix in LFS_SUFFIXES)
        self.commit("initial commit", {".gitattributes": "".join(rules).encode()})

    @property
    def url_path(self) -> str:
        """The path of the repo's page on the Hub."""
        return ("/datasets/" if self.repo_type == "dataset" else "/") + self.repo_id

    def commit(
        self,
        message: str,
        changes: Mapping[str, bytes],
        branch: str = "main",
        removed: Collection[str] = (),
    ) -> Commit:
        """Add and remove files on top of a branch; one that does not exist yet starts from main."""
        parent = self.branches.get(branch) or self.branches.get("main")
        files = {**(parent.files if parent else {}), **changes}
        files = {path: content for path, content in files.items() if path not in removed}
        oids = [(path, file_oid(path, content)) for path, content in files.items()]
        identity = repr((self.url_path, len(self.commits), message, oids)).encode()
        commit = Commit(hashlib.sha1(identity).hexdigest(), message, files)
        self.commits.append(commit)
        self.branches[branch] = commit
        return commit

    def at(self, revision: str) -> Commit:
        """Return the commit that a branch name or a full sha stands for."""
        revisions = {commit.sha: commit for commit in self.commits} | self.branches
        if revision not in revisions:
            raise HubError(404, "Invalid rev id", {"X-Error-Code": "RevisionNotFound"})
        return revisions[revision]


class Request(BaseHTTPRequestHandler):
    """A request; http.server makes one object for a connection and reads its requests into it."""

    protocol_version = "HTTP/1.1"

    def __init__(self, answer: Callable[["Request"], Response], *connection: Any) -> None:
        """Serve a connection until the client closes it."""
        self._answer = answer
        super().__init__(*connection)

    def _serve(self) -> None:
        self.content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        response = self._answer(self)
        if not response.status:
            self.close_connection = True
            return
        body = response.body
        payload = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(response.status)
        for name, value in {"Content-Length": str(len(payload)), **response.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(payload)

    do_GET = do_HEAD = do_POST = do_PUT = _serve

    def log_message(self, *_: Any) -> None:
        """Stay quiet: `HubStandIn.requests` is the log."""


def file_response(request: Request, content: bytes, headers: Headers) -> Response:
    """Serve a file, or the rest of it from the offset at which the client resumes a download."""
    span = re.fullmatch(r"bytes=(\d+)-(\d*)", request.headers.get("Range", ""))
    if span is None:
        return Response(content, 200, headers)
    start, stop = int(span[1]), min(int(span[2] or len(content)) + 1, len(content))
    if start >= stop:
        return Response(b"", 416, {**headers, "Content-Range": f"bytes */{len(content)}"})
    content_range = f"bytes {start}-{stop - 1}/{len(content)}"
    return Response(content[start:stop], 206, {**headers, "Content-Range": content_range})


class HubStandIn:
    """The server: a context manager that serves while it is open, all state in memory.

    `endpoint` is the value for HF_ENDPOINT, `repos` the repos by (type, id), `requests` the log of
    (method, path). LFS storage has a port of its own because the client takes a file's metadata
    from the redirect to it only if that leads to another origin, as it does on the Hub.
    """

    def __init__(self, tokens: Mapping[str, Account]) -> None:
        """Bind the ports; `tokens` gives the account of each valid token."""
        self.repos: dict[tuple[str, str], Repo] = {}
        self.requests: list[tuple[str, str]] = []
        self._accounts = {f"Bearer {token}": account for token, account in tokens.items()}
        self._faults: list[tuple[str, str, Response, bool]] = []
        self._meanwhile: list[tuple[str, str, Callable[[], object]]] = []
        self._lfs_objects: dict[str, bytes] = {}
        self._garbled: set[str] = set()
        self._lock = threading.Lock()
        handler = partial(Request, self._answer)
        self._servers = [ThreadingHTTPServer(("127.0.0.1", 0), handler) for _ in range(2)]
        self.endpoint, self._storage = (f"http://127.0.0.1:{s.server_port}" for s in self._servers)

    def __enter__(self) -> Self:
        """Start to serve."""
        for server in self._servers:
            threading.Thread(target=server.serve_forever, args=[0.05], daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop serving and free the ports."""
        for server in self._servers:
            server.shutdown()
            server.server_close()

    def add_file(
        self, repo_type: str, repo_id: str, path: str, content: bytes, revision: str = "main"
    ) -> Commit:
        """Seed a file by a commit to a branch, making the repo (public) and the branch if new."""
        repo = self.repos.setdefault((repo_type, repo_id), Repo(repo_type, repo_id))
        self._lfs_objects[hashlib.sha256(content).hexdigest()] = content
        return repo.commit(f"Add {path}", {path: content}, revision)

    def keep(self, oid: str, content: bytes) -> None:
        """Keep content in the storage under a hash that is believed."""
        self._lfs_objects[oid] = content

    def forget(self, *contents: bytes) -> None:
        """Take content out of the storage, so that it has to be sent again."""
        for content in contents:
            self._lfs_objects.pop(hashlib.sha256(content).hexdigest(), None)

    def garble(self, path: str) -> None:
        """Keep another content than was sent for the next commit's file of this name."""
        self._garbled.add(path)

    def fail(
        self,
        method: str,
        path_pattern: str,
        status: int,
        times: int = 1,
        headers: Headers | None = None,
        done: bool = False,
    ) -> None:
        """Answer the next `times` requests in whose path the pattern is found with this status.

        With status 0 the connection is cut. If `done`, what was asked is done, and only the answer
        is lost.
        """
        response = HubError(status, f"Injected {status}", headers).response
        self._faults += [(method, path_pattern, response, done)] * times

    def meanwhile(self, method: str, path_pattern: str, action: Callable[[], object]) -> None:
        """Have something happen at the hub just before the next request of this kind is served."""
        self._meanwhile.append((method, path_pattern, action))

    def clear_meanwhile(self) -> None:
        """Have nothing happen that has not happened yet."""
        self._meanwhile.clear()

    def _answer(self, request: Request) -> Response:
        """Log a request and answer it, with an injected fault or else by its route."""
        with self._lock:
            self.requests.append((request.command, request.path))
            for event in list(self._meanwhile):
                if event[0] == request.command and re.search(event[1], request.path):
                    self._meanwhile.remove(event)
                    event[2]()
            for fault in self._faults:
                if fault[0] == request.command and re.search(fault[1], request.path):
                    self._faults.remove(fault)
                    if fault[3]:
                        self._route(request)
                    return fault[2]
            try:
                return self._route(request)
            except HubError as error:
                return error.response

    def _route(self, request: Request) -> Response:
        """Serve a request by the first route that fits; a POST to a repo is a write."""
        for pattern, serve in ROUTES.items():
            if match := re.fullmatch(pattern, f"{request.command} {request.path}"):
                names: dict[str, Any] = {k: unquote(v) for k, v in match.groupdict().items() if v}
                if "repo_id" in names:
                    key = (names.pop("repo_type", "model"), names.pop("repo_id"))
                    names["repo"] = self._repo(request, *key)
                return serve(self, request, **names)
        raise HubError(501, f"The stand-in has no {request.command} {request.path}")

    def _account(self, request: Request) -> Account:
        """Return the account of the request's token."""
        authorization = request.headers.get("Authorization")
        if authorization is None:
            return ANONYMOUS
        if authorization not in self._accounts:
            raise HubError(401, "Invalid credentials in Authorization header")
        return self._accounts[authorization]

    def _repo(self, request: Request, repo_type: str, repo_id: str) -> Repo:
        """Return the repo that a request is for; a private one of others looks missing.

        The client takes a 401 without the code for a missing repo too, but only from https.
        """
        account = self._account(request)
        repo = self.repos.get((repo_type, repo_id))
        if repo is None or (repo.private and not account.is_member(repo_id)):
            status = 401 if account is ANONYMOUS else 404
            raise HubError(status, "Repository not found", {"X-Error-Code": "RepoNotFound"})
        if request.command == "POST":
            account.check_may_write(repo_id)
        return repo

    def _whoami(self, request: Request) -> Response:
        """Serve `whoami`."""
        account = self._account(request)
        if account is ANONYMOUS:
            raise HubError(401, "Invalid username or password.")
        orgs = [{"type": "org", "name": org} for org in account.orgs]
        auth = {"accessToken": {"role": "write" if account.can_write else "read"}}
        return Response({"type": "user", "name": account.name, "orgs": orgs, "auth": auth})

    def _create_repo(self, request: Request) -> Response:
        """Serve `create_repo`; with `exist_ok` the client reads the url from the 409 as well."""
        account, asked = self._account(request), json.loads(request.content)
        repo_type, private = asked.get("type", "model"), asked.get("visibility") == "private"
        repo_id = f"{asked['organization'] or account.name}/{asked['name']}"
        account.check_may_write(repo_id)
        repo = Repo(repo_type, repo_id, private)
        url = self.endpoint + repo.url_path
        if (repo_type, repo_id) in self.repos:
            return Response({"error": "You already created this repo", "url": url}, 409)
        self.repos[repo_type, repo_id] = repo
        return Response({"url": url})

    def _create_branch(self, request: Request, repo: Repo, revision: str) -> Response:
        """Serve `create_branch`, which takes a 409 for success with `exist_ok`."""
        if revision in repo.branches:
            raise HubError(409, "Reference already exists")
        repo.branches[revision] = repo.at(json.loads(request.content).get("startingPoint", "main"))
        return Response({})

    def _validate_yaml(self, request: Request) -> Response:
        """Serve the check of a card's metadata.

        Reads the `key: value` lines of the metadata: a value on lines of its own looks empty.
        """
        self._account(request)
        metadata = FRONT_MATTER.match(json.loads(request.content)["content"])
        if metadata is None:
            warning = {"message": "empty or missing yaml metadata in repo card"}
            return Response({"errors": [], "warnings": [warning]})
        fields = re.findall(r"^(license|pipeline_tag):(.*?)(?: #.*)?$", metadata[1], re.MULTILINE)
        wrong = [name for name, value in fields if YAML_NOT_A_STRING.fullmatch(value.strip())]
        errors = [{"message": f'"{name}" must be a string'} for name in wrong]
        given = [value.strip() for name, value in fields if name == "license" and name not in wrong]
        if set(given) - LICENSES:
            errors.append({"message": f'"license" must be one of [{", ".join(sorted(LICENSES))}]'})
        return Response({"errors": errors, "warnings": []}, 400 if errors else 200)

    def _preupload(self, request: Request, repo: Repo, revision: str) -> Response:
        """Tell `create_commit` which files go to LFS and what is there already."""
        present = repo.at(revision).files
        answers = []
        for path, size in ((f["path"], f["size"]) for f in json.loads(request.content)["files"]):
            mode = "lfs" if is_lfs(path, size) else "regular"
            oid = file_oid(path, present[path]) if path in present else None
            answers.append({"path": path, "uploadMode": mode, "shouldIgnore": False, "oid": oid})
        return Response({"files": answers})

    def _lfs_batch(self, request: Request, repo: Repo) -> Response:
        """Tell `create_commit` where to put LFS objects: those without actions are there."""
        verify = {"href": f"{self.endpoint}{repo.url_path}.git/info/lfs/objects/verify"}
        answers = json.loads(request.content)["objects"]
        for answer in answers:
            if answer["oid"] not in self._lfs_objects:
                upload = {"href": f"{self._storage}/lfs/{answer['oid']}"}
                answer["actions"] = {"upload": upload, "verify": verify}
        return Response({"transfer": "basic", "objects": answers})

    def _lfs_upload(self, request: Request, oid: str) -> Response:
        """Take an LFS object from `create_commit`; the client sends no token to storage."""
        if hashlib.sha256(request.content).hexdigest() != oid:
            raise HubError(400, "The sha256 of the content is not the oid")
        self._lfs_objects[oid] = request.content
        return Response()

    def _lfs_verify(self, request: Request, repo: Repo) -> Response:
        """Confirm to `create_commit` that an LFS object has arrived whole."""
        asked = json.loads(request.content)
        if len(self._lfs_objects.get(asked["oid"], b"")) != asked["size"]:
            raise HubError(400, "The LFS object was not uploaded with this size")
        return Response()

    def _commit(self, request: Request, repo: Repo, revision: str) -> Response:
        """Take the commit of `create_commit`: ndjson of a header, added and removed files."""
        head, message, changes, removed = repo.at(revision).sha, "", {}, set()
        for operation in map(json.loads, request.content.splitlines()):
            key, value = operation["key"], operation["value"]
            if key == "header":
                message = f"{value['summary']}\n\n{value['description']}".strip()
                if value.get("parentCommit", head) != head:
                    raise HubError(412, "A commit has happened since")
            elif key == "file":
                changes[value["path"]] = base64.b64decode(value["content"])
            elif key == "deletedFile":
                if value["path"] not in repo.at(revision).files:
                    raise HubError(404, "A file with this name doesn't exist")
                removed.add(value["path"])
            elif key != "lfsFile":
                raise HubError(501, f"The stand-in has no commit operation {key}")
            elif value["oid"] not in self._lfs_objects:
                raise HubError(400, f"LFS object {value['oid']} was never uploaded")
            else:
                changes[value["path"]] = self._lfs_objects[value["oid"]]
        for path in self._garbled & changes.keys():
            changes[path] += b" "
        sha = repo.commit(message, changes, revision, removed).sha
        return Response(
            {"commitOid": sha, "commitUrl": f"{self.endpoint}{repo.url_path}/commit/{sha}"}
        )

    def _info(
        self, request: Request, repo: Repo, revision: str = "main", blobs: str = ""
    ) -> Response:
        """Serve `model_info`, `dataset_info` and `repo_exists`; blobs is their `files_metadata`."""
        commit, siblings = repo.at(revision), []
        for path, content in commit.files.items():
            sibling: dict[str, Any] = {"rfilename": path}
            if blobs:
                size, oid = len(content), file_oid(path, content)
                # The pointer is what git keeps: 125 bytes around the decimal size.
                lfs = {"lfs": {"sha256": oid, "size": size, "pointerSize": 125 + len(str(size))}}
                sibling |= {"size": size} | (lfs if is_lfs(path, size) else {"blobId": oid})
            siblings.append(sibling)
        about = {"id": repo.repo_id, "private": repo.private, "sha": commit.sha}
        return Response({**about, "siblings": siblings})

    def _tree(self, request: Request, repo: Repo, revision: str) -> Response:
        """Serve `snapshot_download`'s listing of all files."""
        entries = []
        for path, content in repo.at(revision).files.items():
            size, oid = len(content), file_oid(path, content)
            lfs = {"lfs": {"oid": oid, "size": size, "pointerSize": 125 + len(str(size))}}
            entry = {"type": "file", "path": path, "size": size, "oid": oid}
            entries.append(entry | (lfs if is_lfs(path, size) else {}))
        return Response(entries)

    def _resolve(self, request: Request, repo: Repo, revision: str, path: str) -> Response:
        """Serve `hf_hub_download`: HEAD for the metadata, then GET unless HEAD led to storage."""
        commit = repo.at(revision)
        headers = {"X-Repo-Commit": commit.sha}
        content = commit.files.get(path)
        if content is None:
            raise HubError(404, "Entry not found", {**headers, "X-Error-Code": "EntryNotFound"})
        oid = file_oid(path, content)
        headers["ETag"] = f'"{oid}"'
        if not is_lfs(path, len(content)):
            return file_response(request, content, headers)
        linked = {"X-Linked-Etag": f'"{oid}"', "X-Linked-Size": str(len(content))}
        return Response(b"", 302, {**headers, **linked, "Location": f"{self._storage}/lfs/{oid}"})

    def _lfs_download(self, request: Request, oid: str) -> Response:
        """Serve `hf_hub_download` an LFS object from storage."""
        if oid not in self._lfs_objects:
            raise HubError(404, "No such LFS object")
        return file_response(request, self._lfs_objects[oid], {"ETag": f'"{oid}"'})


API = r"/api/(?P<repo_type>model|dataset)s/(?P<repo_id>[^/?]+/[^/?]+)"
PAGE = r"/(?:(?P<repo_type>dataset)s/)?(?P<repo_id>[^/?]+/[^/?]+)"
REVISION = r"/(?P<revision>[^/?]+)"
LFS_OBJECT = r"/lfs/(?P<oid>[0-9a-f]{64})"

# "METHOD path" -> what serves it; the named groups are its arguments.
ROUTES: dict[str, Callable[..., Response]] = {
    "GET /api/whoami-v2": HubStandIn._whoami,
    "POST /api/repos/create": HubStandIn._create_repo,
    "POST /api/validate-yaml": HubStandIn._validate_yaml,
    rf"GET {API}(?:/revision{REVISION})?(?:\?blobs=(?P<blobs>true))?": HubStandIn._info,
    rf"GET {API}/tree{REVISION}\?recursive=true&expand=false": HubStandIn._tree,
    rf"POST {API}/branch{REVISION}": HubStandIn._create_branch,
    rf"POST {API}/preupload{REVISION}": HubStandIn._preupload,
    rf"POST {API}/commit{REVISION}": HubStandIn._commit,
    rf"POST {PAGE}\.git/info/lfs/objects/batch": HubStandIn._lfs_batch,
    rf"POST {PAGE}\.git/info/lfs/objects/verify": HubStandIn._lfs_verify,
    rf"(?:HEAD|GET) {PAGE}/resolve{REVISION}/(?P<path>[^?]+)": HubStandIn._resolve,
    rf"PUT {LFS_OBJECT}": HubStandIn._lfs_upload,
    rf"GET {LFS_OBJECT}": HubStandIn._lfs_download,
}
