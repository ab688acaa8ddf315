"""A Bot API server of the tests' own, as strict as the real one where it matters to us.

It runs in a thread of its own on a free port, so that it serves tests of the front (same process) and of the whole
program (another process) alike::

    with BotApiServer(token="123456:TEST") as api:          # api.base goes into TELEGRAM_API_BASE
        api.say(OWNER, "/ping")                             # a user writes
        api.wait(lambda: api.texts(OWNER) == ["pong"])      # what the bot sent
        api.press(OWNER, "Yes")                             # a user presses the newest button with that label
        api.fail("sendMessage", 429, retry_after=2)         # the next call is answered so

What it checks, and answers 400 to as Telegram does: HTML entities and tags, empty text, more than 4096 characters
(caption 1024), buttons' data over 64 bytes, a chat whose user never wrote, "message is not modified", parameters
that the method does not have. Forms are taken urlencoded and as multipart (``attach://``).
"""

import asyncio
import json
import re
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

from aiohttp import web

PARAMETERS = {
    "getMe": set(),
    "getFile": {"file_id"},
    "deleteWebhook": {"drop_pending_updates"},
    "setMyCommands": {"commands", "scope", "language_code"},
    "getUpdates": {"offset", "limit", "timeout", "allowed_updates"},
    "sendMessage": {"chat_id", "text", "parse_mode", "reply_markup", "disable_notification"},
    "sendPhoto": {"chat_id", "photo", "caption", "parse_mode", "reply_markup", "disable_notification"},
    "editMessageText": {"chat_id", "message_id", "text", "parse_mode", "reply_markup"},
    "editMessageReplyMarkup": {"chat_id", "message_id", "reply_markup"},
    "answerCallbackQuery": {"callback_query_id", "text", "show_alert"},
}
TAGS = {"b", "strong", "i", "em", "u", "ins", "s", "strike", "del", "code", "pre", "a", "tg-spoiler", "blockquote"}
NOW = time.time


class BadRequest(Exception):
    """Answered with 400 and this description."""


@dataclass
class Sent:
    """One message as the person sees it. `edits` counts how often it was changed."""

    id: int
    chat: int
    text: str
    buttons: list[tuple[str, str]] = field(default_factory=list)
    photo: bytes = b""
    edits: int = 0
    quiet: bool = False


@dataclass
class Failure:
    """How a call is answered instead of done. `drop`: the connection is cut; `after`: only once it was done."""

    status: int
    description: str
    retry_after: int = 0
    drop: bool = False
    after: bool = False
    body: str = ""


