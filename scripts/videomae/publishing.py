"""How is a folder published?  One commit on the hub, of what was verified and nothing else."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from huggingface_hub import HfApi, get_token
from huggingface_hub.errors import HfHubHTTPError
from huggingface_hub.utils.sha import git_hash

from videomae.errors import ConversionError, listing
from videomae.files import sha256
from videomae.folder import CONFIG, CONVERTED, PUBLISHED, REHEARSAL, read_json

GIT_HASH = 40  # hexadecimal digits; a SHA-256 has 64


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


def check_access(namespace: str) -> None:
    """Refuse a run whose pushes would fail: no token, one the hub rejects, one that may not write.

    The token comes from the environment or the hub's own login, and is in no message.
    """
    if get_token() is None:
        raise ConversionError(
            "push.enabled: there is no token for the hub; log in with `hf auth login`, or set "
            "HF_TOKEN"
        )
    try:
        who = HfApi().whoami()
    except HfHubHTTPError as error:
        raise ConversionError(f"push.enabled: the hub rejects the token: {_said(error)}") from error
    except Exception as error:  # whatever its HTTP client raises
        raise ConversionError(f"push.enabled: the hub can't be reached: {_said(error)}") from error
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


def publish(folder: Path, repo_id: str, private: bool, overwrite: bool) -> dict[str, Any]:
    """Create the repository if need be, and bring the folder's four files there as one commit.

    Without a commit if they are there already; other files there are refused unless they may be
    overwritten. What the hub then has is compared by hash with what is here. Returns the receipt.
    """
    api, here = HfApi(), {name: sha256(folder / name) for name in PUBLISHED}
    try:
        api.create_repo(repo_id, private=private, exist_ok=True)
        commit, held = _held(api, repo_id, None)
        if wrong := _differing(folder, here, held):
            strangers = sorted(held.keys() - {".gitattributes"})
            if strangers and not overwrite:
                raise ConversionError(
                    f"{repo_id} on the hub holds {listing(strangers)}, not the same as here "
                    f"({listing(wrong)}); push.overwrite: true replaces them"
                )
            commit = api.upload_folder(
                repo_id=repo_id,
                folder_path=folder,
                allow_patterns=list(PUBLISHED),
                commit_message="Convert the authors' checkpoint, verified against their network",
            ).oid
            _, held = _held(api, repo_id, commit)
    except (HfHubHTTPError, RuntimeError) as error:  # RuntimeError: an upload to LFS storage
        raise ConversionError(f"the hub refused {repo_id}: {_said(error)}") from error
    if wrong := _differing(folder, here, held):
        raise ConversionError(
            f"what {repo_id} holds after the push is not what was sent: {listing(wrong)} differ; "
            "push again"
        )
    return {
        "repo_id": repo_id,
        "commit": commit,
        "url": f"{api.endpoint}/{repo_id}/commit/{commit}",
        "sha256": here,
    }


def _held(api: HfApi, repo_id: str, revision: str | None) -> tuple[str, dict[str, str]]:
    """Give a repository's commit, and the hash of each file in it: SHA-256, or git's for small."""
    info = api.model_info(repo_id, revision=revision, files_metadata=True)
    hashes = {
        file.rfilename: file.lfs.sha256 if file.lfs else str(file.blob_id)
        for file in info.siblings or []
    }
    return str(info.sha), hashes


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


def _said(error: Exception) -> str:
    return " ".join(str(error).split())
