"""The strict types of the values in config.yaml, from which `models` is made.

Numbers and switches may also be text, because Snakemake passes the values inside
``--config 'config={num_frames: 8}' 'push={dry_run: true}'`` as text. Nothing else is converted.
"""

import re
from collections import Counter
from collections.abc import Callable
from typing import Annotated, Any, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
)
from pydantic_core import PydanticCustomError

from videomae.errors import ConversionError

WHOLE = re.compile(r"[+-]?[0-9]{1,18}")
DECIMAL = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
SWITCHES = {"true": True, "True": True, "false": False, "False": False}

# The errors of this module, by pydantic's `type`; `messages` words them.
EMPTY, KIND, REFUSED = "empty", "kind", "refused"

# Pydantic puts a union's tag into an error's path, though it is no key of config.yaml.
TEXT, LIST, KEYS, NUMBER = "(text)", "(list)", "(keys)", "(number)"
TAGS = frozenset({TEXT, LIST, KEYS, NUMBER})

T = TypeVar("T")


class Model(BaseModel):
    """A mapping in config.yaml: unknown keys are refused, and values can't change."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    @property
    def given(self) -> dict[str, Any]:
        """Return the keys that have a value, and their values."""
        return {name: value for name, value in self if value is not None}


def refusal(text: str) -> PydanticCustomError:
    """Return an error with exactly this text, for validators to raise."""
    return PydanticCustomError(REFUSED, "{text}", {"text": text})


def refuse_by(check: Callable[..., object], *values: Any) -> None:
    """Call a check; a `ConversionError` from it becomes an error of the model."""
    try:
        check(*values)
    except ConversionError as error:
        raise refusal(str(error)) from error


def passing(check: Callable[[Any], object]) -> AfterValidator:
    """Return a validator that refuses values for which ``check`` raises `ConversionError`."""

    def validate(value: Any) -> Any:
        refuse_by(check, value)
        return value

    return AfterValidator(validate)


def _given(value: Any) -> Any:
    if value is None:
        raise PydanticCustomError(EMPTY, "no value")
    return value


def _whole(value: Any) -> Any:
    return int(value) if isinstance(value, str) and WHOLE.fullmatch(value) else value


def _decimal(value: Any) -> Any:
    return float(value) if isinstance(value, str) and DECIMAL.fullmatch(value) else value


def _switch(value: Any) -> Any:
    return SWITCHES.get(value, value) if isinstance(value, str) else value


def _kind(value: Any) -> str:
    if isinstance(value, list):
        return LIST
    return KEYS if isinstance(value, dict | Model) else TEXT


def _number_or_list(value: Any) -> str:
    return LIST if isinstance(value, list) else NUMBER


def _one_of(kinds: str) -> Discriminator:
    return Discriminator(_kind, custom_error_type=KIND, custom_error_message=kinds)


def _unique(values: list[Any]) -> list[Any]:
    repeated = [value for value, times in Counter(values).items() if times > 1]
    if repeated:
        raise refusal(f"{repeated[0]!r} appears twice")
    return values


# A key that may be left out, but not left empty.
Maybe = Annotated[T | None, BeforeValidator(_given)]

Text = Annotated[str, Field(min_length=1)]
Switch = Annotated[bool, BeforeValidator(_switch)]
Count = Annotated[int, Field(ge=1), BeforeValidator(_whole)]
Number = Annotated[float, Field(allow_inf_nan=False), BeforeValidator(_decimal)]
Positive = Annotated[float, Field(allow_inf_nan=False, gt=0), BeforeValidator(_decimal)]
Percent = Annotated[float, Field(allow_inf_nan=False, ge=0, le=100), BeforeValidator(_decimal)]
Channels = Annotated[list[Number], Field(min_length=3, max_length=3)]
Unique = Annotated[
    list[T], Field(min_length=1, json_schema_extra={"uniqueItems": True}), AfterValidator(_unique)
]

TextOrList = Annotated[
    Annotated[Text, Tag(TEXT)] | Annotated[list[Text], Field(min_length=1), Tag(LIST)],
    _one_of("text or a list"),
]
TextOrKeys = Annotated[
    Annotated[Text, Tag(TEXT)] | Annotated[T, Tag(KEYS)],
    _one_of("text or a mapping of keys to values"),
]
NumberOrRow = Annotated[
    Annotated[Number, Tag(NUMBER)] | Annotated[list[Number], Field(min_length=1), Tag(LIST)],
    Discriminator(_number_or_list),
]
