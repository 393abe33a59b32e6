"""How is a folder published?  One commit on the hub, of what was verified and nothing else."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from huggingface_hub import HfApi
from huggingface_hub.errors import HfHubHTTPError

from videomae.errors import ConversionError, listing
from videomae.files import sha256
from videomae.folder import CONFIG, CONVERTED, PUBLISHED, REHEARSAL, read_json


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


def publish(folder: Path, repo_id: str, private: bool) -> dict[str, Any]:
    """Create the repository if need be, and upload the folder's four files as one commit.

    Returns the receipt. ``repo_id`` carries its namespace; the token comes from the environment or
    the hub's own login.
    """
    api = HfApi()
    try:
        api.create_repo(repo_id, private=private, exist_ok=True)
        commit = api.upload_folder(
            repo_id=repo_id,
            folder_path=folder,
            allow_patterns=list(PUBLISHED),
            commit_message="Convert the authors' checkpoint, verified against their network",
        )
    except (HfHubHTTPError, RuntimeError) as error:  # RuntimeError: an upload to LFS storage
        said = " ".join(str(error).split())
        raise ConversionError(f"the hub refused {repo_id}: {said}") from error
    return {
        "repo_id": repo_id,
        "commit": commit.oid,
        "url": commit.commit_url,
        "sha256": {name: sha256(folder / name) for name in PUBLISHED},
    }
