"""A body's errors, all of them at once (E6): structure by the models, then settings, webhook and what belongs together.

Nothing is made of a body that has one error.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from modules.gridserver.bodies import ExchangeBody, SettingsBody, WebhookBody
from modules.gridserver.settings import GridServerSettings
from modules.gridserver.targets import problems as url_problems
from modules.strategies.grid.custom import ALSO, NAMES, NOT_A_USERS, WrongSettings, camel, customised
from modules.strategies.grid.settings import GridSettings
from modules.strategies.grid.store.records import Credentials, Webhook

MOST = 50  # lines told; a body with more errors is not read by a person
_SECRETS = frozenset({"apiKey", "apiSecret", "passphrase", "webhookSecret"})


class WrongBody(Exception):
    """A body that cannot be used: every error, each by the name that was given."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        kept = list(dict.fromkeys(problems))
        more = len(kept) - MOST
        self.problems = kept[:MOST] + ([f"… and {more} more"] if more > 0 else [])


def settings_of(base: GridSettings, given: SettingsBody) -> tuple[GridSettings, dict[str, Any]]:
    """(settings of the grid, the user's map as it was understood). Raises WrongBody."""
    wrong, wishes = _merged(given.tradingPair, given.leverage, given.customSettings)
    try:
        chosen = customised(base, wishes)
    except WrongSettings as problem:
        raise WrongBody(wrong + problem.problems) from None
    if wrong:
        raise WrongBody(wrong)
    return chosen, {name: getattr(chosen, NAMES[name]) for name in wishes}


def _merged(pair: str, leverage: int | None, custom: Mapping[str, Any]) -> tuple[list[str], dict[str, Any]]:
    """What is wrong already, and the one map that `settings` means: it has two names for pair and leverage."""
    wrong = [line for name, value in custom.items() if (line := _mistyped(name, value))]
    wishes = {name: value for name, value in custom.items() if not _mistyped(name, value)}
    for name, value, names in (("tradingPair", pair, ("tradingSymbol", "tradingPair")),
                               ("leverage", leverage, ("leverage",))):
        if not value:
            continue
        other = next((one for one in names if one in wishes), None)
        if other is None:
            wishes[names[0]] = value
        elif wishes[other] != value:
            wrong.append(f"settings.{name} {value} and customSettings.{other} {str(wishes[other])[:40]} differ; "
                         "give one of them")
    return wrong, wishes


def _mistyped(name: str, value: Any) -> str:
    """JSON's types are taken as they are: "5" is no number."""
    field = NAMES.get(name)
    if field is None:
        return ""
    wanted = GridSettings.model_fields[field].annotation
    if wanted in (int, float) and isinstance(value, str | list | dict | None):
        return f"customSettings.{name}: {_shown(value)} is not a number"
    if wanted is bool and not isinstance(value, bool):
        return f"customSettings.{name}: {_shown(value)} is not true or false"
    return ""


def _shown(value: Any) -> str:
    return repr(value)[:60] if value is not None else "null"


def webhook_of(server: GridServerSettings, given: WebhookBody) -> Webhook:
    """Where events go. Raises WrongBody."""
    wrong = _webhook_problems(server, given.webhookUrl, given.webhookSecret)
    if wrong:
        raise WrongBody(wrong)
    return Webhook(given.webhookUrl, given.webhookSecret)


def _webhook_problems(server: GridServerSettings, url: Any, secret: Any) -> list[str]:
    if not isinstance(url, str) or not url:
        return []
    wrong = url_problems(url, server.webhook_loopback, server.webhook_http)
    if not secret and not server.bot_secret.get_secret_value():
        wrong.append("webhookSecret: is missing; webhooks are signed with it (the server has no BOT_SECRET)")
    return wrong


def credentials_of(given: ExchangeBody) -> Credentials:
    """The key."""
    return Credentials(given.apiKey, given.apiSecret, given.passphrase, given.isDemo)


def all_of(base: GridSettings, server: GridServerSettings, settings: SettingsBody,
           webhook: WebhookBody) -> tuple[GridSettings, dict[str, Any], Webhook]:
    """Settings and webhook together, with the errors of both. Raises WrongBody."""
    wrong: list[str] = []
    try:
        chosen, custom = settings_of(base, settings)
    except WrongBody as problem:
        wrong += problem.problems
    wrong += _webhook_problems(server, webhook.webhookUrl, webhook.webhookSecret)
    if wrong:
        raise WrongBody(wrong)
    return chosen, custom, Webhook(webhook.webhookUrl, webhook.webhookSecret)


def structure(errors: Sequence[Any], body: Any, base: GridSettings, server: GridServerSettings) -> list[str]:
    """Pydantic's errors in words, and with them what is wrong in the parts whose structure is right."""
    wrong = [_told(error) for error in errors]
    if not isinstance(body, dict):
        return wrong
    settings = body.get("settings") if "exchange" in body or "userId" in body else body
    if isinstance(settings, dict) and isinstance(settings.get("customSettings"), dict):
        pair, leverage = settings.get("tradingPair"), settings.get("leverage")
        more, wishes = _merged(pair if isinstance(pair, str) else "",
                               leverage if type(leverage) is int else None, settings["customSettings"])
        try:
            customised(base, wishes)
        except WrongSettings as problem:
            more += problem.problems
        wrong += more
    wrong += _webhook_problems(server, body.get("webhookUrl"), body.get("webhookSecret"))
    return wrong


def _told(error: Any) -> str:
    """One error by its place; the value only where it is no secret."""
    place = [str(part) for part in error["loc"] if part != "body"]
    name = ".".join(place)[:120] or "body"
    given = error.get("input")
    shown = "" if _SECRETS & set(place) or isinstance(given, dict | list) or given is None else f" ({str(given)[:60]})"
    message = {"missing": "is missing", "extra_forbidden": "there is no such field"}.get(error["type"], error["msg"])
    return f"{name}{shown}: {message.removeprefix('Value error, ')}"


def defaults(base: GridSettings) -> dict[str, Any]:
    """The server's defaults by the names that users give."""
    return {camel(field): getattr(base, field) for field in GridSettings.model_fields if field not in NOT_A_USERS
            } | {also: getattr(base, field) for also, field in ALSO.items()}
