"""What is tried again, how often and when, and which failures of the hub that is for."""

import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx2
import pytest
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, OfflineModeIsEnabled
from videomae.errors import ConversionError, PassingError
from videomae.network.hub import failures
from videomae.network.retry import LONGEST, retry_after, retrying


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds that were waited for; none in fact."""
    found: list[float] = []
    monkeypatch.setattr("time.sleep", found.append)
    return found


def attempt(errors: list[ConversionError]) -> str:
    """Fail with the next of these, then succeed."""
    if errors:
        raise errors.pop(0)
    return "done"


def test_waits_grow(waits: list[float]) -> None:
    errors: list[ConversionError] = [PassingError("busy")] * 3
    assert retrying(lambda: attempt(errors), "it", wait=5.0) == "done"
    assert waits == [5.0, 15.0, 45.0]


def test_fourth_failure_in_a_row_is_the_last(waits: list[float]) -> None:
    errors: list[ConversionError] = [PassingError("busy")] * 4
    with pytest.raises(ConversionError, match=r"^busy\. Tried 4 times; try again later$"):
        retrying(lambda: attempt(errors), "it")
    assert len(waits) == 3


def test_failure_after_progress_counts_as_the_first(waits: list[float]) -> None:
    kept = (10, 20, 20, 20, 30, 30, 10, 30)
    errors: list[ConversionError] = [PassingError("stopped", bytes_kept) for bytes_kept in kept]
    with pytest.raises(ConversionError, match=r"^stopped\. Tried 4 times; try again later$"):
        retrying(lambda: attempt(errors), "it", wait=5.0)
    assert waits == [5.0, 5.0, 15.0, 45.0, 5.0, 15.0, 45.0]


def test_lasting_refusal_is_raised_as_it_is(waits: list[float]) -> None:
    with pytest.raises(ConversionError, match=r"^no$"):
        retrying(lambda: attempt([ConversionError("no")]), "it")
    assert not waits


def test_server_may_ask_for_longer_waits_and_not_for_shorter(waits: list[float]) -> None:
    errors: list[ConversionError] = [PassingError("busy", after=after) for after in (7, 1, LONGEST)]
    assert retrying(lambda: attempt(errors), "it", wait=5.0) == "done"
    assert waits == [7.0, 15.0, LONGEST]


def test_server_that_asks_for_too_long_a_wait_is_not_asked_again(waits: list[float]) -> None:
    errors: list[ConversionError] = [PassingError("busy", after=LONGEST + 1)]
    with pytest.raises(
        ConversionError, match=r"^busy\. The server asks .* of 301 s, but the limit"
    ):
        retrying(lambda: attempt(errors), "it")
    assert not waits


def test_retry_after_is_a_number_or_a_date() -> None:
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=100), usegmt=True)
    assert retry_after({"Retry-After": "120"}) == 120
    assert 90 < retry_after({"Retry-After": date}) <= 100
    assert retry_after({"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}) == 0
    assert retry_after({"Retry-After": "soon"}) == retry_after({}) == 0


def answered(status: int) -> HfHubHTTPError:
    request = httpx2.Request("POST", "http://127.0.0.1/")
    return HfHubHTTPError("said", response=httpx2.Response(status, request=request))


def upload(cause: Exception) -> RuntimeError:
    """As the hub's client raises what an upload failed of."""
    error = RuntimeError("Error while uploading")
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    "error",
    [
        *(answered(status) for status in (408, 429, 500, 502, 503, 504)),
        httpx2.ConnectError("refused"),
        httpx2.ReadTimeout(""),
        httpx2.RemoteProtocolError("cut"),
        json.JSONDecodeError("no JSON", "<html>", 0),
        upload(answered(503)),
        upload(httpx2.WriteError("cut")),
    ],
    ids=repr,
)
def test_busy_hub_and_broken_connection_may_pass(error: Exception) -> None:
    with pytest.raises(PassingError, match=r"^busy: "), failures("refused", "busy"):
        raise error


@pytest.mark.parametrize(
    "error",
    [
        *(answered(status) for status in (400, 401, 403, 404, 409, 412)),
        httpx2.UnsupportedProtocol("no http"),
        HFValidationError("a--b"),
        OfflineModeIsEnabled("offline"),
        RuntimeError("no room"),
        upload(answered(403)),
    ],
    ids=repr,
)
def test_refusal_does_not_pass(error: Exception) -> None:
    with pytest.raises(ConversionError, match=r"^refused: ") as raised, failures("refused", "busy"):
        raise error
    assert not isinstance(raised.value, PassingError)
