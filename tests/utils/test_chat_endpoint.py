import gzip
import logging

import pytest

from tests.utils.chat_server import chat_server, drips, floods, http, says, sends, silent
from utils.chat_endpoint import ChatProblem, Endpoint, Role, chat, retry_after_s

KEY = "sk-very-secret-0123456789"
ASK: tuple[tuple[Role, str], ...] = (("system", "be short"), ("user", "hello"))


def endpoint(url: str, provider: str = "openai", **other: object) -> Endpoint:
    return Endpoint(provider, "some/model", url, KEY, **{"timeout_s": 30.0, **other})  # type: ignore[arg-type]


@pytest.mark.parametrize("provider", ["openai", "huggingface"])
async def test_openai_form_is_asked_and_read(provider: str) -> None:
    async with chat_server(says("fine")) as server:
        answer = await chat(endpoint(server.url, provider), ASK, json_only=True)
    assert (answer.text, answer.tokens_in, answer.tokens_out) == ("fine", 11, 7)
    [asked] = server.asked
    assert asked.path == "/v1/chat/completions" and asked.headers["authorization"] == f"Bearer {KEY}"
    assert asked.body["messages"] == [{"role": "system", "content": "be short"}, {"role": "user", "content": "hello"}]
    assert asked.body["response_format"] == {"type": "json_object"} and asked.body["max_tokens"] == 300


async def test_gemini_form_is_asked_and_read_with_its_key_in_a_header() -> None:
    async with chat_server(says("fine")) as server:
        answer = await chat(endpoint(server.url, "gemini"), ASK)
    assert (answer.text, answer.tokens_in, answer.tokens_out) == ("fine", 11, 7)
    [asked] = server.asked
    assert asked.path == "/v1/models/some%2Fmodel:generateContent" and asked.headers["x-goog-api-key"] == KEY
    assert asked.body["systemInstruction"] == {"parts": [{"text": "be short"}]}
    assert asked.body["contents"] == [{"role": "user", "parts": [{"text": "hello"}]}]


@pytest.mark.parametrize(("status", "kind"), [(301, "wrong request"), (400, "wrong request"), (401, "refused"),
                                              (403, "refused"), (402, "limited"), (429, "limited"), (500, "failed"),
                                              (503, "failed"), (408, "timeout")])
async def test_refusals_are_told_apart_and_keep_the_key(status: int, kind: str) -> None:
    body = f'{{"error": "key {KEY} is wrong"}}'.encode()
    raw = http(status, body, "Retry-After: 17\r\nLocation: http://127.0.0.1:9/else\r\n")
    async with chat_server(sends(raw)) as server:
        with pytest.raises(ChatProblem) as caught:
            await chat(endpoint(server.url), ASK)
    problem = caught.value
    assert (problem.kind, problem.status, problem.retry_after_s) == (kind, status, 17.0)
    assert KEY not in str(problem) and len(server.asked) == 1


@pytest.mark.parametrize("body", [b"", b"\xff\xfe", b"hello", b"[]", b"{}", b'{"choices": []}', b"null", b"[" * 60_000,
                                  b'{"choices": [{"message": {"content": null}}]}',
                                  b'{"choices": [{"message": {"content": {"a": 1}}}]}', b'{"choices": "abc"}'])
@pytest.mark.parametrize("provider", ["openai", "gemini"])
async def test_garbage_is_garbage(body: bytes, provider: str) -> None:
    async with chat_server(sends(http(200, body))) as server:
        with pytest.raises(ChatProblem) as caught:
            await chat(endpoint(server.url, provider), ASK)
    assert caught.value.kind == "garbage"


async def test_a_flood_is_cut_off() -> None:
    async with chat_server(floods) as server:
        with pytest.raises(ChatProblem, match="more than 65536 bytes"):
            await chat(endpoint(server.url), ASK)


async def test_a_compressed_answer_is_not_unpacked() -> None:
    bomb = gzip.compress(b"0" * 10_000_000)
    async with chat_server(sends(http(200, bomb, "Content-Encoding: gzip\r\n"))) as server:
        with pytest.raises(ChatProblem, match="compressed"):
            await chat(endpoint(server.url), ASK)


@pytest.mark.parametrize("slow", [silent, drips])
async def test_the_whole_answer_has_a_time(slow: object) -> None:
    async with chat_server(slow) as server:  # type: ignore[arg-type]
        with pytest.raises(ChatProblem) as caught:
            await chat(endpoint(server.url, timeout_s=0.3), ASK)
    assert caught.value.kind == "timeout"


async def test_nobody_there_and_broken_http() -> None:
    async with chat_server(sends(b"nonsense\r\n\r\n")) as server:
        with pytest.raises(ChatProblem) as caught:
            await chat(endpoint(server.url), ASK)
    assert caught.value.kind == "unreachable"
    with pytest.raises(ChatProblem) as caught:
        await chat(endpoint("http://127.0.0.1:1/v1"), ASK)
    assert caught.value.kind == "unreachable"


async def test_a_key_is_in_no_log_and_no_repr(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with chat_server(says("fine")) as server:
        await chat(endpoint(server.url), ASK)
        assert KEY not in repr(endpoint(server.url))
    assert KEY not in caplog.text


@pytest.mark.parametrize("url", ["http://example.com/v1", "ftp://x", "https://user:pw@example.com", "https://", "x",
                                 "https://example.com/?key=1", "http://[::1", "http://127.0.0.1.example.com"])
def test_addresses_that_must_not_be_used(url: str) -> None:
    with pytest.raises(ValueError, match="must|cannot"):
        endpoint(url)


def test_http_is_good_enough_without_a_key_or_on_this_machine() -> None:
    assert Endpoint("openai", "m", "http://192.168.1.5:11434/v1").base == "http://192.168.1.5:11434/v1"
    assert Endpoint("openai", "m", "http://localhost:8080/v1/", KEY).base == "http://localhost:8080/v1"
    assert Endpoint("gemini", "m").base.startswith("https://")


def test_a_key_that_would_break_a_header_is_refused() -> None:
    with pytest.raises(ValueError, match="the key holds") as caught:
        Endpoint("openai", "m", "", "abc\r\nX: 1")
    assert "abc" not in str(caught.value)


@pytest.mark.parametrize(("value", "seconds"), [("5", 5.0), ("-3", 0.0), ("1e12", 86_400.0), ("nan", None),
                                                ("soon", None), ("", None), ("Thu, 01 Jan 1970 00:00:00 GMT", 0.0)])
def test_retry_after(value: str, seconds: float | None) -> None:
    assert retry_after_s({"retry-after": value}) == seconds
