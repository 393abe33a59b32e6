"""How is a folder published?  One commit on the hub, of what was verified and nothing else."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from huggingface_hub import (
    CommitOperationAdd,
    HfApi,
    get_session,
    get_token,
    hf_raise_for_status,
)
from huggingface_hub.errors import (
    BadRequestError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.utils.sha import git_hash
from huggingface_hub.utils.tqdm import disable_progress_bars

from videomae.errors import ConversionError, PassingError, listing
from videomae.files import sha256
from videomae.folder import CARD, CONFIG, CONVERTED, PUBLISHED, REHEARSAL, read_json
from videomae.hub import failures
from videomae.retrying import WAIT, retrying

MAIN = "main"
AT_START = 0.5  # seconds before the second try, so that a run that can't push stops soon
GIT_HASH = 40  # hexadecimal digits; a SHA-256 has 64


@dataclass(frozen=True)
class Target:
    """Where a folder goes: a repository, created ``private`` or not, and a branch of it."""

    repo_id: str
    revision: str = MAIN
    private: bool = True
    overwrite: bool = False

    def __str__(self) -> str:
        """Name the repository, and the branch where it is not the usual one."""
        return self.repo_id if self.revision == MAIN else f"{self.repo_id}@{self.revision}"


@dataclass(frozen=True)
class Held:
    """What the hub has there: its commit, and each file's hash (SHA-256, or git's for small).

    ``lacking`` is the repository or the branch, if that isn't there yet.
    """

    commit: str
    private: bool
    hashes: Mapping[str, str]
    lacking: str = ""


def check_publishable(folder: Path, report: Mapping[str, Any]) -> None:
    """Refuse a folder that failed, was changed since, is incomplete, or is a rehearsal's."""
    missing = [name for name in PUBLISHED if not (folder / name).is_file()]
    if missing:
        raise ConversionError(f"{folder} is not complete: {listing(missing)} missing")
    if read_json(folder / CONFIG).get(REHEARSAL) or report.get("rehearsal"):
        raise ConversionError(f"{folder} holds rehearsal weights, which are never pushed")
    if not report.get("passed"):
        raise ConversionError(f"{folder} did not pass verification")
    verified = report.get("sha256", {})
    changed = [name for name in CONVERTED if sha256(folder / name) != verified.get(name)]
    if changed:
        raise ConversionError(
            f"{folder} is not what was verified: {listing(changed)} changed since; verify it again"
        )


def check_access(namespace: str, wait: float = AT_START) -> None:
    """Refuse a run whose pushes would fail: no token, one the hub rejects, one that may not write.

    The token comes from the environment or the hub's own login, and is in no message.
    """
    if get_token() is None:
        raise ConversionError(
            "push.enabled: there is no token for the hub; log in with `hf auth login`, or set "
            "HF_TOKEN"
        )
    who = retrying(_who, "push", wait)
    # An organisation without a role in it, or a token with rights one by one, is left to the hub.
    writable = [who["name"]]
    writable += [org["name"] for org in who.get("orgs", []) if org.get("roleInOrg") != "read"]
    if namespace not in writable:
        raise ConversionError(
            f"push.namespace: {namespace} is none that the token of {who['name']} may write to; "
            f"those are {listing(writable)}"
        )
    if who.get("auth", {}).get("accessToken", {}).get("role") == "read":
        raise ConversionError(
            f"push.enabled: the token of {who['name']} may only read; make one that may write"
        )


def _who() -> dict[str, Any]:
    rejected, busy = "the hub rejects the token", "the hub can't be asked"
    with failures(f"push.enabled: {rejected}", f"push.enabled: {busy}"):
        return HfApi().whoami()


def publish(folder: Path, target: Target, wait: float = WAIT) -> dict[str, Any]:
    """Bring the folder's four files to the hub as one commit, creating what isn't there.

    Without a commit if they are there already; other files there are refused unless they may be
    overwritten. What the hub then has is compared by hash with what is here. What another try may
    mend is tried again from the start, which finds out how far the last one came: so an answer
    that is lost after the commit makes no second one. Returns the receipt.
    """
    if not sys.stderr.isatty():
        disable_progress_bars()  # the client's, which move a cursor, in a log too
    api, here = HfApi(), _hashes(folder)
    commit = retrying(lambda: _push(api, folder, target, here), "push", wait)
    return {
        "repo_id": target.repo_id,
        "revision": target.revision,
        "commit": commit,
        "url": f"{api.endpoint}/{target.repo_id}/commit/{commit}",
        "sha256": here,
    }


