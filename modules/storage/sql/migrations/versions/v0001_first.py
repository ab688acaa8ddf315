"""The first schema."""

from alembic import op
from sqlalchemy import BigInteger, Boolean, Column, Double, Integer, PrimaryKeyConstraint, String, Text

from modules.storage.sql.columns import Json, Money, key

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make every table."""
    _candles()
    _decisions()
    _derivatives()
    _equity_curve()
    _etp_flows()
    _flows()
    _income()
    _liquidation_zones_history()
    _logs()
    _metrics()
    _news_sentiment_history()
    _orders()
    _signal_refusals()
    _signals()
    _snapshots()
    _trades()
    _universe()


def _candles() -> None:
    op.create_table(
        "candles",
        Column("venue", key(20), nullable=False),
        Column("symbol", key(30), nullable=False),
        Column("timeframe", key(8), nullable=False),
        Column("open_ms", BigInteger(), autoincrement=False, nullable=False),
        Column("open", Double(), nullable=False),
        Column("high", Double(), nullable=False),
        Column("low", Double(), nullable=False),
        Column("close", Double(), nullable=False),
        Column("volume", Double(), nullable=False),
        Column("quote_volume", Double()),
        Column("trades", Integer()),
        Column("taker_buy", Double(), comment="base volume bought by takers"),
        PrimaryKeyConstraint("venue", "symbol", "timeframe", "open_ms", name=op.f("pk_candles"))
    )


def _decisions() -> None:
    op.create_table(
        "decisions",
        Column("symbol", key(30), nullable=False),
        Column("ms", BigInteger(), autoincrement=False, nullable=False),
        Column("hash", String(64), nullable=False),
        Column("body", Json(), nullable=False),
        Column("action", String(10), nullable=False),
        Column("confidence", Double()),
        PrimaryKeyConstraint("symbol", "ms", name=op.f("pk_decisions"))
    )


def _derivatives() -> None:
    op.create_table(
        "derivatives",
        Column("venue", key(20), nullable=False),
        Column("symbol", key(30), nullable=False),
        Column("kind", key(20), nullable=False, comment="open_interest, funding, basis, cvd, mark, long_short …"),
        Column("ms", BigInteger(), autoincrement=False, nullable=False),
        Column("value", Double(), nullable=False),
        Column("body", Json()),
        PrimaryKeyConstraint("venue", "symbol", "kind", "ms", name=op.f("pk_derivatives"))
    )


def _equity_curve() -> None:
    op.create_table(
        "equity_curve",
        Column("account", key(40), nullable=False),
        Column("ms", BigInteger(), autoincrement=False, nullable=False),
        Column("mode", String(4), nullable=False),
        Column("wallet", Money(), nullable=False),
        Column("unrealised", Money(), nullable=False),
        Column("equity", Money(), nullable=False),
        PrimaryKeyConstraint("account", "ms", name=op.f("pk_equity_curve"))
    )


def _etp_flows() -> None:
    op.create_table(
        "etp_flows",
        Column("uid", key(60), nullable=False),
        Column("day", String(10), nullable=False),
        Column("fund", String(40), nullable=False),
        Column("net_usd", Money(), nullable=False),
        Column("version", Integer(), nullable=False),
        Column("source", String(40), nullable=False),
        Column("entered_ms", BigInteger(), nullable=False),
        Column("undone_ms", BigInteger()),
        PrimaryKeyConstraint("uid", name=op.f("pk_etp_flows"))
    )
    op.create_index(
        op.f("ix_etp_flows_day"),
        "etp_flows", ["day"])


def _flows() -> None:
    op.create_table(
        "flows",
        Column("symbol", key(30), nullable=False),
        Column("ms", BigInteger(), autoincrement=False, nullable=False),
        Column("hash", String(64), nullable=False),
        Column("body", Json(), nullable=False),
        PrimaryKeyConstraint("symbol", "ms", name=op.f("pk_flows"))
    )


def _income() -> None:
    op.create_table(
        "income",
        Column("account", key(40), nullable=False),
        Column("income_id", key(60), nullable=False),
        Column("kind", key(24), nullable=False, comment="FUNDING_FEE, TRANSFER, …"),
        Column("symbol", String(30)),
        Column("amount", Money(), nullable=False),
        Column("asset", String(12), nullable=False),
        Column("ms", BigInteger(), nullable=False),
        PrimaryKeyConstraint("account", "income_id", "kind", name=op.f("pk_income"))
    )
    op.create_index(
        op.f("ix_income_account_ms"),
        "income", ["account", "ms"])


def _liquidation_zones_history() -> None:
    op.create_table(
        "liquidation_zones_history",
        Column("uid", key(60), nullable=False),
        Column("symbol", String(30), nullable=False),
        Column("version", Integer(), nullable=False),
        Column("source", String(40), nullable=False),
        Column("entered_ms", BigInteger(), nullable=False),
        Column("undone_ms", BigInteger()),
        Column("body", Json(), nullable=False),
        PrimaryKeyConstraint("uid", name=op.f("pk_liquidation_zones_history"))
    )
    op.create_index(
        op.f("ix_liquidation_zones_history_symbol_entered_ms"),
        "liquidation_zones_history", ["symbol", "entered_ms"])


def _logs() -> None:
    op.create_table(
        "logs",
        Column("uid", key(60), nullable=False),
        Column("ms", BigInteger(), nullable=False),
        Column("service", String(30), nullable=False),
        Column("level", String(10), nullable=False),
        Column("class", String(10), nullable=False, comment="ERROR, RISK, ORDERS, INFO"),
        Column("text", Text(), nullable=False),
        PrimaryKeyConstraint("uid", name=op.f("pk_logs"))
    )
    op.create_index(
        op.f("ix_logs_ms"),
        "logs", ["ms"])


def _metrics() -> None:
    op.create_table(
        "metrics",
        Column("name", key(60), nullable=False),
        Column("ms", BigInteger(), autoincrement=False, nullable=False),
        Column("value", Double(), nullable=False),
        PrimaryKeyConstraint("name", "ms", name=op.f("pk_metrics"))
    )


def _news_sentiment_history() -> None:
    op.create_table(
        "news_sentiment_history",
        Column("uid", key(60), nullable=False),
        Column("symbol", String(30), nullable=False),
        Column("version", Integer(), nullable=False),
        Column("source", String(40), nullable=False),
        Column("entered_ms", BigInteger(), nullable=False),
        Column("undone_ms", BigInteger()),
        Column("score", Double()),
        Column("body", Json(), nullable=False),
        PrimaryKeyConstraint("uid", name=op.f("pk_news_sentiment_history"))
    )
    op.create_index(
        op.f("ix_news_sentiment_history_symbol_entered_ms"),
        "news_sentiment_history", ["symbol", "entered_ms"])


def _orders() -> None:
    op.create_table(
        "orders",
        Column("account", key(40), nullable=False),
        Column("client_id", key(60), nullable=False),
        Column("system", String(20), nullable=False),
        Column("venue", String(20), nullable=False),
        Column("mode", String(4), nullable=False),
        Column("symbol", String(30), nullable=False),
        Column("leg", String(20), nullable=False),
        Column("side", String(4), nullable=False),
        Column("type", String(24), nullable=False),
        Column("reduce_only", Boolean(), nullable=False),
        Column("status", String(20), nullable=False),
        Column("quantity", Money()),
        Column("price", Money()),
        Column("trigger", Money()),
        Column("filled", Money()),
        Column("average", Money()),
        Column("order_id", String(60)),
        Column("reason", Text()),
        Column("created_ms", BigInteger(), nullable=False),
        Column("updated_ms", BigInteger(), nullable=False),
        PrimaryKeyConstraint("account", "client_id", name=op.f("pk_orders"))
    )
    op.create_index(
        op.f("ix_orders_symbol_created_ms"),
        "orders", ["symbol", "created_ms"])


def _signal_refusals() -> None:
    op.create_table(
        "signal_refusals",
        Column("uid", key(60), nullable=False),
        Column("symbol", String(30), nullable=False),
        Column("ms", BigInteger(), nullable=False),
        Column("code", String(40), nullable=False),
        Column("body", Json()),
        PrimaryKeyConstraint("uid", name=op.f("pk_signal_refusals"))
    )
    op.create_index(
        op.f("ix_signal_refusals_ms"),
        "signal_refusals", ["ms"])


def _signals() -> None:
    op.create_table(
        "signals",
        Column("id", key(36), nullable=False),
        Column("symbol", String(30), nullable=False),
        Column("direction", String(5), nullable=False),
        Column("kind", String(5), nullable=False),
        Column("priority", String(6), nullable=False),
        Column("ms", BigInteger(), nullable=False),
        Column("entry", Double(), nullable=False),
        Column("stop_loss", Double(), nullable=False),
        Column("tp1", Double(), nullable=False),
        Column("tp2", Double(), nullable=False),
        Column("quality", Double(), nullable=False),
        Column("status", String(12), nullable=False),
        Column("outcome", String(12)),
        Column("closed_ms", BigInteger()),
        Column("net_r", Double()),
        Column("net_pct", Double()),
        Column("body", Json(), nullable=False),
        PrimaryKeyConstraint("id", name=op.f("pk_signals"))
    )
    op.create_index(
        op.f("ix_signals_ms"),
        "signals", ["ms"])
    op.create_index(
        op.f("ix_signals_symbol_ms"),
        "signals", ["symbol", "ms"])


def _snapshots() -> None:
    op.create_table(
        "snapshots",
        Column("symbol", key(30), nullable=False),
        Column("ms", BigInteger(), autoincrement=False, nullable=False),
        Column("hash", String(64), nullable=False),
        Column("body", Json(), nullable=False),
        PrimaryKeyConstraint("symbol", "ms", name=op.f("pk_snapshots"))
    )


def _trades() -> None:
    op.create_table(
        "trades",
        Column("venue", key(20), nullable=False),
        Column("symbol", key(30), nullable=False),
        Column("trade_id", key(60), nullable=False),
        Column("account", String(40), nullable=False),
        Column("mode", String(4), nullable=False),
        Column("client_id", String(60), nullable=False),
        Column("order_id", String(60)),
        Column("leg", String(20), nullable=False),
        Column("side", String(4), nullable=False),
        Column("price", Money(), nullable=False),
        Column("quantity", Money(), nullable=False),
        Column("fee", Money(), nullable=False),
        Column("fee_asset", String(12), nullable=False),
        Column("realised", Money()),
        Column("maker", Boolean(), nullable=False),
        Column("ms", BigInteger(), nullable=False),
        PrimaryKeyConstraint("venue", "symbol", "trade_id", name=op.f("pk_trades"))
    )
    op.create_index(
        op.f("ix_trades_account_ms"),
        "trades", ["account", "ms"])


def _universe() -> None:
    op.create_table(
        "universe",
        Column("ms", BigInteger(), autoincrement=False, nullable=False),
        Column("symbol", key(30), nullable=False),
        Column("chosen", Boolean(), nullable=False),
        Column("score", Double()),
        Column("reason", String(40), nullable=False),
        Column("body", Json()),
        PrimaryKeyConstraint("ms", "symbol", name=op.f("pk_universe"))
    )
