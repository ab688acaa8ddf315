"""What looks like a secret, or is known as one, leaves masked."""

import pytest

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
