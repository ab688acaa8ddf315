"""Tables of system E (E10–E12), in the one schema of `tables.py`: users, sealed keys, sessions, webhooks, audit.

Times are the database's own clock in ms (several machines share a lease, one clock judges it). Nothing here is written
through the spool: a lease or a key that is not in the database yet does not exist.
"""

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, String, Table, Text
from sqlalchemy.dialects.mysql import LONGTEXT

from modules.storage.sql.columns import Json, key
from modules.storage.sql.tables import METADATA, STATE

_LONG = Text().with_variant(LONGTEXT(), "mysql", "mariadb")
_COUNT = BigInteger().with_variant(Integer(), "sqlite")  # SQLite numbers rows by itself only in an INTEGER

grid_users = Table(
    "grid_users", METADATA,
    Column("user_id", key(64), primary_key=True), Column("bot_id", String(64), nullable=False),
    Column("token", key(64), nullable=False, comment="SHA-256 of the user's token"),
    Column("webhook_url", Text, nullable=False), Column("webhook_secret", Text, nullable=False, comment="sealed"),
    Column("created_ms", BigInteger, nullable=False), Column("updated_ms", BigInteger, nullable=False), info=STATE,
)

grid_keys = Table(
    "grid_keys", METADATA,
    Column("user_id", key(64), primary_key=True), Column("sealed", Text, nullable=False),
    Column("fingerprint", key(64), nullable=False, comment="SHA-256 of the key's name: one account, one grid"),
    Column("demo", Boolean, nullable=False),
    Column("version", Integer, nullable=False, comment="grows with each replacement"),
    Column("refused", Text, nullable=False, comment="why the venue refuses it; empty: it does not"),
    Column("updated_ms", BigInteger, nullable=False),
    Index("ux_grid_keys_fingerprint", "fingerprint", unique=True), info=STATE,
)

grid_sessions = Table(
    "grid_sessions", METADATA,
    Column("user_id", key(64), primary_key=True), Column("symbol", String(30), nullable=False),
    Column("custom", Json, nullable=False, comment="the camelCase map as the user gave it"),
    Column("settings", Json, nullable=False, comment="all settings, as checked"),
    Column("version", Integer, nullable=False, comment="grows with each change of the settings"),
    Column("wanted", String(10), nullable=False, comment="RUNNING, PAUSED, DRAINING, STOPPED"),
    Column("accepted", Json, comment="who accepted which risk, and when"),
    Column("figures", Json, comment="the worst case it was started with"),
    Column("started_ms", BigInteger, nullable=False), Column("updated_ms", BigInteger, nullable=False),
    Column("lease_holder", key(80), nullable=False), Column("lease_until_ms", BigInteger, nullable=False),
    Column("fence", BigInteger, nullable=False, comment="grows with each new holder"),
    Index(None, "wanted", "lease_until_ms"), Index(None, "lease_holder"), info=STATE,
)

grid_states = Table(
    "grid_states", METADATA,
    Column("user_id", key(64), primary_key=True), Column("fence", BigInteger, nullable=False),
    Column("body", _LONG, nullable=False, comment="the session's state as JSON"),
    Column("facts", Json, nullable=False, comment="what its worker tells: problem, last trade …"),
    Column("saved_ms", BigInteger, nullable=False), info=STATE,
)

grid_commands = Table(
    "grid_commands", METADATA,
    Column("number", _COUNT, primary_key=True, autoincrement=True), Column("user_id", key(64), nullable=False),
    Column("word", String(16), nullable=False), Column("body", Json, nullable=False),
    Column("by_whom", String(80), nullable=False), Column("created_ms", BigInteger, nullable=False),
    Column("done_ms", BigInteger), Column("outcome", Text), Index(None, "user_id", "done_ms"), info=STATE,
)

grid_events = Table(
    "grid_events", METADATA,
    Column("number", _COUNT, primary_key=True, autoincrement=True), Column("uid", key(36), nullable=False),
    Column("user_id", key(64), nullable=False), Column("kind", String(32), nullable=False),
    Column("body", Json, nullable=False), Column("created_ms", BigInteger, nullable=False),
    Column("due_ms", BigInteger, nullable=False), Column("tries", Integer, nullable=False),
    Column("state", String(8), nullable=False, comment="queued or dead"), Column("error", Text, nullable=False),
    Column("claimed_until_ms", BigInteger, nullable=False),
    Index("ux_grid_events_uid", "uid", unique=True), Index(None, "user_id", "state"), Index(None, "state", "due_ms"),
    info=STATE,
)

grid_audit = Table(
    "grid_audit", METADATA,
    Column("number", _COUNT, primary_key=True, autoincrement=True), Column("ms", BigInteger, nullable=False),
    Column("who", String(80), nullable=False), Column("what", String(40), nullable=False),
    Column("user_id", String(64), nullable=False), Column("address", String(64), nullable=False),
    Column("outcome", String(40), nullable=False), Column("body", Json),
    Index(None, "ms"), Index(None, "user_id"), info={**STATE, "days": "keep_days", "by": "ms"},
)
