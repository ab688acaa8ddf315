"""Messages between processes and to people: no crash loses one, tears one, or has one acted on twice."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from modules.supervision import messages
from modules.supervision.messages import Inbox
from modules.supervision.outbox import Notice, Outbox
from utils.redact import register_secrets


def kinds(inbox: Inbox) -> list[str]:
    return [message.kind for _, message in inbox.take()]


def whats(outbox: Outbox, channel: str = "console") -> list[str]:
    return [notice.what for _, notice in outbox.pending(channel)]


def refuse(*_: object, **__: object) -> None:
    raise OSError(28, "No space left on device")


def test_messages_are_taken_in_order_until_they_are_done(tmp_path: Path) -> None:
    inbox = Inbox(tmp_path, "tracker")
    for kind in ("buy", "sell", "pause"):
        inbox.post(kind, {"symbol": "PEPEUSDT"}, "scanner")
    assert kinds(inbox) == ["buy", "sell", "pause"] and inbox.waiting() == 3
    [first, *_] = inbox.take()
    inbox.done(*first)
    assert kinds(inbox) == ["sell", "pause"]
    assert first[1].body == {"symbol": "PEPEUSDT"} and first[1].sender == "scanner"


def test_a_crash_between_act_and_unlink_does_not_act_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inbox = Inbox(tmp_path, "tracker")
    inbox.post("buy", {}, "scanner", message_id="m1")
    [(path, message)] = inbox.take()
    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", refuse)
        with pytest.raises(OSError):
            inbox.done(path, message)
    assert path.exists()
    assert Inbox(tmp_path, "tracker").take() == []
    assert not path.exists()


def test_one_id_posted_twice_is_one_message(tmp_path: Path) -> None:
    inbox = Inbox(tmp_path, "tracker")
    inbox.post("buy", {}, "scanner", message_id="m1")
    inbox.post("buy", {}, "scanner", message_id="m1")
    [(path, message)] = inbox.take()
    inbox.done(path, message)
    inbox.post("buy", {}, "scanner", message_id="m1")
    assert inbox.take() == []


def test_an_id_torn_by_a_crash_is_not_glued_to_the_next(tmp_path: Path) -> None:
    inbox = Inbox(tmp_path, "tracker")
    inbox.post("buy", {}, "s", message_id="first")
    inbox.done(*inbox.take()[0])
    handled = inbox.folder / "handled.ids"
    handled.write_bytes(handled.read_bytes() + b"sec")  # the append of "second" was torn
    inbox = Inbox(tmp_path, "tracker")
    inbox.post("buy", {}, "s", message_id="third")
    inbox.done(*inbox.take()[0])
    assert handled.read_text(encoding="ascii").split() == ["first", "third"]


def test_an_unreadable_message_blocks_nobody(tmp_path: Path) -> None:
    inbox = Inbox(tmp_path, "tracker")
    (inbox.folder / "00000000T000000000Z-0000001-000000000.json").write_bytes(b'{"id": "x"')
    inbox.post("sell", {}, "console")
    assert kinds(inbox) == ["sell"]
    assert len(list((inbox.folder / "damaged").iterdir())) == 1


def test_handled_ids_do_not_grow_without_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(messages, "REMEMBERED", 5)
    inbox = Inbox(tmp_path, "tracker")
    for number in range(23):
        inbox.post("buy", {}, "s", message_id=f"m{number}")
        inbox.done(*inbox.take()[0])
    kept = (inbox.folder / "handled.ids").read_text(encoding="ascii").split()
    assert len(kept) <= 10 and kept[-1] == "m22"
    inbox.post("buy", {}, "s", message_id="m22")
    assert inbox.take() == []


def test_a_notice_waits_until_every_channel_delivered_it(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path, "tracker")
    outbox.say("bought PEPE", mode="TEST", why="models agree", todo="nothing", level="trade")
    [(path, notice)] = outbox.pending("telegram")
    assert notice.text() == "[TEST] bought PEPE\nmodels agree\n→ nothing"
    both = ("telegram", "console")
    [(_, stale)] = outbox.pending("console")
    outbox.delivered(path, notice, "telegram", both)
    assert whats(outbox, "telegram") == [] and whats(outbox, "console") == ["bought PEPE"]
    outbox.delivered(path, stale, "console", both)  # read before the other channel was done
    assert whats(outbox, "telegram") == whats(outbox, "console") == [] and not path.exists()


def test_the_same_key_is_said_once_also_after_delivery(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path, "tracker")
    long_key = "sold PEPEUSDT " + "x" * 90
    for key in ("trade-1", long_key, long_key + "y", "trade_1"):
        outbox.say(key, key=key)
        outbox.say(key, key=key)
    assert len(whats(outbox)) == 4
    for path, notice in outbox.pending("console"):
        outbox.delivered(path, notice, "console", ("console",))
    assert Outbox(tmp_path, "tracker").say("again", key="trade-1") == "trade-1"
    assert Outbox(tmp_path, "scanner").say("again", key=long_key) == long_key
    assert whats(outbox) == []
    outbox.say("without a key")
    outbox.say("without a key")
    assert whats(outbox) == ["without a key", "without a key"]


def test_a_full_disk_never_stops_the_one_who_speaks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    outbox = Outbox(tmp_path, "tracker")
    with monkeypatch.context() as patch:
        patch.setattr("modules.supervision.outbox.write_atomic", refuse)
        outbox.say("sold", key="t1")
        outbox.say("sold", key="t1")
        outbox.say("disk is full")
        assert outbox.flush() == 2
        assert list(tmp_path.glob("*.json")) == []
    assert whats(outbox) == ["sold", "disk is full"] and len(list(tmp_path.glob("*.json"))) == 2


def test_on_a_full_disk_the_same_process_delivers_from_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    supervisor, delivery = Outbox(tmp_path, "supervisor"), Outbox(tmp_path, "bot")
    supervisor.say("first")
    with monkeypatch.context() as patch:
        patch.setattr("modules.supervision.outbox.write_atomic", refuse)
        supervisor.say("disk is full", key="disk")
        found = delivery.pending("telegram")
        assert [notice.what for _, notice in found] == ["first", "disk is full"]
        delivery.delivered(*found[1], "telegram", ("telegram", "console"))
        assert whats(delivery, "telegram") == ["first"] and whats(delivery) == ["first", "disk is full"]
    delivery.flush()
    assert whats(delivery, "telegram") == ["first"], "what was delivered from memory is written as delivered"
    delivery.delivered(*delivery.pending("console")[1], "console", ("telegram", "console"))
    supervisor.say("disk is full", key="disk")
    assert whats(delivery) == ["first"]


def test_a_full_disk_does_not_deliver_the_same_notice_without_end(tmp_path: Path,
                                                                 monkeypatch: pytest.MonkeyPatch) -> None:
    outbox = Outbox(tmp_path, "tracker")
    outbox.say("sold")
    [(path, notice)] = outbox.pending("telegram")
    with monkeypatch.context() as patch:
        patch.setattr("modules.supervision.outbox.write_atomic", refuse)
        patch.setattr("modules.supervision.outbox.append_synced", refuse)
        outbox.delivered(path, notice, "telegram", ("telegram", "console"))
        assert whats(outbox, "telegram") == [] and whats(outbox, "console") == ["sold"]
        outbox.delivered(path, notice, "console", ("telegram", "console"))
    assert not path.exists()


def test_secrets_are_masked_and_refused_notices_are_counted(tmp_path: Path) -> None:
    register_secrets(["very-secret-value"])
    outbox = Outbox(tmp_path, "tracker")
    outbox.say("key very-secret-value", why="apiKey=abc123", todo="see very-secret-value")
    [(path, notice)] = outbox.pending("telegram")
    assert "secret" not in notice.text() and "abc123" not in notice.text()
    outbox.refuse(path)
    assert whats(outbox) == [] and outbox.dead() == 1


def test_an_unreadable_notice_blocks_nobody(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path, "tracker")
    (tmp_path / "00000000T000000000Z-1.json").write_bytes(b"")
    outbox.say("here")
    assert whats(outbox) == ["here"] and outbox.dead() == 1


def test_order_is_the_order_of_saying(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path, "tracker")
    said = [f"n{number}" for number in range(30)]
    for what in said:
        outbox.say(what)
    assert whats(outbox) == said


def test_notice_needs_its_fields() -> None:
    build: Callable[..., Any] = Notice
    with pytest.raises(TypeError):
        build(id="x", level="info")
