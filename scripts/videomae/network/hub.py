"""Turns failures of the hub's client into lasting refusals and temporary errors.

The client tries most requests up to six times by itself, and each try of ours would begin that
anew. So a request that fails a second time within one try of ours ends that try. The first failure
is left to the client, which then looks into its cache.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from json import JSONDecodeError
from typing import Any

import httpx2
from huggingface_hub import get_session, hf_raise_for_status, set_client_factory
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, OfflineModeIsEnabled
from huggingface_hub.utils import parse_ratelimit_headers  # type: ignore[attr-defined]

from videomae.errors import ConversionError, PassingError
from videomae.network.addresses import check_encrypted, redacted
from videomae.network.retry import may_pass, retry_after
from videomae.network.unreachable import FROM_CACHE, UNRESOLVED, proxy_fault, unresolved


class SecondFailureError(httpx2.HTTPError):
    """A request failed for the second time within one try; the cause says how."""


# What the hub's client raises. RuntimeError is what an upload of weights ends in, whatever it was;
# where a proxy answers in the hub's place, it is not in JSON.
RAISED = (
    httpx2.HTTPError,
    RuntimeError,
    JSONDecodeError,
    HFValidationError,
    OfflineModeIsEnabled,
)
WRAPPERS = (RuntimeError, SecondFailureError)
ON_THE_LINE = (httpx2.TimeoutException, httpx2.NetworkError, httpx2.RemoteProtocolError)
FAILED: set[tuple[str, str]] = set()  # requests that failed in this try, by method and address


class Client(httpx2.Client):
    """The client of the hub's client: it ends a try at the second failure of a request."""

    def send(self, request: httpx2.Request, **options: Any) -> httpx2.Response:
        """Send a request; raises `SecondFailureError` if it failed before in this try."""
        key = request.method, str(request.url)
        again = key in FAILED
        try:
            response = super().send(request, **options)
            if may_pass(response.status_code):
                FAILED.add(key)
                if again:
                    response.read()
                    hf_raise_for_status(response)
        except (*ON_THE_LINE, HfHubHTTPError) as error:
            FAILED.add(key)
            if again:
                raise SecondFailureError(str(error)) from error
            raise
        return response


@contextmanager
def failures(lasting: str, passing: str) -> Iterator[None]:
    """Turn errors of the hub's client into one line that begins with these words.

    That is a `PassingError` where the hub is busy, out of order or can't be reached. Meanwhile the
    client refuses to go from https to http.
    """
    _use_our_client()
    FAILED.clear()
    try:
        yield
    except RAISED as error:
        cause: BaseException = error
        while isinstance(cause, WRAPPERS) and cause.__cause__:
            cause = cause.__cause__
        response = getattr(cause, "response", None)
        status = 0 if response is None else response.status_code
        # The storage behind the hub is asked by signed addresses.
        said = redacted(" ".join(str(cause).split())).rstrip(".") or type(cause).__name__
        if status in (409, 412):
            raise ConversionError(
                f"{lasting}: somebody else changed the repository meanwhile; push again ({said})"
            ) from error
        if unresolved(cause):
            raise ConversionError(f"{passing}: {UNRESOLVED} ({said}); {FROM_CACHE}") from error
        if may_pass(status) or isinstance(cause, (*ON_THE_LINE, JSONDecodeError)):
            raise PassingError(f"{passing}: {said}", after=_wanted_pause(response)) from error
        raise ConversionError(f"{lasting}: {said}") from error


@cache
def _use_our_client() -> None:
    """Have the hub's client use ours, with its own hooks; raises `ConversionError` for a proxy."""
    try:
        hooks = get_session().event_hooks
    except (ImportError, ValueError) as error:
        raise proxy_fault(error) from error
    hooks["response"].append(_refuse_unencrypted)
    set_client_factory(lambda: Client(event_hooks=hooks, follow_redirects=True, timeout=None))


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
