"""Downloads files from Google Drive by their ids, continuing earlier transfers.

gdown transfers; it has one text for every refusal, takes a page that is sent as a file for the
file, and goes on with any part it finds. So Drive is asked first what it has.
"""

import fcntl
import os
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, TextIO
from urllib.parse import urlsplit

from videomae.checkpoint import formats
from videomae.errors import ConversionError, PassingError
from videomae.file_lock import lock
from videomae.files import make_private, not_through_link, remove
from videomae.network.addresses import redacted, refuse_unencrypted
from videomae.network.retry import may_pass, retry_after
from videomae.network.unreachable import of_requests

if TYPE_CHECKING:
    from http.cookiejar import MozillaCookieJar

    import requests

TIMEOUT = 60  # seconds without a byte
PAGES = 3  # before the file itself; Drive shows one, about the missing virus scan

LOCK = "lock"  # beside the parts

SIGN_IN = "sign in with `gdown --cookies-from-browser BROWSER`"
BY_HAND = "download it with a browser and put it at {}, or give its path instead of the id"
# What gdown says, in the exception that it has for all else too, when it is sent the whole again.
FROM_THE_START = "did not honor the requested byte range"


@dataclass(frozen=True)
class Offer:
    """The size and date of a file on Drive."""

    file_id: str
    size: int | None
    date: str | None

    @property
    def name(self) -> str:
        """Return a name for parts of just this file: another file's, or an older one's, differ."""
        return sha256(repr(self).encode()).hexdigest()[:16]


def fetch(
    file_id: str, path: Path, progress: Callable[[int, int | None], None], final: Path
) -> None:
    """Download a file to a path; received bytes wait in a folder, where the next try continues.

    ``final`` is where the file is to be in the end. Raises `PassingError` for what another try may
    mend, `ConversionError` for what none does.
    """
    parts = parts_of(final)
    with _alone(parts):
        offer = ask(file_id, final)
        part = _part(parts, offer)
        if part is None or part.stat().st_size != offer.size:
            part = _transfer(offer, parts, progress)
        # A folder that runs share may be on another disk, and take no modes.
        shutil.move(part, path, copy_function=shutil.copyfile)


def parts_of(final: Path) -> Path:
    """Return the folder where what came of a file waits, found again by the next start."""
    return final.with_name(f".{final.name}.parts")


def ask(file_id: str, final: Path) -> Offer:
    """Ask Drive what it gives for an id; raises what `fetch` does where that is not the file."""
    import requests
    from gdown.download import get_url_from_gdrive_confirmation
    from gdown.exceptions import FileURLRetrievalError

    url = f"https://drive.google.com/uc?id={file_id}"
    with requests.Session() as session:
        session.hooks["response"] = [refuse_unencrypted]
        session.cookies.update(_cookies())
        # Sizes are to be those on the disk, and some pages depend on the browser.
        session.headers.update({"Accept-Encoding": "identity", "User-Agent": "Mozilla/5.0"})
        try:
            for _ in range(PAGES):
                with session.get(url, stream=True, timeout=TIMEOUT) as response:
                    if response.ok and not _is_page(response):
                        size = response.headers.get("Content-Length", "")
                        date = response.headers.get("Last-Modified")
                        return Offer(file_id, int(size) if size.isdecimal() else None, date)
                    page = response.text if _is_page(response) else ""
                    try:
                        url = get_url_from_gdrive_confirmation(page)
                    except FileURLRetrievalError:
                        break
        except (requests.RequestException, ValueError) as error:  # the latter for a proxy
            raise of_requests(f"Google Drive can't be reached for file {file_id}", error) from error
    raise refusal(file_id, response, page, BY_HAND.format(final))


