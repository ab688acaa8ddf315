"""Notices as messages: one alone, or a flood merged into few.

1. A merged message keeps every trade, warning and alert in full; only equal infos are counted together (``×3``).
2. A notice with a picture goes alone.
3. Order stays; a batch ends where the next notice would not fit into one message.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from modules.supervision.outbox import Notice
from modules.telegram.markup import MESSAGE_LIMIT, b, esc, length, lines

Pending = tuple[Path, Notice]
_SIGNS = {"alert": "🚨 ", "warning": "⚠️ ", "trade": "", "info": ""}
_ROOM = MESSAGE_LIMIT - 200


@dataclass(frozen=True, slots=True)
class Batch:
    """Notices that go out as one message."""

    text: str
    notices: tuple[Pending, ...]
    picture: str = ""

    @property
    def loud(self) -> bool:
        """Whether the phone may ring: trades, warnings and alerts do."""
        return any(notice.level != "info" for _, notice in self.notices)


def render(notice: Notice) -> str:
    """One notice as HTML."""
    head = f"[{notice.mode}] {notice.what}" if notice.mode else notice.what
    todo = f"→ {esc(notice.todo)}" if notice.todo else None
    return lines(f"{_SIGNS[notice.level]}{b(head)}", esc(notice.why) if notice.why else None, todo)


def next_batch(pending: Sequence[Pending]) -> Batch:
    """The next message to send from `pending` (not empty)."""
    first = pending[0]
    if first[1].image:
        return Batch(render(first[1]), (first,), first[1].image)
    taken: list[Pending] = []
    rendered: list[str] = []
    counts: list[int] = []
    for item in pending:
        text = render(item[1])
        if item[1].image:
            break
        if item[1].level == "info" and text in rendered:
            counts[rendered.index(text)] += 1
            taken.append(item)
            continue
        if rendered and length(_joined([*rendered, text], [*counts, 1])) > _ROOM:
            break
        taken.append(item)
        rendered.append(text)
        counts.append(1)
    return Batch(_joined(rendered, counts), tuple(taken))


def _joined(rendered: Sequence[str], counts: Sequence[int]) -> str:
    return "\n\n".join(text if count == 1 else f"{text} ×{count}" for text, count in zip(rendered, counts, strict=True))
