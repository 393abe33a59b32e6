"""Turns failures of the hub's client into lasting refusals and temporary errors."""

from collections.abc import Iterator
from contextlib import contextmanager
from json import JSONDecodeError

import httpx2
from huggingface_hub import get_session
from huggingface_hub.errors import HFValidationError, OfflineModeIsEnabled
from huggingface_hub.utils import parse_ratelimit_headers  # type: ignore[attr-defined]

from videomae.errors import ConversionError, PassingError
from videomae.network.addresses import check_encrypted, redacted
from videomae.network.retry import may_pass, retry_after

# What the hub's client raises. RuntimeError is what an upload of weights ends in, whatever it was;
# where a proxy answers in the hub's place, it is not in JSON.
RAISED = (
    httpx2.HTTPError,
    RuntimeError,
    JSONDecodeError,
    HFValidationError,
    OfflineModeIsEnabled,
)
ON_THE_LINE = (httpx2.TimeoutException, httpx2.NetworkError, httpx2.RemoteProtocolError)


@contextmanager
def failures(lasting: str, passing: str) -> Iterator[None]:
    """Turn errors of the hub's client into one line that begins with these words.

    That is a `PassingError` where the hub is busy, out of order or can't be reached. Meanwhile the
    client refuses to go from https to http.
    """
    hooks = get_session().event_hooks["response"]
    if _refuse_unencrypted not in hooks:
        hooks.append(_refuse_unencrypted)
    try:
        yield
    except RAISED as error:
        cause = (isinstance(error, RuntimeError) and error.__cause__) or error
        response = getattr(cause, "response", None)
        status = 0 if response is None else response.status_code
        # The storage behind the hub is asked by signed addresses.
        said = redacted(" ".join(str(cause).split())).rstrip(".") or type(cause).__name__
        if status in (409, 412):
            raise ConversionError(
                f"{lasting}: somebody else changed the repository meanwhile; push again ({said})"
            ) from error
        if may_pass(status) or isinstance(cause, (*ON_THE_LINE, JSONDecodeError)):
            raise PassingError(f"{passing}: {said}", after=_wanted_pause(response)) from error
        raise ConversionError(f"{lasting}: {said}") from error


def _refuse_unencrypted(response: httpx2.Response) -> None:
    if response.has_redirect_location and response.url.scheme == "https":
        check_encrypted(str(response.url), response.headers["location"])


def _wanted_pause(response: httpx2.Response | None) -> float:
    """Return the pause in seconds that the hub asks for, by its own header or Retry-After."""
    if response is None:
        return 0.0
    limit = parse_ratelimit_headers(response.headers)
    if response.status_code == 429 and limit and limit.remaining == 0:
        return float(limit.reset_in_seconds)
    return retry_after(response.headers)
