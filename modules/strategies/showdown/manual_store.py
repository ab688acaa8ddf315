"""Versions of the manual sources (C3, C13): entered from anywhere, each checked, kept, undoable. One file a contract.

1. Telegram, the dashboard and the service may all write: `JsonFile` locks between processes.
2. A new version replaces the one before; `undo` takes the newest back and the one before counts again, with the time it
   was entered at (so that an old one may be out of date at once). ETF days of before stay unless given anew.
3. ``data/btc_etp_flow.json`` and its like show what counts now; one changed by hand becomes a new version (`by_hand`);
   the text of a version that was there before does not: going back is `undo`.
4. SQL gets the history from here by the service: what was entered while it was off is there after its next start.
"""

import json
from typing import Any

import msgspec

from modules.storage.json_state import JsonFile
from modules.strategies.showdown.files import ShowdownFiles
from modules.strategies.showdown.inputs import Manual
from modules.strategies.showdown.manual import BIGGEST_TEXT, KINDS, Invalid, Kind, check, parse
from utils.files import read_whole, write_atomic

KEPT = 100


class Version(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of a source. `undone_ms` set: it does not count."""

    version: int
    entered_ms: int
    source: str
    body: dict[str, Any]
    undone_ms: int | None = None


Versions = dict[str, list[Version]]


class ManualStore:
    """The manual sources of one contract. Raises StateError, OSError where the disk refuses."""

    def __init__(self, files: ShowdownFiles) -> None:
        self._files = files
        self._file: JsonFile[Versions] = JsonFile(files.versions, dict[str, list[Version]], dict)

    def enter(self, kind: Kind, text: str, source: str, price: float | None, now_ms: int) -> Version:
        """A new version out of text or JSON. Raises Invalid with every error."""
        return self._add(kind, parse(kind, text, price, now_ms), source, now_ms)

    def enter_body(self, kind: Kind, body: Any, source: str, price: float | None, now_ms: int) -> Version:
        """The same for JSON that was read already (the dashboard). Raises Invalid."""
        return self._add(kind, check(kind, body, price, now_ms), source, now_ms)

    def undo(self, kind: Kind, now_ms: int) -> tuple[Version, Version | None]:
        """Take the newest version back; returns it and the one that counts now. Raises Invalid with nothing to undo."""
        undone: list[Version] = []

        def change(all_of: Versions) -> Versions:
            rows = list(all_of.get(kind, []))
            place = next((at for at in range(len(rows) - 1, -1, -1) if rows[at].undone_ms is None), None)
            if place is None:
                raise Invalid([f"{kind}: there is no version to take back"])
            rows[place] = msgspec.structs.replace(rows[place], undone_ms=now_ms)
            undone.append(rows[place])
            return {**all_of, kind: rows}

        rows = self._file.update(change)[kind]
        left = _current(rows)
        self._show(kind, left)
        return undone[0], left

    def current(self) -> dict[str, Manual]:
        """What counts now, by kind."""
        found = {}
        for kind, rows in self._file.load().items():
            version = _current(rows)
            if version is not None:
                found[kind] = Manual(version.body, version.entered_ms, version.version)
        return found

    def versions(self) -> Versions:
        """Everything kept, oldest first."""
        return self._file.load()

    def by_hand(self, kind: Kind, price: float | None, now_ms: int) -> Version | None:
        """Take a file that a person put or changed (rule 3); None where it says what counts. Raises Invalid."""
        path = self._files.manual(kind)
        try:
            raw = read_whole(path)
        except FileNotFoundError:
            return None
        if len(raw) > BIGGEST_TEXT:
            raise Invalid([f"{path.name} has {len(raw)} bytes; at most {BIGGEST_TEXT} are read"])
        if any(raw == _shown(version) for version in self._file.load().get(kind, [])):
            return None  # ours; another process may be about to replace it, so any version will do
        try:
            text = raw.decode("utf-8")
        except UnicodeDecodeError as problem:
            raise Invalid([f"{path.name} is no UTF-8 text: {problem}"]) from None
        return self.enter(kind, text, "file", price, now_ms)

    def _add(self, kind: Kind, body: dict[str, Any], source: str, now_ms: int) -> Version:
        def change(all_of: Versions) -> Versions:
            rows = list(all_of.get(kind, []))
            before = _current(rows)
            number = max((row.version for row in rows), default=0) + 1
            rows.append(Version(version=number, entered_ms=now_ms, source=source,
                                body=_merged(before.body, body) if kind == "etf" and before is not None else body))
            return {**all_of, kind: rows[-KEPT:]}

        version = self._file.update(change)[kind][-1]
        self._show(kind, version)
        return version

    def _show(self, kind: Kind, version: Version | None) -> None:
        path = self._files.manual(kind)
        if version is None:
            path.unlink(missing_ok=True)
        else:
            write_atomic(path, _shown(version))


def sql_rows(symbol: str, versions: Versions) -> list[tuple[str, dict[str, Any]]]:
    """(table, row) of every version; repeating them changes nothing (rule 4)."""
    found: list[tuple[str, dict[str, Any]]] = []
    for kind in KINDS:
        for one in versions.get(kind, []):
            base = {"version": one.version, "source": one.source[:40], "entered_ms": one.entered_ms,
                    "undone_ms": one.undone_ms}
            uid = f"{symbol}-{kind}-{one.version}-{one.entered_ms}"
            if kind == "etf":
                found += [("etp_flows", {**base, "uid": f"{uid}-{day['date']}-{fund}"[:60], "day": day["date"],
                                         "fund": fund, "net_usd": format(net, ".2f")})
                          for day in one.body["days"]
                          for fund, net in (day["flows"] or {"TOTAL": day["total"]}).items()]
            elif kind == "liqmap":
                found.append(("liquidation_zones_history", {**base, "uid": uid, "symbol": symbol, "body": one.body}))
            else:
                found.append(("news_sentiment_history", {**base, "uid": uid, "symbol": symbol, "body": one.body,
                                                         "score": one.body["score"]}))
    return found


def _current(rows: list[Version]) -> Version | None:
    return next((row for row in reversed(rows) if row.undone_ms is None), None)


def _merged(before: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """ETF days of before and the new ones, which win; the newest 60."""
    days = {day["date"]: day for day in [*before["days"], *new["days"]]}
    return {"days": [days[date] for date in sorted(days)[-60:]]}


def _shown(version: Version) -> bytes:
    return json.dumps(version.body, indent=1, ensure_ascii=False).encode() + b"\n"
