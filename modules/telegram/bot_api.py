"""The Bot API through aiogram, with its failures as types of ours: what to wait for, what was refused, what is over.

Only this file imports aiogram (loaded lightly before, aiogram_lite): with a token set, never for the console.
aiogram's own polling is not used: it ignores ``retry_after`` on getUpdates and retries a wrong token or a second
poller for ever.
"""

import asyncio
import logging
from collections.abc import Awaitable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from aiogram import Bot
from aiogram import exceptions as api
from aiogram.client.session.aiohttp import AiohttpSession
from aiogram.client.telegram import TelegramAPIServer
from aiogram.types import (
    BotCommand,
    BotCommandScopeChat,
    CallbackQuery,
    FSInputFile,
    InlineKeyboardButton,
    InlineKeyboardMarkup,
    Message,
    Update,
)
from aiohttp import ClientError
from pydantic import ValidationError

from modules.telegram.command import Button
from modules.telegram.sending import Busy, Refused, Trouble, WrongToken
from utils.redact import redact

log = logging.getLogger(__name__)
T = TypeVar("T")
Rows = tuple[tuple[Button, ...], ...]
_FETCH_S = 30


class SecondPoller(Exception):
    """409: another program polls with this token, or a webhook is set (`webhook`)."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.webhook = "webhook" in text.lower()


@dataclass(frozen=True, slots=True)
class Attached:
    """A document of a message, not fetched yet. `size`: bytes as Telegram says, None where it does not."""

    id: str
    size: int | None


@dataclass(frozen=True, slots=True)
class Incoming:
    """One update, reduced to what we act on. `press` is a button's data; `sent_at` Telegram's clock, seconds."""

    id: int
    user: int
    chat: int
    name: str
    text: str
    sent_at: int
    press: str = ""
    callback: str = ""
    message: int = 0
    file: Attached | None = None


class BotApi:
    """The methods that we use. Every one raises Busy, Refused, Trouble or WrongToken, nothing else."""

    def __init__(self, token: str, base: str) -> None:
        server = TelegramAPIServer.from_base(base.rstrip("/"))
        self._bot = Bot(token, session=AiohttpSession(api=server))

    async def me(self) -> str:
        """Our own user name."""
        return (await _told(self._bot.get_me(request_timeout=20))).username or ""

    async def drop_webhook(self) -> None:
        """Remove a webhook, keeping the updates that wait."""
        await _told(self._bot.delete_webhook(drop_pending_updates=False))

    async def menu(self, chat: int, commands: Sequence[tuple[str, str]]) -> None:
        """The commands that the user of a private chat is offered."""
        await _told(self._bot.set_my_commands([BotCommand(command=name, description=text) for name, text in commands],
                                              scope=BotCommandScopeChat(chat_id=chat)))

    async def updates(self, offset: int | None, timeout_s: int) -> tuple[list[Incoming], int | None]:
        """One long poll: what came, and the highest update id seen (also of what is no concern of ours).

        Raises SecondPoller as well.
        """
        try:
            found = await _told(self._bot.get_updates(offset=offset, timeout=timeout_s, request_timeout=timeout_s + 15,
                                                      allowed_updates=["callback_query", "message"]))
        except _Unreadable as problem:
            found = problem.readable
            ids = problem.ids
        else:
            ids = [update.update_id for update in found]
        return [item for update in found if (item := _incoming(update)) is not None], max(ids, default=None)

    async def text(self, chat: int, text: str, html: bool, rows: Rows = (), quiet: bool = False) -> int | None:
        """Send a message; its number, by which it can be edited."""
        sent = await _told(self._bot.send_message(chat, text, parse_mode="HTML" if html else None,
                                                  reply_markup=_keys(rows), disable_notification=quiet or None))
        return getattr(sent, "message_id", None)

    async def photo(self, chat: int, picture: Path, caption: str, html: bool, rows: Rows = ()) -> None:
        """Send a picture."""
        await _told(self._bot.send_photo(chat, FSInputFile(picture), caption=caption or None, reply_markup=_keys(rows),
                                         parse_mode="HTML" if html else None, request_timeout=60))

    async def edit(self, chat: int, message: int, text: str, html: bool, rows: Rows = ()) -> None:
        """Replace a message's text and buttons."""
        await _told(self._bot.edit_message_text(text, chat_id=chat, message_id=message, reply_markup=_keys(rows),
                                                parse_mode="HTML" if html else None))

    async def strip(self, chat: int, message: int) -> None:
        """Take a message's buttons away."""
        await _told(self._bot.edit_message_reply_markup(chat_id=chat, message_id=message, reply_markup=None))

    async def pressed(self, callback: str) -> None:
        """Tell Telegram that a button's press has arrived (its clock stops turning)."""
        await _told(self._bot.answer_callback_query(callback))

    async def download(self, file: Attached, most: int) -> bytes:
        """A document's bytes, at most `most` and one more (so that a larger one shows). The address holds the token:
        no exception tells it."""
        found = await _told(self._bot.get_file(file.id))
        if not found.file_path:
            raise Refused("Telegram gives no file for it", False)
        url = self._bot.session.api.file_url(self._bot.token, found.file_path)
        parts: list[bytes] = []
        left = most + 1
        try:
            async with asyncio.timeout(_FETCH_S):
                async with aclosing(self._bot.session.stream_content(url, timeout=_FETCH_S)) as stream:
                    async for part in stream:
                        parts.append(part[:left])
                        left -= len(parts[-1])
                        if left <= 0:
                            break
        except (OSError, TimeoutError, ClientError) as problem:
            raise Trouble(type(problem).__name__) from None
        return b"".join(parts)

    async def close(self) -> None:
        """Release connections."""
        await self._bot.session.close()


