"""Locates a run's results: in a local folder or in object storage.

Paths in storage are cloudpathlib's, which are read like local ones. Snakemake moves files between
storage and jobs; code outside of jobs, such as the final table, reads them through this module.
"""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, cast

from videomae.errors import ConversionError

HERE = "results"
# Kinds of files that are downloaded from datasets on the hub, beside checkpoints.
INPUTS = ("clip", "mask", "labels")
# The environment variables that Snakemake's S3 plugin reads; this module reads them too.
VARIABLE = "SNAKEMAKE_STORAGE_S3_{}"
SETTINGS = {
    "endpoint_url": "endpoint_url",
    "access_key": "aws_access_key_id",
    "secret_key": "aws_secret_access_key",
    "token": "aws_session_token",
}


def address(folder: str, provider: str | None, prefix: str | None) -> str:
    """Return the address of a run's results: a folder, or one in the run's default storage."""
    if provider is None:
        return folder.rstrip("/")
    if provider != "s3" or not (prefix or "").startswith("s3://"):
        raise ConversionError(
            f"results in storage {provider!r} under {prefix!r} can't be read; give "
            "--default-storage-provider s3 and --default-storage-prefix s3://BUCKET/FOLDER"
        )
    return f"{prefix}".rstrip("/") + f"/{folder}".rstrip("/")


def share(settings: Any) -> None:
    """Set the environment so that this process and its jobs can reach Snakemake's storage."""
    for name in SETTINGS:
        if value := getattr(settings, name, None):
            os.environ.setdefault(VARIABLE.format(name.upper()), value)


def results(address: str) -> Path:
    """Return the path of results at an address, which is a folder or s3://BUCKET/FOLDER."""
    if not address.startswith("s3://"):
        return Path(address)
    try:
        from cloudpathlib import S3Client
    except ImportError:
        raise ConversionError(
            f"reading {address} needs cloudpathlib; run: pip install 'videomae[storage]'"
        ) from None
    given = {key: os.environ.get(VARIABLE.format(name.upper())) for name, key in SETTINGS.items()}
    # The client caches objects in a folder that is removed when this process ends.
    client = S3Client(**cast(dict[str, Any], given))
    return cast(Path, client.CloudPath(address))


def names(paths: Iterable[Path], results: Path) -> list[str]:
    """Return the names by which the workflow's rules know files of the results."""
    return [f"{HERE}/{path.relative_to(results)}" for path in paths]


def place(name: str, results: Path) -> Path:
    """Return the path of a file that the workflow's rules name; the reverse of `names`."""
    return results / name.removeprefix(f"{HERE}/")


def are_here(results: Path) -> bool:
    """Return whether results are in a local folder."""
    return isinstance(results, Path)
