"""What looks like a secret, or is known as one, leaves masked."""

from itertools import zip_longest

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from utils import redact as module
from utils.redact import masked, redact, register_secrets


@pytest.mark.parametrize(("text", "shown"), [
    ("apiKey=mx0abc&signature=ff00", "apiKey=***&signature=***"),
    ('{"secret": "abc", "n": 1}', '{"secret": "***", "n": 1}'),
    ("POST https://api.telegram.org/bot123456789:AAE-x_y/sendMessage", "POST https://api.telegram.org/bot***/sendMessage"),
    ("token 987654321:BBGzyxwvutsrqponmlkjihgfedcba98765 seen", "token *** seen"),
    ("smtp://me:pa55@mail.example.org:587", "smtp://me:***@mail.example.org:587"),
    ("price 0.00001234 of PEPEUSDT at 12:30:00", "price 0.00001234 of PEPEUSDT at 12:30:00"),
])
def test_patterns(text: str, shown: str) -> None:
    assert redact(text) == shown


def test_known_values_and_short_ones() -> None:
    register_secrets(["correct-horse", "abc"])
    assert redact("a correct-horse, abc") == "a ***, abc"


def test_masked_keys_show_little() -> None:
    assert masked("mx0vglABCDEFGH12") == "mx0…H12" and masked("short") == "***"


SECRETS = st.lists(st.text("abAB01-_", min_size=4, max_size=12), max_size=12)


@settings(max_examples=200)
@given(known=SECRETS, around=st.lists(st.text("abAB01-_ ", max_size=15), max_size=6), few=st.sampled_from([0, 200]))
def test_many_secrets_are_masked_as_few_are(known: list[str], around: list[str], few: int) -> None:
    with pytest.MonkeyPatch.context() as patched:
        for name, empty in (("_few", ()), ("_many", {}), ("FEW", few)):
            patched.setattr(module, name, empty)
        for one in known:  # one by one, as keys come
            register_secrets([one])
        text = "".join(part for pair in zip_longest(around, known, fillvalue="") for part in pair)
        expected = text
        for value in sorted({one for one in known if len(one) >= 6}, key=lambda one: (-len(one), one)):
            expected = expected.replace(value, "***")
        assert redact(text) == expected


def test_thousands_of_secrets_with_one_beginning(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, empty in (("_few", ()), ("_many", {})):
        monkeypatch.setattr(module, name, empty)
    register_secrets(f"sim-secret-of-{number:05d}" for number in range(5000))
    assert redact("a sim-secret-of-04321, sim-secret-of-99999") == "a ***, sim-secret-of-99999"
