"""System E: users, sealed keys, sessions under leases, webhook events, audit."""

from alembic import op
from sqlalchemy import BigInteger, Boolean, Column, Integer, PrimaryKeyConstraint, String, Text
from sqlalchemy.dialects.mysql import LONGTEXT

from modules.storage.sql.columns import Json, key

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_COUNT = BigInteger().with_variant(Integer(), "sqlite")


def upgrade() -> None:
    """Make the tables of system E."""
    _people()
    _sessions()
    _queues()
    _audit()


def _people() -> None:
    op.create_table(
        "grid_users",
        Column("user_id", key(64), nullable=False),
        Column("bot_id", String(64), nullable=False),
        Column("token", key(64), nullable=False, comment="SHA-256 of the user's token"),
        Column("webhook_url", Text(), nullable=False),
        Column("webhook_secret", Text(), nullable=False, comment="sealed"),
        Column("created_ms", BigInteger(), nullable=False),
        Column("updated_ms", BigInteger(), nullable=False),
        PrimaryKeyConstraint("user_id", name=op.f("pk_grid_users"))
    )
    op.create_table(
        "grid_keys",
        Column("user_id", key(64), nullable=False),
        Column("sealed", Text(), nullable=False),
        Column("fingerprint", key(64), nullable=False, comment="SHA-256 of the key's name: one account, one grid"),
        Column("demo", Boolean(), nullable=False),
        Column("version", Integer(), nullable=False, comment="grows with each replacement"),
        Column("refused", Text(), nullable=False, comment="why the venue refuses it; empty: it does not"),
        Column("updated_ms", BigInteger(), nullable=False),
        PrimaryKeyConstraint("user_id", name=op.f("pk_grid_keys"))
    )
    op.create_index("ux_grid_keys_fingerprint", "grid_keys", ["fingerprint"], unique=True)


def _sessions() -> None:
    op.create_table(
        "grid_sessions",
        Column("user_id", key(64), nullable=False),
        Column("symbol", String(30), nullable=False),
        Column("custom", Json(), nullable=False, comment="the camelCase map as the user gave it"),
        Column("settings", Json(), nullable=False, comment="all settings, as checked"),
        Column("version", Integer(), nullable=False, comment="grows with each change of the settings"),
        Column("wanted", String(10), nullable=False, comment="RUNNING, PAUSED, DRAINING, STOPPED"),
        Column("accepted", Json(), comment="who accepted which risk, and when"),
        Column("figures", Json(), comment="the worst case it was started with"),
        Column("started_ms", BigInteger(), nullable=False),
        Column("updated_ms", BigInteger(), nullable=False),
        Column("lease_holder", key(80), nullable=False),
        Column("lease_until_ms", BigInteger(), nullable=False),
        Column("fence", BigInteger(), nullable=False, comment="grows with each new holder"),
        PrimaryKeyConstraint("user_id", name=op.f("pk_grid_sessions"))
    )
    op.create_index(op.f("ix_grid_sessions_wanted_lease_until_ms"), "grid_sessions", ["wanted", "lease_until_ms"])
    op.create_index(op.f("ix_grid_sessions_lease_holder"), "grid_sessions", ["lease_holder"])
    op.create_table(
        "grid_states",
        Column("user_id", key(64), nullable=False),
        Column("fence", BigInteger(), nullable=False),
        Column("body", Text().with_variant(LONGTEXT(), "mysql", "mariadb"), nullable=False,
               comment="the session's state as JSON"),
        Column("facts", Json(), nullable=False, comment="what its worker tells: problem, last trade …"),
        Column("saved_ms", BigInteger(), nullable=False),
        PrimaryKeyConstraint("user_id", name=op.f("pk_grid_states"))
    )


def _queues() -> None:
    op.create_table(
        "grid_commands",
        Column("number", _COUNT, autoincrement=True, nullable=False),
        Column("user_id", key(64), nullable=False),
        Column("word", String(16), nullable=False),
        Column("body", Json(), nullable=False),
        Column("by_whom", String(80), nullable=False),
        Column("created_ms", BigInteger(), nullable=False),
        Column("done_ms", BigInteger()),
        Column("outcome", Text()),
        PrimaryKeyConstraint("number", name=op.f("pk_grid_commands"))
    )
    op.create_index(op.f("ix_grid_commands_user_id_done_ms"), "grid_commands", ["user_id", "done_ms"])
    op.create_table(
        "grid_events",
        Column("number", _COUNT, autoincrement=True, nullable=False),
        Column("uid", key(36), nullable=False),
        Column("user_id", key(64), nullable=False),
        Column("kind", String(32), nullable=False),
        Column("body", Json(), nullable=False),
        Column("created_ms", BigInteger(), nullable=False),
        Column("due_ms", BigInteger(), nullable=False),
        Column("tries", Integer(), nullable=False),
        Column("state", String(8), nullable=False, comment="queued or dead"),
        Column("error", Text(), nullable=False),
        Column("claimed_until_ms", BigInteger(), nullable=False),
        PrimaryKeyConstraint("number", name=op.f("pk_grid_events"))
    )
    op.create_index("ux_grid_events_uid", "grid_events", ["uid"], unique=True)
    op.create_index(op.f("ix_grid_events_user_id_state"), "grid_events", ["user_id", "state"])
    op.create_index(op.f("ix_grid_events_state_due_ms"), "grid_events", ["state", "due_ms"])


def _audit() -> None:
    op.create_table(
        "grid_audit",
        Column("number", _COUNT, autoincrement=True, nullable=False),
        Column("ms", BigInteger(), nullable=False),
        Column("who", String(80), nullable=False),
        Column("what", String(40), nullable=False),
        Column("user_id", String(64), nullable=False),
        Column("address", String(64), nullable=False),
        Column("outcome", String(40), nullable=False),
        Column("body", Json()),
        PrimaryKeyConstraint("number", name=op.f("pk_grid_audit"))
    )
    op.create_index(op.f("ix_grid_audit_ms"), "grid_audit", ["ms"])
    op.create_index(op.f("ix_grid_audit_user_id"), "grid_audit", ["user_id"])
