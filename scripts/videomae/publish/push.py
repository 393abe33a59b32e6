"""How is a folder published?  One commit on the hub, of what was verified and nothing else."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from huggingface_hub import (
    CommitOperationDelete,
    HfApi,
    get_session,
    hf_raise_for_status,
)
from huggingface_hub.errors import (
    BadRequestError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.utils.tqdm import disable_progress_bars

from videomae.convert.model_folder import CARD, PUBLISHED
from videomae.errors import ConversionError, PassingError, listing, one_line
from videomae.network.addresses import redacted
from videomae.network.hub import RAISED, failures
from videomae.network.retry import WAIT, retrying
from videomae.publish.loader_files import loadable
from videomae.publish.verified_folder import File, Publishable

MAIN = "main"
MESSAGE = "Convert the authors' checkpoint, verified against their network"


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


@dataclass(frozen=True)
class Change:
    """What a push changes of what the hub has.

    ``sent`` names what the hub lacks or has otherwise, ``removed`` what else loaders would read.
    """

    held: Held
    sent: list[str]
    removed: list[str]

    def __bool__(self) -> bool:
        """Return whether there is anything to commit."""
        return bool(self.sent or self.removed)


def publish(folder: Publishable, target: Target, wait: float = WAIT) -> dict[str, Any]:
    """Bring the folder's four files to the hub as one commit, creating what isn't there.

    Without a commit if they are there already, and nothing else that loaders would read. Others
    are refused unless they may be overwritten; then the same commit removes them. What the hub
    then has is compared by hash with what was verified. What another try may mend is tried again
    from the start, which finds out how far the last one came: so an answer that is lost after the
    commit makes no second one. Returns the receipt.
    """
    if not sys.stderr.isatty():
        disable_progress_bars()  # the client's, which move a cursor, in a log too
    api, created = HfApi(), list[str]()
    try:
        commit = retrying(lambda: _push(api, folder, target, created), "push", wait)
    except ConversionError as error:
        if not created:
            raise
        raise ConversionError(
            f"{error}. The {created[0]} that was created for it may be there: {target}"
        ) from error
    return {
        "repo_id": target.repo_id,
        "revision": target.revision,
        "commit": commit,
        "url": redacted(f"{api.endpoint}/{target.repo_id}/commit/{commit}"),
        "sha256": folder.hashes,
    }


def plan(folder: Publishable, target: Target, wait: float = WAIT) -> str:
    """Say what `publish` would do, and refuse what it would refuse, writing nothing at the hub."""
    api = HfApi()
    change = retrying(lambda: _compare(api, folder, target), "push", wait)
    held = change.held
    would = f", whose {held.lacking} would be created" if held.lacking else ""
    visible = "private" if held.private else "public"
    lines = [f"{target.repo_id}, branch {target.revision}, {visible}{would}:"]
    for name, file in folder.files.items():
        state = ("changed" if name in held.hashes else "new") if name in change.sent else "same"
        lines.append(f"  {state:<8} {file.size:>15,} bytes  {name}")
    lines += [f"  {'removed':<8} {'':>21}  {name}" for name in change.removed]
    would = f"one commit of {_amount(folder, change)}" if change else "no commit needed"
    return "\n".join([*lines, f"  {would} (dry run: nothing was written at the hub)"])


def _amount(folder: Publishable, change: Change) -> str:
    removed = f", {len(change.removed)} removed" if change.removed else ""
    return folder.amount(change.sent) + removed


def _push(api: HfApi, folder: Publishable, target: Target, created: list[str]) -> str:
    """Try to publish, once; give the commit that holds the folder. Note what is ``created``."""
    change = _compare(api, folder, target)
    with failures(f"the hub refused {target}", f"{target} could not be pushed"):
        if lacking := change.held.lacking:
            created.append(lacking)
            _create(api, target, lacking)
            change = _compare(api, folder, target)
        if change.held.lacking:
            raise PassingError(f"the hub created {target}, but does not show it yet")
        return _commit(api, folder, target, change) if change else change.held.commit


def _commit(api: HfApi, folder: Publishable, target: Target, change: Change) -> str:
    """Send the files, make sure that they are what was verified, and only then commit them."""
    print(f"{target}: sending {_amount(folder, change)}")
    sent = [folder.files[name].addition() for name in change.sent]
    # Not upload_folder, which through Xet may make several commits of a folder.
    try:
        api.preupload_lfs_files(target.repo_id, sent, revision=target.revision)
    except RAISED:
        folder.check_unchanged()  # it may be why the storage refused it
        raise
    folder.check_sent(sent)
    commit = api.create_commit(
        target.repo_id,
        [*sent, *map(CommitOperationDelete, change.removed)],
        commit_message=MESSAGE,
        revision=target.revision,
        parent_commit=change.held.commit,  # so that nobody else's commit is built upon unseen
    ).oid
    held = _held(api, target.repo_id, commit)
    if wrong := folder.differing(held.hashes):
        raise ConversionError(
            f"what {target} holds after the push is not what was sent: {listing(wrong)} differ; "
            f"{_withdraw(api, target, held, wrong)}"
        )
    return commit


def _withdraw(api: HfApi, target: Target, held: Held, wrong: list[str]) -> str:
    """Remove files that did not arrive as they were sent, and say whether that was possible."""
    present = [CommitOperationDelete(name) for name in wrong if name in held.hashes]
    if not present:
        return "push again"
    try:
        api.create_commit(
            target.repo_id,
            present,
            commit_message="Remove files that did not arrive as they were sent",
            revision=target.revision,
            parent_commit=held.commit,
        )
    except RAISED as error:
        said = one_line(redacted(str(error)))
        return f"they are still there, since removing them failed too ({said})"
    return "they were removed there; push again"


def _compare(api: HfApi, folder: Publishable, target: Target) -> Change:
    """Look what the hub has, and say what is to change; refuse what may not be overwritten."""
    with failures(f"the hub refused {target}", f"{target} could not be compared"):
        _check_card(api, folder.files[CARD])
        held = _look(api, target)
    change = Change(
        held, folder.differing(held.hashes), loadable(held.hashes.keys() - set(PUBLISHED))
    )
    _check_overwrite(target, change)
    return change


def _check_overwrite(target: Target, change: Change) -> None:
    """Refuse to replace or remove what the hub has, unless that may be overwritten."""
    replaced = [name for name in change.sent if name in change.held.hashes]
    if target.overwrite or not (replaced or change.removed):
        return
    faults = [f"{_all(replaced)}, not the same as here"] if replaced else []
    if change.removed:
        faults.append(f"{_all(change.removed)}, which loaders would read beside what was verified")
    raise ConversionError(
        f"{target} on the hub holds {', and '.join(faults)}; push.overwrite: true "
        f"{'replaces' if replaced else 'removes'} them"
    )


def _all(names: list[str]) -> str:
    return listing(names, most=len(names))


def _check_card(api: HfApi, card: File) -> None:
    """Refuse a card whose metadata the hub refuses, in its words.

    `create_commit` asks that too, but only once there is a repository.
    """
    text = (card.content or b"").decode("utf-8", errors="replace")
    asked = {"repoType": "model", "content": text}
    response = get_session().post(f"{api.endpoint}/api/validate-yaml", json=asked)
    try:
        hf_raise_for_status(response)
    except BadRequestError as error:
        said = "; ".join(fault["message"] for fault in response.json().get("errors", []))
        raise ConversionError(
            f"the hub refuses the metadata of {card.path}: {said}; a card's license is `license` "
            "in config.yaml"
        ) from error


def _look(api: HfApi, target: Target) -> Held:
    """Return what the hub has at a target; a branch that isn't there would start from main."""
    try:
        return _held(api, target.repo_id, target.revision)
    except RevisionNotFoundError:
        return replace(_held(api, target.repo_id, MAIN), lacking="branch")
    except RepositoryNotFoundError as error:
        if error.response.status_code != 404:  # the token was rejected
            raise
        return Held("", target.private, {}, lacking="repository")


def _create(api: HfApi, target: Target, lacking: str) -> None:
    if lacking == "repository":
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
