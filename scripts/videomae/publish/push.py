"""Publishes a verified folder as one commit on the hub."""

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
    """The destination of a push: a repository, created ``private`` or not, and its branch."""

    repo_id: str
    revision: str = MAIN
    private: bool = True
    overwrite: bool = False

    def __str__(self) -> str:
        """Return the repository, with the branch if it is not main."""
        return self.repo_id if self.revision == MAIN else f"{self.repo_id}@{self.revision}"


@dataclass(frozen=True)
class Held:
    """The state of the hub: its commit, and each file's hash (SHA-256, or git's for small files).

    ``lacking`` is "repository" or "branch" if it does not exist yet.
    """

    commit: str
    private: bool
    hashes: Mapping[str, str]
    lacking: str = ""


@dataclass(frozen=True)
class Change:
    """The changes that a push makes on the hub.

    ``sent`` are files that the hub lacks or that differ, ``removed`` others that loaders read.
    """

    held: Held
    sent: list[str]
    removed: list[str]

    def __bool__(self) -> bool:
        """Return whether there is anything to commit."""
        return bool(self.sent or self.removed)


def publish(folder: Publishable, target: Target, wait: float = WAIT) -> dict[str, Any]:
    """Push the folder's four files as one commit, and return the receipt.

    A missing repository or branch is created. There is no commit if the hub already has the same
    files and no others that loaders would read. Other files are refused unless ``overwrite`` is
    set; then the same commit removes them. Afterwards the hub's hashes are compared with the
    verified ones. A temporary failure is tried again from the start, with a new look at the hub,
    so a lost answer never causes a second commit.
    """
    if not sys.stderr.isatty():
        disable_progress_bars()  # the client's bars move the cursor, even in a log
    api, created = HfApi(), list[str]()
    try:
        commit = retrying(lambda: _push(api, folder, target, created), "push", wait)
    except ConversionError as error:
        if not created:
            raise
        raise ConversionError(
            f"{error}. The {created[0]} {target} was created and may still exist"
        ) from error
    return {
        "repo_id": target.repo_id,
        "revision": target.revision,
        "commit": commit,
        "url": redacted(f"{api.endpoint}/{target.repo_id}/commit/{commit}"),
        "sha256": folder.hashes,
    }


def plan(folder: Publishable, target: Target, wait: float = WAIT) -> str:
    """Return lines on what `publish` would do, without writing; raises the same errors."""
    api = HfApi()
    change = retrying(lambda: _compare(api, folder, target), "push", wait)
    held = change.held
    would = f" (this {held.lacking} would be created)" if held.lacking else ""
    visible = "private" if held.private else "public"
    lines = [f"{target.repo_id}, branch {target.revision}, {visible}{would}:"]
    for name, file in folder.files.items():
        state = ("changed" if name in held.hashes else "new") if name in change.sent else "same"
        lines.append(f"  {state:<8} {file.size:>15,} bytes  {name}")
    lines += [f"  {'removed':<8} {'':>21}  {name}" for name in change.removed]
    would = f"one commit of {_amount(folder, change)}" if change else "no commit needed"
    return "\n".join([*lines, f"  {would} (dry run: nothing was written on the hub)"])


def _amount(folder: Publishable, change: Change) -> str:
    removed = f", {len(change.removed)} removed" if change.removed else ""
    return folder.amount(change.sent) + removed


def _push(api: HfApi, folder: Publishable, target: Target, created: list[str]) -> str:
    """Try once to publish; return the commit, and add to ``created`` what was created."""
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
    """Send the files, check that they are the verified ones, then commit; return the commit."""
    print(f"{target}: sending {_amount(folder, change)}")
    sent = [folder.files[name].addition() for name in change.sent]
    # Not upload_folder, because with Xet it may make several commits.
    try:
        api.preupload_lfs_files(target.repo_id, sent, revision=target.revision)
    except RAISED:
        folder.check_unchanged()  # a changed file may be the cause
        raise
    folder.check_sent(sent)
    commit = api.create_commit(
        target.repo_id,
        [*sent, *map(CommitOperationDelete, change.removed)],
        commit_message=MESSAGE,
        revision=target.revision,
        parent_commit=change.held.commit,  # fails if somebody else committed meanwhile
    ).oid
    held = _held(api, target.repo_id, commit)
    if wrong := folder.differing(held.hashes):
        raise ConversionError(
            f"{target} has other files than were sent: {listing(wrong)} differ; "
            f"{_withdraw(api, target, held, wrong)}"
        )
    return commit


def _withdraw(api: HfApi, target: Target, held: Held, wrong: list[str]) -> str:
    """Remove files that differ from those sent; return whether that worked, as a text."""
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
        return f"removing them failed too ({said}), so remove them yourself and push again"
    return "they were removed there; push again"


def _compare(api: HfApi, folder: Publishable, target: Target) -> Change:
    """Return the necessary changes on the hub; raises `ConversionError` for forbidden ones."""
    with failures(f"the hub refused {target}", f"{target} could not be compared"):
        _check_card(api, folder.files[CARD])
        held = _look(api, target)
    change = Change(
        held, folder.differing(held.hashes), loadable(held.hashes.keys() - set(PUBLISHED))
    )
    _check_overwrite(target, change)
    return change


def _check_overwrite(target: Target, change: Change) -> None:
    """Raise `ConversionError` if a push would replace or remove files without permission."""
    replaced = [name for name in change.sent if name in change.held.hashes]
    if target.overwrite or not (replaced or change.removed):
        return
    faults = [f"another {_all(replaced)}"] if replaced else []
    if change.removed:
        faults.append(f"{_all(change.removed)}, which loaders would read beside the verified files")
    raise ConversionError(
        f"{target} on the hub has {', and '.join(faults)}; to "
        f"{'replace' if replaced else 'remove'} them, set push.overwrite: true"
    )


def _all(names: list[str]) -> str:
    return listing(names, most=len(names))


def _check_card(api: HfApi, card: File) -> None:
    """Raise `ConversionError` if the hub refuses a card's metadata.

    `create_commit` checks it too, but only if the repository exists.
    """
    text = (card.content or b"").decode("utf-8", errors="replace")
    asked = {"repoType": "model", "content": text}
    response = get_session().post(f"{api.endpoint}/api/validate-yaml", json=asked)
    try:
        hf_raise_for_status(response)
    except BadRequestError as error:
        said = "; ".join(fault["message"] for fault in response.json().get("errors", []))
        raise ConversionError(
            f"the hub refuses the metadata of {card.path}: {said}; a license is `license` "
            "in config.yaml"
        ) from error


def _look(api: HfApi, target: Target) -> Held:
    """Return the state of the hub at a target; for a missing branch that of main."""
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