def refusal(
    file_id: str, response: "requests.Response", page: str, by_hand: str
) -> ConversionError:
    """Return the error for an answer that is not the file, with the matching remedies."""
    status = response.status_code
    title = formats.title(page)
    sent = f"a web page ({title!r})" if title else "a web page" if page else f"status {status}"
    sent = f"Google Drive sent {sent} for file {file_id}"
    if re.search(r"quota|too many users", page, re.IGNORECASE):
        return ConversionError(
            f"{sent}: the download quota of this file is used up. Wait a day, {SIGN_IN}, or "
            f"{by_hand}"
        )
    if status in (404, 410):
        return ConversionError(
            f"{sent}: the file does not exist (status {status}). Correct the id, or {by_hand}"
        )
    # Without a permission Drive sends one to Google's page for signing in.
    signing_in = urlsplit(response.url).hostname == "accounts.google.com"
    if status in (401, 403) or signing_in or re.search(r"sign.?in", title or "", re.IGNORECASE):
        return ConversionError(
            f"{sent}: the file is not public. Ask its owner to share it with anyone who has the "
            f"link, {SIGN_IN} as a user who may read it, or {by_hand}"
        )
    if may_pass(status):
        return PassingError(
            f"{sent}: the service is overloaded or out of order (status {status})",
            after=retry_after(response.headers),
        )
    return ConversionError(f"{sent} instead of the file. {SIGN_IN.capitalize()}, or {by_hand}")


def _is_page(response: "requests.Response") -> bool:
    # Whatever Content-Disposition says, by which alone gdown goes: no checkpoint is HTML.
    return response.headers.get("Content-Type", "").startswith("text/html")


def _cookies() -> "MozillaCookieJar":
    """Return those that gdown sends, so that both are answered alike."""
    from http.cookiejar import MozillaCookieJar

    from gdown.download import DEFAULT_COOKIES_FILE

    jar = MozillaCookieJar(DEFAULT_COOKIES_FILE)
    with suppress(OSError):
        jar.load(ignore_discard=True, ignore_expires=True)
    for cookie in jar:
        if cookie.expires == 0:  # how browsers' exports write one that lasts for the session
            cookie.expires = None
    return jar


def _transfer(offer: Offer, parts: Path, progress: Callable[[int, int | None], None]) -> Path:
    """Transfer the file or the rest of it with gdown; return its path."""
    import gdown
    import requests

    whole = parts / offer.name
    try:
        gdown.download(
            id=offer.file_id,
            output=str(whole),
            quiet=True,
            use_cookies=True,
            timeout=TIMEOUT,
            resume=True,
            progress=progress,
        )
    except (requests.RequestException, gdown.exceptions.DownloadError) as error:
        part = _part(parts, offer)
        if part and FROM_THE_START in str(error):
            part.unlink()
            raise PassingError(
                f"Google Drive does not send the rest of file {offer.file_id} alone; the next try "
                "starts from the beginning"
            ) from error
        kept = part.stat().st_size if part else 0
        said = redacted(str(error)).split(".\n")[
            0
        ]  # what follows tells of an option of gdown's own
        raise PassingError(
            f"the transfer of {offer.file_id} from Google Drive stopped: {' '.join(said.split())}"
            + (f" ({kept:,} bytes are in {parts} for the next start)" if kept else ""),
            kept,
        ) from error
    return whole


def _part(parts: Path, offer: Offer) -> Path | None:
    """Return the received part of a file, and remove all others: gdown refuses to choose.

    It would write through a link to a file elsewhere.
    """
    for file in parts.iterdir():
        if file.is_symlink() or not file.is_file():
            remove(file)
    found = sorted(
        (file for file in parts.iterdir() if file.name != LOCK),
        key=lambda file: (file.name.startswith(offer.name), file.stat().st_size),
    )
    part = found.pop() if found else None
    if part and (
        not part.name.startswith(offer.name)
        # Without a size nothing tells whether it is whole, and of a whole one gdown asks for more.
        or offer.size is None
        or not 0 < part.stat().st_size <= offer.size
    ):
        found.append(part)
        part = None
    for file in found:
        file.unlink()
    return part


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Make a folder that no other process uses meanwhile; it goes when nothing is left in it."""
    with _locked(folder) as held:
        try:
            yield
        finally:
            if [file.name for file in folder.iterdir()] == [LOCK]:
                Path(held.name).unlink()
                with suppress(OSError):  # another process has just made its lock in it
                    folder.rmdir()


def _locked(folder: Path) -> TextIO:
    """Open a folder's lock when no other process has it; the kernel frees it however one ends."""
    while True:
        try:
            make_private(folder)
            file = open(folder / LOCK, "w", opener=not_through_link)  # noqa: SIM115
        except FileNotFoundError:  # a process that has just ended took the folder away
            continue
        try:
            lock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"waiting for another process that downloads to {folder}", file=sys.stderr)
            lock(file, fcntl.LOCK_EX)
        if os.fstat(file.fileno()).st_nlink:
            return file
        file.close()  # it was taken away while this waited
