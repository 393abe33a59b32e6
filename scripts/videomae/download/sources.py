"""Fetches files from Google Drive, the hub, https or a local path, and makes synthetic weights.

A source is written as in config.yaml:

    gdrive:ID    hub:OWNER/REPO/PATH[@REVISION]    hub:datasets/OWNER/REPO/PATH[@REVISION]
    https://…    hub:OWNER/REPO[@REVISION]         a path            synthetic:NAME

A repository, or a local copy of one, is config.json and weights; they become one file: `packing`.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from videomae.checkpoint import formats, repository
from videomae.download import google_drive
from videomae.errors import ConversionError
from videomae.files import link_or_copy, remove
from videomae.network import addresses, secrets
from videomae.network.progress import Progress, bar
from videomae.network.retry import WAIT, may_pass, retry_after, retrying
from videomae.network.unreachable import of_requests

CHUNK = 1 << 20

HUB = re.compile(
    r"(?:(?P<type>datasets)/)?(?P<repo>[^/@]+/[^/@]+)/(?P<path>[^@]+)(?:@(?P<revision>.+))?"
)
REPOSITORY = re.compile(r"(?P<repo>[\w.-]+/[\w.-]+)(?:@(?P<revision>.+))?")


@dataclass(frozen=True)
class Source:
    """A parsed source: its kind, and its address as it is stored and shown.

    ``whole`` is a web address with what is not to be shown.
    """

    kind: str
    address: str
    whole: str = field(default="", repr=False, compare=False)

    def __str__(self) -> str:
        """Return the source as config.yaml writes it, but without secrets: see `addresses`."""
        return f"{self.kind}:{self.address}" if self.kind in SCHEMES else self.address

    @property
    def packed(self) -> bool:
        """Whether it is a local copy of a hub repository, whose files become one."""
        return self.kind == "file" and repository.is_repository(Path(self.address))


SCHEMES = ("gdrive", "hub", "synthetic")
ON_NETWORK = ("gdrive", "hub", "https")


def parse(text: str) -> Source:
    """Return the parsed source; raises `ConversionError` for an invalid one."""
    scheme, _, rest = text.partition(":")
    if text.startswith("https://"):
        return Source("https", addresses.shown(text), text)
    if scheme == "gdrive" and re.fullmatch(r"[\w-]{10,}", rest):
        return Source("gdrive", rest)
    if scheme == "hub" and (HUB.fullmatch(rest) or _is_repository(rest)) and not _climbs(rest):
        return Source("hub", rest)
    if scheme == "synthetic" and re.fullmatch(r"[\w.-]+", rest):
        return Source("synthetic", rest)
    if scheme in SCHEMES or "://" in text or not text:
        raise ConversionError(
            f"{addresses.redacted(text)!r} is not a source; give one of gdrive:ID, "
            "hub:OWNER/REPO[/PATH][@REVISION], https://…, a path, synthetic:NAME"
        )
    return Source("file", text)


def _is_repository(address: str) -> bool:
    """Return whether an address on the hub is a model's repository, and not a file in one."""
    return bool(REPOSITORY.fullmatch(address)) and not address.startswith("datasets/")


def _climbs(address: str) -> bool:
    """Return whether a path on the hub has parts that lead elsewhere, here or there."""
    parts = address.split("/")
    return any(part in ("", ".", "..") for part in parts) or "\\" in address


def fetch(source: Source, path: Path, name: str, final: Path, wait: float = WAIT) -> None:
    """Download a source to a path; a local file is linked (see `link_or_copy`).

    What another try may mend is tried again after ``wait`` seconds, as `retrying` does it.
    ``final`` is the path that the file is to have in the end; what came of a file on Drive waits
    beside it. Raises `ConversionError` with the way out where the source does not give the bytes.
    """
    fetcher = FETCHERS.get(source.kind) or partial(google_drive.fetch, final=final)
    address = source.address
    if source.kind == "hub" and _is_repository(address):
        fetcher = _from_repository
    if source.kind == "https":  # whole on a command line that somebody typed, or the environment
        address = source.whole if source.whole != address else secrets.whole_address(address)
    retrying(lambda: fetcher(address, path, Progress(name)), name, wait)
    if source.kind != "gdrive":  # what came of the file on Drive that had this name before
        remove(google_drive.parts_of(final))


def _from_hub(address: str, path: Path, progress: Progress) -> None:
    from huggingface_hub import hf_hub_download

    match = HUB.fullmatch(address)
    assert match, address  # `parse` has seen to it
    with _asking_the_hub(address):
        cached = hf_hub_download(
            match["repo"],
            match["path"],
            repo_type="dataset" if match["type"] else "model",
            revision=match["revision"],
            tqdm_class=bar(progress),
        )
    # The hub's cache keeps the file; a second name for it costs no space on the same disk.
    real = Path(cached).resolve()
    try:
        path.hardlink_to(real)
    except OSError:
        link_or_copy(path, real)


