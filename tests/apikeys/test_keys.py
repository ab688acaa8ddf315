"""Keys as they are written, kept and told apart; answers as they are understood."""

import pytest
from pydantic import SecretStr, ValidationError

from modules.apikeys.keyring import FILE, KeyFile, KeyringError, merged, parse, vault_place
from modules.apikeys.outcome import Verdict, budget_left, outcome, verdict_of
from modules.apikeys.profiles import PROFILES
from modules.apikeys.settings import ApiKeySettings
from utils.paths import Paths
from utils.redact import redact
from utils.vault import add_key

OPENAI, REDDIT = PROFILES["openai"], PROFILES["reddit"]
NOW = 1_700_000_000_000


def test_owners_keys_and_parts() -> None:
    assert [(key.owner, key.parts) for key in parse(OPENAI, " a=sk-one-1234567, a=sk-two-1234567 ,")] == [
        ("a", ("sk-one-1234567",)), ("a", ("sk-two-1234567",))]
    assert parse(REDDIT, "main=id:se-cret")[0].parts == ("id", "se-cret")


def test_a_key_without_an_owner_owns_itself_and_its_name_tells_nothing() -> None:
    one, two = parse(OPENAI, "sk-one-1234567,sk-two-1234567")
    assert one.owner != two.owner and "sk-one" not in one.owner


def test_an_equals_sign_within_a_long_token_is_no_owner() -> None:
    token = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAA=bbbb"
    assert parse(PROFILES["twitter"], token)[0].secret == token


@pytest.mark.parametrize("provider, text, says", [
    ("reddit", "main=only-one-part", "1 part"), ("openai", "a=sk-o ne", "letter"), ("openai", "a=sk-ä", "letter"),
    ("openai", "x" * 5000, "longer"), ("openai", "a=sk-same-123456,b=sk-same-123456", "twice"),
    ("binance", "a=key:", "part"),
])
def test_what_is_no_key_is_refused_without_repeating_it(provider: str, text: str, says: str) -> None:
    with pytest.raises(KeyringError, match=says) as problem:
        parse(PROFILES[provider], text)
    assert text.split("=")[-1] not in str(problem.value)
    with pytest.raises(ValidationError):
        ApiKeySettings(**{provider: SecretStr(text)})


def test_a_key_is_masked_in_repr_and_logs() -> None:
    key = parse(OPENAI, "a=sk-one-secret-1234")[0]
    assert "secret" not in repr(key) and redact("it was sk-one-secret-1234") == "it was ***"


@pytest.mark.parametrize("limits", [("gemini",), ("nobody rpm=1",), ("gemini rpm=-1",), ("gemini rpm=1;rpd=2",)])
def test_limits_that_cannot_be_read_are_refused(limits: tuple[str, ...]) -> None:
    with pytest.raises(ValidationError, match="limits"):
        ApiKeySettings(limits=limits)


def test_limits_add_to_those_of_the_provider() -> None:
    found = ApiKeySettings(limits=("gemini rpm=5 usd=0.5",)).limits_of("gemini")
    assert (found.rpm, found.rpd, found.usd) == (5, PROFILES["gemini"].rpd, 0.5)


def test_the_file_keeps_keys_encrypted(tmp_path: object) -> None:
    paths = Paths(tmp_path).prepare()  # type: ignore[arg-type]
    file = KeyFile(paths)
    file.add("openai", "a=sk-one-secret-1234")
    file.add("openai", "b=sk-two-secret-1234")
    assert b"secret" not in (paths.config / FILE).read_bytes()
    assert [key.owner for key in merged({}, file.load())["openai"]] == ["a", "b"]
    with pytest.raises(KeyringError, match="twice"):
        file.add("openai", "c=sk-one-secret-1234")
    add_key(vault_place(paths))
    file.renew()
    assert file.remove("openai", "a") == 1 and file.remove("openai", "a") == 0
    assert [key.owner for key in merged({}, file.load())["openai"]] == ["b"]


@pytest.mark.parametrize("status, code, verdict", [
    (200, "", Verdict.OK), (404, "", Verdict.OK), (400, "", Verdict.OK), (429, "", Verdict.LIMITED),
    (418, "", Verdict.LIMITED), (429, "insufficient_quota", Verdict.EXHAUSTED), (402, "", Verdict.EXHAUSTED),
    (401, "", Verdict.REFUSED), (403, "", Verdict.FORBIDDEN), (500, "", Verdict.FAILED), (503, "", Verdict.FAILED),
    (408, "", Verdict.FAILED), (0, "", Verdict.FAILED),
])
def test_answers_are_told_apart(status: int, code: str, verdict: Verdict) -> None:
    assert verdict_of(status, code) is verdict


@pytest.mark.parametrize("provider, headers, left, reset_s", [
    ("openai", {"x-ratelimit-remaining-requests": "59", "x-ratelimit-reset-requests": "1s",
                "x-ratelimit-remaining-tokens": "3", "x-ratelimit-reset-tokens": "6m0.5s"}, 3.0, 360.5),
    ("twitter", {"x-rate-limit-remaining": "0", "x-rate-limit-reset": str(NOW // 1000 + 60)}, 0.0, 60.0),
    ("reddit", {"x-ratelimit-remaining": "12.0", "x-ratelimit-reset": "300"}, 12.0, 300.0),
    ("bybit", {"x-bapi-limit-status": "5", "x-bapi-limit-reset-timestamp": str(NOW + 500)}, 5.0, 0.5),
    ("gemini", {}, None, 0.0),
    ("openai", {"x-ratelimit-remaining-requests": "nan", "x-ratelimit-reset-requests": "1s"}, None, 0.0),
    ("openai", {"x-ratelimit-remaining-requests": "1", "x-ratelimit-reset-requests": "soon"}, None, 0.0),
    ("reddit", {"x-ratelimit-remaining": "1", "x-ratelimit-reset": "-5"}, None, 0.0),
    ("reddit", {"x-ratelimit-remaining": "1", "x-ratelimit-reset": "1e99"}, 1.0, 7 * 86_400.0),
])
def test_header_budgets(provider: str, headers: dict[str, str], left: float | None, reset_s: float) -> None:
    found = budget_left(PROFILES[provider].budgets, headers, NOW)
    assert found == (left, pytest.approx(reset_s))


def test_a_refusal_without_a_time_rests_until_its_budget_begins_anew() -> None:
    headers = {"x-rate-limit-remaining": "0", "x-rate-limit-reset": str(NOW // 1000 + 60)}
    assert outcome(PROFILES["twitter"], 429, headers, NOW).rest_s == 60
    assert outcome(PROFILES["twitter"], 429, headers, NOW, retry_after_s=5).rest_s == 5
    assert outcome(PROFILES["twitter"], 429, {}, NOW, retry_after_s=float("nan")).rest_s is None