def plan(folder: Path, target: Target, wait: float = WAIT) -> str:
    """Say what `publish` would do, and refuse what it would refuse, writing nothing at the hub."""
    api, here = HfApi(), _hashes(folder)
    held, wrong = retrying(lambda: _compare(api, folder, target, here), "push", wait)
    would = f", whose {held.lacking} would be created" if held.lacking else ""
    visible = "private" if held.private else "public"
    lines = [f"{target.repo_id}, branch {target.revision}, {visible}{would}:"]
    for name in PUBLISHED:
        state = ("changed" if name in held.hashes else "new") if name in wrong else "same"
        lines.append(f"  {state:<8} {(folder / name).stat().st_size:>15,} bytes  {name}")
    would = f"one commit of {_amount(folder, wrong)}" if wrong else "no commit needed"
    return "\n".join([*lines, f"  {would} (dry run: nothing was written at the hub)"])


def _amount(folder: Path, names: list[str]) -> str:
    sent = sum((folder / name).stat().st_size for name in names)
    return f"{len(names)} files, {sent:,} bytes"


def _push(api: HfApi, folder: Path, target: Target, here: Mapping[str, str]) -> str:
    """Try to publish, once; give the commit that holds the folder."""
    held, wrong = _compare(api, folder, target, here)
    with failures(f"the hub refused {target}", f"{target} could not be pushed"):
        if held.lacking:
            _create(api, target, held)
            held, wrong = _compare(api, folder, target, here)
        if held.lacking:
            raise PassingError(f"the hub created {target}, but does not show it yet")
        if not wrong:
            return held.commit
        print(f"{target}: sending {_amount(folder, wrong)}")
        commit = api.create_commit(
            target.repo_id,
            # Not upload_folder, which through Xet may make several commits of a folder.
            [CommitOperationAdd(name, folder / name) for name in wrong],
            commit_message="Convert the authors' checkpoint, verified against their network",
            revision=target.revision,
            parent_commit=held.commit,  # so that nobody else's commit is built upon unseen
        ).oid
        held = _held(api, target.repo_id, commit)
    if wrong := _differing(folder, here, held.hashes):
        raise ConversionError(
            f"what {target} holds after the push is not what was sent: {listing(wrong)} differ; "
            "push again"
        )
    return commit


def _compare(
    api: HfApi, folder: Path, target: Target, here: Mapping[str, str]
) -> tuple[Held, list[str]]:
    """Look what the hub has and name the files that it lacks or has otherwise; refuse conflicts."""
    with failures(f"the hub refused {target}", f"{target} could not be compared"):
        _check_card(api, folder / CARD)
        held = _look(api, target)
    wrong = _differing(folder, here, held.hashes)
    strangers = sorted(held.hashes.keys() - {".gitattributes"})
    if wrong and strangers and not target.overwrite:
        raise ConversionError(
            f"{target} on the hub holds {listing(strangers)}, not the same as here "
            f"({listing(wrong)}); push.overwrite: true replaces them"
        )
    return held, wrong


def _check_card(api: HfApi, card: Path) -> None:
    """Refuse a card whose metadata the hub refuses, in its words.

    `create_commit` asks that too, but only once there is a repository.
    """
    asked = {"repoType": "model", "content": card.read_text(encoding="utf-8")}
    response = get_session().post(f"{api.endpoint}/api/validate-yaml", json=asked)
    try:
        hf_raise_for_status(response)
    except BadRequestError as error:
        said = "; ".join(fault["message"] for fault in response.json().get("errors", []))
        raise ConversionError(
            f"the hub refuses the metadata of {card}: {said}; a card's license is `license` in "
            "config.yaml"
        ) from error


def _look(api: HfApi, target: Target) -> Held:
    """Give what the hub has at a target; a branch that isn't there would start from main."""
    try:
        return _held(api, target.repo_id, target.revision)
    except RevisionNotFoundError:
        return replace(_held(api, target.repo_id, MAIN), lacking="branch")
    except RepositoryNotFoundError as error:
        if error.response.status_code != 404:  # the token was rejected
            raise
        return Held("", target.private, {}, lacking="repository")


def _create(api: HfApi, target: Target, held: Held) -> None:
    if held.lacking == "repository":
        api.create_repo(target.repo_id, private=target.private, exist_ok=True)
    if target.revision != MAIN:
        api.create_branch(target.repo_id, branch=target.revision, exist_ok=True)


def _held(api: HfApi, repo_id: str, revision: str) -> Held:
    info = api.model_info(repo_id, revision=revision, files_metadata=True)
    hashes = {
        file.rfilename: file.lfs.sha256 if file.lfs else str(file.blob_id)
        for file in info.siblings or []
    }
    return Held(str(info.sha), bool(info.private), hashes)


def _hashes(folder: Path) -> dict[str, str]:
    return {name: sha256(folder / name) for name in PUBLISHED}


def _differing(folder: Path, here: Mapping[str, str], held: Mapping[str, str]) -> list[str]:
    """Name the folder's files that the hub has not, or has otherwise; ``here`` are their SHA-256.

    Git's hash is computed only for files that the hub keeps in git, which are small.
    """
    return [
        name
        for name, hash_ in here.items()
        if held.get(name) != hash_
        and (
            len(held.get(name, "")) != GIT_HASH
            or held[name] != git_hash((folder / name).read_bytes())
        )
    ]