class _Unreadable(Exception):
    """An answer to getUpdates of which some updates cannot be read: the others are served (no poison update)."""

    def __init__(self, readable: list[Update], ids: list[int]) -> None:
        super().__init__("updates that cannot be read")
        self.readable = readable
        self.ids = ids


async def _told(call: Awaitable[T]) -> T:
    """aiogram's exceptions as ours. Texts are masked: an URL of the Bot API holds the token."""
    try:
        return await call
    except api.TelegramRetryAfter as problem:
        raise Busy(float(problem.retry_after)) from None
    except api.TelegramConflictError as problem:
        raise SecondPoller(problem.message) from None
    except (api.TelegramUnauthorizedError, api.TelegramNotFound):
        raise WrongToken("Telegram does not know this token") from None
    except (api.TelegramBadRequest, api.TelegramForbiddenError, api.TelegramEntityTooLarge,
            api.TelegramMigrateToChat) as problem:
        raise Refused(redact(problem.message), isinstance(problem, api.TelegramForbiddenError)) from None
    except api.ClientDecodeError as problem:
        raise _unreadable(problem) from None
    except FileNotFoundError:
        raise  # a picture that is gone, no matter of the network
    except (api.TelegramAPIError, OSError) as problem:
        raise Trouble(redact(getattr(problem, "message", "") or type(problem).__name__)) from None


def _unreadable(problem: api.ClientDecodeError) -> Exception:
    """Rubbish is trouble; a list of updates of which one is rubbish is still served without that one."""
    result = problem.data.get("result") if isinstance(problem.data, dict) else None
    if not isinstance(result, list):
        return Trouble("an answer that is none of Telegram's")
    readable: list[Update] = []
    ids: list[int] = []
    for item in result:
        if not isinstance(item, dict) or not isinstance(item.get("update_id"), int):
            continue
        ids.append(item["update_id"])
        try:
            readable.append(Update.model_validate(item))
        except ValidationError as bad:
            log.error("update %s cannot be read and is passed over: %s", item["update_id"],
                      redact(str(bad.errors(include_input=False, include_url=False)))[:500])
    return _Unreadable(readable, ids)


def _incoming(update: Update) -> Incoming | None:
    message, press = update.message, update.callback_query
    if message is not None and message.from_user is not None:
        document = message.document
        file = Attached(document.file_id, document.file_size) if document is not None else None
        text = message.text or (message.caption if file is not None else "") or ""
        return Incoming(update.update_id, message.from_user.id, message.chat.id, message.from_user.full_name,
                        text, int(message.date.timestamp()), file=file)
    if press is not None:
        return _pressed(update.update_id, press)
    return None


def _pressed(number: int, press: CallbackQuery) -> Incoming:
    message = press.message
    sent_at = int(message.date.timestamp()) if isinstance(message, Message) else 0
    return Incoming(number, press.from_user.id, message.chat.id if message else press.from_user.id,
                    press.from_user.full_name, "", sent_at, press.data or "", press.id,
                    message.message_id if message else 0)


def _keys(rows: Rows) -> Any:
    if not rows:
        return None
    return InlineKeyboardMarkup(inline_keyboard=[
        [InlineKeyboardButton(text=button.label, callback_data=button.data[:64]) for button in row] for row in rows])