class Plain(HTMLParser):
    """Telegram's HTML: known tags, properly nested, known entities; gives the text without them."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.text = ""
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in TAGS:
            raise BadRequest(f"can't parse entities: Unsupported start tag \"{tag}\" at byte offset {self.getpos()[1]}")
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open[-1] != tag:
            raise BadRequest(f"can't parse entities: Unmatched end tag at byte offset {self.getpos()[1]}, "
                             f"expected \"</{self.open[-1] if self.open else ''}>\", found \"</{tag}>\"")
        self.open.pop()

    def handle_data(self, data: str) -> None:
        self.text += data


def parsed(text: str, mode: str) -> str:
    """The text that people see. Raises BadRequest as Telegram words it."""
    if not mode:
        return text
    if mode != "HTML":
        raise BadRequest("unsupported parse_mode")
    for entity in re.findall(r"&([a-zA-Z]+);", text):
        if entity not in ("lt", "gt", "amp", "quot"):
            raise BadRequest(f"can't parse entities: unknown entity {entity}")
    if re.search(r"<(?![/a-zA-Z])", text):
        raise BadRequest("can't parse entities: Unsupported start tag \"\" at byte offset 0")
    reader = Plain()
    reader.feed(text)
    reader.close()
    if reader.open:
        raise BadRequest(f"can't parse entities: Can't find end tag corresponding to start tag \"{reader.open[-1]}\"")
    return reader.text


class BotApiServer:
    """See the module's text."""

    def __init__(self, token: str = "123456:TEST-TOKEN-OF-THE-TESTS-ONLY-000000",
                 name: str = "CoxswainTestBot") -> None:
        self.token = token
        self.name = name
        self.sent: list[Sent] = []
        self.calls: list[tuple[str, dict[str, str]]] = []
        self.called_at: dict[str, list[float]] = defaultdict(list)
        self.menus: dict[int, list[str]] = {}
        self.answered: list[str] = []
        self.known: set[int] = set()
        self.blocked: set[int] = set()
        self.webhook = False
        self.polls = 0
        self.files: dict[str, bytes] = {}
        self.fetched: list[str] = []
        self._updates: dict[int, dict[str, Any]] = {}
        self._next = 1000
        self._messages = 0
        self._failures: dict[str, list[Failure]] = defaultdict(list)
        self._loop = asyncio.new_event_loop()
        self._wake = asyncio.Event()
        self._port = 0
        self._started = threading.Event()
        self._runner: web.AppRunner | None = None
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="bot api", daemon=True)

    # -- life

    def __enter__(self) -> "BotApiServer":
        self._thread.start()
        assert self._started.wait(60)
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(60)
        self._loop.close()

    @property
    def base(self) -> str:
        """For TELEGRAM_API_BASE."""
        return f"http://127.0.0.1:{self._port}"

    # -- what people do

    def say(self, user: int, text: str, *, age_s: float = 0.0, chat: int | None = None,
            number: int | None = None) -> int:
        """A user writes; returns the update's id. `chat`: another chat than the private one."""
        self.known.add(user)
        return self._post({"message": self._message(user, chat if chat is not None else user, text, age_s)}, number)

    def send_file(self, user: int, caption: str, content: bytes, *, size: int | None = -1) -> int:
        """A user sends a document. `size`: what Telegram says of it (-1: the truth, None: nothing)."""
        self.known.add(user)
        file_id = f"file{len(self.files)}"
        self.files[file_id] = content
        message = self._message(user, user, "", 0.0)
        del message["text"]
        document: dict[str, Any] = {"file_id": file_id, "file_unique_id": file_id, "file_name": "flows.json"}
        if size is not None:
            document["file_size"] = len(content) if size < 0 else size
        return self._post({"message": {**message, "caption": caption, "document": document}})

    def press(self, user: int, label: str, message: Sent | None = None) -> int:
        """A user presses the button `label` of `message`, or of the newest message that has it."""
        found = message or next(m for m in reversed(self.sent) if label in [name for name, _ in m.buttons])
        data = dict(found.buttons)[label]
        return self.press_data(user, data, found)

    def press_data(self, user: int, data: str, message: Sent) -> int:
        """A press with any data, also forged."""
        return self._post({"callback_query": {
            "id": f"cb{self._next}", "from": self._user(user), "chat_instance": "1", "data": data,
            "message": {**self._message(user, message.chat, message.text, 0.0), "message_id": message.id}}})

    def raw(self, update: dict[str, Any]) -> int:
        """Any update, also one that no client understands."""
        return self._post(update)

    # -- what the network and Telegram do

    def fail(self, method: str, status: int = 500, description: str = "Internal Server Error", *, times: int = 1,
             retry_after: int = 0, drop: bool = False, after: bool = False, body: str = "") -> None:
        """Answer the next `times` calls of a method so (see Failure)."""
        self._failures[method] += [Failure(status, description, retry_after, drop, after, body) for _ in range(times)]

    def heal(self) -> None:
        """No more failures."""
        self._failures.clear()

    # -- what the tests look at

    def texts(self, chat: int) -> list[str]:
        """Texts of a chat, oldest first, as people see them."""
        return [message.text for message in list(self.sent) if message.chat == chat]

    def last(self, chat: int) -> Sent:
        """The newest message of a chat."""
        return [message for message in list(self.sent) if message.chat == chat][-1]

    def wait(self, condition: Callable[[], Any], what: str = "", patience_s: float = 20.0) -> Any:
        """The first true answer of `condition` (for tests without a loop)."""
        end = time.monotonic() + patience_s
        while time.monotonic() < end:
            found = condition()
            if found:
                return found
            time.sleep(0.01)
        raise AssertionError(f"not within {patience_s:.0f} s: {what or condition}; sent: {[m.text for m in self.sent]}")

    async def until(self, condition: Callable[[], Any], what: str = "", patience_s: float = 20.0) -> Any:
        """The same for tests with a loop."""
        return await asyncio.to_thread(self.wait, condition, what, patience_s)

    # -- the server

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._start())
        self._started.set()
        self._loop.run_forever()

    async def _start(self) -> None:
        app = web.Application(client_max_size=20_000_000)
        app.router.add_route("*", "/bot{token}/{method}", self._serve)
        app.router.add_get("/file/bot{token}/{path:.*}", self._fetch)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self._port = self._runner.addresses[0][1]

    async def _stop(self) -> None:
        self._stopping = True
        self._wake.set()
        if self._runner is not None:
            await self._runner.cleanup()
        left = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        method = request.match_info["method"]
        form = await self._form(request)
        self.called_at[method].append(time.monotonic())
        self.calls.append((method, {key: value for key, value in form.items() if isinstance(value, str)}))
        if request.match_info["token"] != self.token:
            return _refusal(401, "Unauthorized")
        failure = self._failures[method].pop(0) if self._failures[method] else None
        if failure is not None and not failure.after:
            return self._failed(failure, request)
        try:
            result = await self._do(method, form)
        except BadRequest as problem:
            return _refusal(400, f"Bad Request: {problem}")
        except PermissionError as problem:
            return _refusal(403, f"Forbidden: {problem}")
        if failure is not None:
            return self._failed(failure, request)
        if isinstance(result, web.Response):
            return result
        return web.json_response({"ok": True, "result": result})

    def _failed(self, failure: Failure, request: web.Request) -> web.Response:
        if failure.drop:
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        if failure.body:
            return web.Response(status=failure.status, text=failure.body, content_type="text/html")
        return _refusal(failure.status, failure.description, failure.retry_after)

    @staticmethod
    async def _form(request: web.Request) -> dict[str, Any]:
        found: dict[str, Any] = dict(request.query)
        for key, value in (await request.post()).items():
            assert isinstance(value, str | web.FileField)
            found[key] = value if isinstance(value, str) else value.file.read()
        return found

    async def _do(self, method: str, form: dict[str, Any]) -> Any:
        if method not in PARAMETERS:
            raise BadRequest(f"method {method} is not known to this server")
        files = {str(value).removeprefix("attach://") for value in form.values() if str(value).startswith("attach://")}
        extra = set(form) - PARAMETERS[method] - files
        if extra:
            raise BadRequest(f"{method} has no parameter {', '.join(sorted(extra))}")
        handler = getattr(self, f"_{method}")
        return await handler(form)

    async def _getMe(self, form: dict[str, Any]) -> Any:
        return {"id": 1, "is_bot": True, "first_name": "Coxswain", "username": self.name}

    async def _getFile(self, form: dict[str, Any]) -> Any:
        if form["file_id"] not in self.files:
            raise BadRequest("wrong file_id or the file is temporarily unavailable")
        return {"file_id": form["file_id"], "file_unique_id": "x", "file_path": f"documents/{form['file_id']}.json"}

    async def _fetch(self, request: web.Request) -> web.Response:
        name = request.match_info["path"].removeprefix("documents/").removesuffix(".json")
        if request.match_info["token"] != self.token or name not in self.files:
            return web.Response(status=404)
        self.fetched.append(name)
        failure = self._failures["file"].pop(0) if self._failures["file"] else None
        return web.Response(body=self.files[name]) if failure is None else self._failed(failure, request)

    async def _deleteWebhook(self, form: dict[str, Any]) -> Any:
        self.webhook = False
        return True

    async def _setMyCommands(self, form: dict[str, Any]) -> Any:
        commands = json.loads(form["commands"])
        if not 0 < len(commands) <= 100:
            raise BadRequest("BOT_COMMANDS_TOO_MUCH")
        for command in commands:
            if not re.fullmatch(r"[a-z0-9_]{1,32}", command["command"]):
                raise BadRequest("BOT_COMMAND_INVALID")
            if not 1 <= len(command["description"]) <= 256:
                raise BadRequest("BOT_COMMAND_DESCRIPTION_INVALID")
        chat = int(json.loads(form["scope"])["chat_id"]) if "scope" in form else 0
        if chat and chat not in self.known:
            raise BadRequest("chat not found")
        self.menus[chat] = [command["command"] for command in commands]
        return True

    async def _getUpdates(self, form: dict[str, Any]) -> Any:
        self.polls += 1
        if self.webhook:
            return _refusal(409, "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook")
        offset = int(form.get("offset", 0))
        for number in [number for number in self._updates if number < offset]:
            del self._updates[number]
        deadline = self._loop.time() + int(form.get("timeout", 0))
        while not self._updates and not self._stopping and self._loop.time() < deadline:
            self._wake.clear()
            try:
                async with asyncio.timeout(min(0.5, deadline - self._loop.time())):
                    await self._wake.wait()
            except TimeoutError:
                continue
        return list(self._updates.values())

    async def _sendMessage(self, form: dict[str, Any]) -> Any:
        chat = self._chat(form)
        return self._keep(chat, self._text(form, "text", 4096), form)

    async def _sendPhoto(self, form: dict[str, Any]) -> Any:
        chat = self._chat(form)
        photo = form.get(str(form.get("photo", "")).removeprefix("attach://"), b"")
        if not isinstance(photo, bytes) or not photo.startswith((b"\x89PNG", b"\xff\xd8")):
            raise BadRequest("IMAGE_PROCESS_FAILED")
        caption = self._text(form, "caption", 1024) if form.get("caption") else ""
        return self._keep(chat, caption, form, photo)

    async def _editMessageText(self, form: dict[str, Any]) -> Any:
        message = self._found(form)
        text, buttons = self._text(form, "text", 4096), _buttons(form)
        if (text, buttons) == (message.text, message.buttons):
            raise BadRequest("message is not modified: specified new message content and reply markup are exactly the "
                             "same as a current content and reply markup of the message")
        message.text, message.buttons, message.edits = text, buttons, message.edits + 1
        return self._shown(message)

    async def _editMessageReplyMarkup(self, form: dict[str, Any]) -> Any:
        message = self._found(form)
        message.buttons, message.edits = _buttons(form), message.edits + 1
        return self._shown(message)

    async def _answerCallbackQuery(self, form: dict[str, Any]) -> Any:
        self.answered.append(form["callback_query_id"])
        return True

    # -- pieces

    def _chat(self, form: dict[str, Any]) -> int:
        chat = int(form["chat_id"])
        if chat in self.blocked:
            raise PermissionError("bot was blocked by the user")
        if chat not in self.known:
            raise BadRequest("chat not found")
        return chat

    @staticmethod
    def _text(form: dict[str, Any], name: str, limit: int) -> str:
        shown = parsed(str(form.get(name, "")), str(form.get("parse_mode", ""))).strip()
        if not shown:
            raise BadRequest("message text is empty")
        if len(shown) > limit:
            raise BadRequest("message is too long" if name == "text" else "message caption is too long")
        return shown

    def _keep(self, chat: int, text: str, form: dict[str, Any], photo: bytes = b"") -> dict[str, Any]:
        self._messages += 1
        message = Sent(self._messages, chat, text, _buttons(form), photo, quiet="disable_notification" in form)
        self.sent.append(message)
        return self._shown(message)

    def _found(self, form: dict[str, Any]) -> Sent:
        for message in self.sent:
            if message.id == int(form["message_id"]) and message.chat == int(form["chat_id"]):
                return message
        raise BadRequest("message to edit not found")

    def _shown(self, message: Sent) -> dict[str, Any]:
        return {"message_id": message.id, "date": int(NOW()), "text": message.text,
                "chat": {"id": message.chat, "type": "private", "first_name": "T"},
                "from": {"id": 1, "is_bot": True, "first_name": "Coxswain"}}

    def _message(self, user: int, chat: int, text: str, age_s: float) -> dict[str, Any]:
        self._messages += 1
        return {"message_id": self._messages, "date": int(NOW() - age_s), "text": text, "from": self._user(user),
                "chat": {"id": chat, "type": "private" if chat == user else "group", "first_name": "T"}}

    @staticmethod
    def _user(user: int) -> dict[str, Any]:
        return {"id": user, "is_bot": False, "first_name": f"User{user}"}

    def _post(self, update: dict[str, Any], number: int | None = None) -> int:
        if number is None:
            number, self._next = self._next, self._next + 1
        update = {"update_id": number, **update}

        def add() -> None:
            self._updates[number] = update
            self._wake.set()

        self._loop.call_soon_threadsafe(add)
        return number


def _buttons(form: dict[str, Any]) -> list[tuple[str, str]]:
    if not form.get("reply_markup"):
        return []
    found = [(key["text"], key["callback_data"]) for row in json.loads(form["reply_markup"])["inline_keyboard"]
             for key in row]
    for label, data in found:
        if not label or not 1 <= len(data.encode()) <= 64:
            raise BadRequest("BUTTON_DATA_INVALID")
    return found


def _refusal(status: int, description: str, retry_after: int = 0) -> web.Response:
    body: dict[str, Any] = {"ok": False, "error_code": status, "description": description}
    if retry_after:
        body["parameters"] = {"retry_after": retry_after}
    return web.json_response(body, status=status)