def _from_repository(address: str, path: Path, progress: Progress) -> None:
    from huggingface_hub import snapshot_download

    from videomae.download.packing import pack

    match = REPOSITORY.fullmatch(address)
    assert match, address  # `parse` has seen to it
    with _asking_the_hub(address):
        cached = snapshot_download(
            match["repo"],
            revision=match["revision"],
            allow_patterns=[
                repository.CONFIG,
                repository.WEIGHTS,
                repository.INDEX,
                "model-*.safetensors",
            ],
            tqdm_class=bar(progress),
        )
    if not repository.is_repository(Path(cached)):
        raise ConversionError(
            f"{address} on the hub has not both {repository.CONFIG} and {repository.WEIGHTS}; give "
            "a checkpoint file in it, as hub:OWNER/REPO/PATH"
        )
    pack(Path(cached), path, progress)


@contextmanager
def _asking_the_hub(address: str) -> Iterator[None]:
    """Turn errors of the hub's client into one line: lasting refusals or temporary errors."""
    from huggingface_hub import constants
    from huggingface_hub.errors import LocalEntryNotFoundError

    from videomae.network.hub import failures

    refused = f"the hub did not give {address}"
    with failures(refused, refused):
        try:
            yield
        except LocalEntryNotFoundError as error:
            if constants.is_offline_mode():
                raise ConversionError(
                    f"{address} is not in the hub's cache ({constants.HF_HUB_CACHE}), but "
                    "HF_HUB_OFFLINE is set; run once without HF_HUB_OFFLINE"
                ) from error
            # The client looks into its cache when the hub fails, and then speaks of that alone.
            raise (error.__cause__ or error) from None


def fetch_model(address: str, path: Path, wait: float = WAIT) -> None:
    """Link a model's files, as the hub's cache has them, into a new folder.

    ``address`` is OWNER/REPO[@REVISION]. Raises `ConversionError` where the hub doesn't give it.
    """
    retrying(lambda: _link_model(address, path, Progress(address)), address, wait)


def _link_model(address: str, path: Path, progress: Progress) -> None:
    from huggingface_hub import snapshot_download

    match = REPOSITORY.fullmatch(address)
    assert match, address  # `settings` has seen to it
    for weights in ("*.safetensors", "*.bin"):  # as transformers prefers them
        with _asking_the_hub(address):
            cached = snapshot_download(
                match["repo"],
                revision=match["revision"],
                allow_patterns=["*.json", weights],
                tqdm_class=bar(progress),
            )
        if list(Path(cached).glob(weights)):
            break
    else:
        raise ConversionError(f"{address} on the hub has no weights (*.safetensors, *.bin)")
    path.mkdir()
    for file in Path(cached).iterdir():
        if file.is_file():
            link_or_copy(path / file.name, file.resolve())


def _from_https(url: str, path: Path, progress: Progress) -> None:
    import requests

    shown, hooks = addresses.shown(url), {"response": addresses.refuse_unencrypted}
    try:
        with (
            # To another host it sends no user and password that were given for this one.
            requests.get(url, stream=True, timeout=google_drive.TIMEOUT, hooks=hooks) as response,
            path.open("wb") as file,
        ):
            response.raise_for_status()
            length = response.headers.get("Content-Length")
            total = int(length) if length and "Content-Encoding" not in response.headers else None
            progress(0, total)
            for chunk in response.iter_content(CHUNK):
                file.write(chunk)
                progress(file.tell(), total)
    except (requests.RequestException, ValueError) as error:  # the latter for a proxy
        answer = getattr(error, "response", None)
        if answer is None or may_pass(answer.status_code):
            after = 0.0 if answer is None else retry_after(answer.headers)
            raise of_requests(shown, error, after) from error
        raise ConversionError(f"{shown}: {addresses.redacted(str(error))}") from error


def _from_file(address: str, path: Path, progress: Progress) -> None:
    original = formats.located(Path(address).absolute())
    if original.is_dir():
        from videomae.download.packing import pack  # NumPy, which other sources need not import

        pack(original, path, progress)
    elif original.is_file():
        link_or_copy(path, original)
    else:
        raise ConversionError(f"{original}: no such file")


def _from_rule(name: str, path: Path, _progress: Progress) -> None:
    from videomae.download import synthetic_weights

    synthetic_weights.save(name, path)


FETCHERS: dict[str, Callable[[str, Path, Progress], None]] = {
    "hub": _from_hub,
    "https": _from_https,
    "file": _from_file,
    "synthetic": _from_rule,
}
