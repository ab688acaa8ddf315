"""Pydantic's errors in words for a person."""

from decimal import Decimal
from typing import Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from utils.mistakes import wrong


class Sample(BaseModel):
    """One field of each kind that settings have."""

    model_config = ConfigDict(extra="forbid")
    whole: int = Field(1, ge=1, le=9)
    figure: float = Field(1.0, gt=0, lt=50, allow_inf_nan=False)
    money: Decimal = Decimal(1)
    on: bool = True
    name: Literal["simulated", "mexc"] = "mexc"
    own: str = ""

    @field_validator("own")
    @classmethod
    def _own(cls, value: str) -> str:
        if value == "no":
            raise ValueError("no is no name")
        return value


@pytest.mark.parametrize(("given", "words"), [
    ({"whole": "abc"}, "must be a whole number"), ({"whole": 1.5}, "must be a whole number"),
    ({"whole": 0}, "must be at least 1"), ({"whole": 10}, "must be at most 9"),
    ({"figure": "x"}, "must be a number"), ({"figure": 0}, "must be greater than 0"),
    ({"figure": 50}, "must be less than 50"), ({"figure": "nan"}, "must be a finite number"),
    ({"money": "x"}, "must be a number"), ({"on": "maybe"}, "must be true or false"),
    ({"name": "mexx"}, "must be 'simulated' or 'mexc'"), ({"own": 3}, "must be text"),
    ({"own": "no"}, "no is no name"), ({"more": 1}, "is not known here"),
])
def test_words(given: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Sample.model_validate(given)
    [error] = caught.value.errors(include_url=False)
    assert wrong(error) == words


def test_without_its_context_it_is_as_pydantic_says() -> None:
    assert wrong({"type": "greater_than", "msg": "Input should be greater than 0"}) == "Input should be greater than 0"
