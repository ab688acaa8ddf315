"""Every table, declared once (C10, D14): migrations, writer and readers go by this.

Times are ``*_ms``: market time in ms since 1970 UTC. Money is exact (`Money`), indicators are double.
``info["repeat"]``: what a row with a known key does: ``keep`` the old one (events), ``replace`` it (states).
``info["days"]``: which setting says how long rows stay (none: for ever), by the column ``info["by"]``.
"""

from sqlalchemy import BigInteger, Boolean, Column, Double, Index, Integer, MetaData, String, Table, Text

from modules.storage.sql.columns import Json, Money, key

METADATA = MetaData(naming_convention={"ix": "ix_%(table_name)s_%(column_0_N_name)s", "pk": "pk_%(table_name)s"})

EVENT = {"repeat": "keep"}
STATE = {"repeat": "replace"}
AGES = {"days": "keep_days"}
LOGS = {"days": "keep_log_days"}

candles = Table(
    "candles", METADATA,
    Column("venue", key(20), primary_key=True), Column("symbol", key(30), primary_key=True),
    Column("timeframe", key(8), primary_key=True),
    Column("open_ms", BigInteger, primary_key=True, autoincrement=False),
    Column("open", Double, nullable=False), Column("high", Double, nullable=False),
    Column("low", Double, nullable=False), Column("close", Double, nullable=False),
    Column("volume", Double, nullable=False), Column("quote_volume", Double), Column("trades", Integer),
    Column("taker_buy", Double, comment="base volume bought by takers"),
    info={**STATE, **AGES, "by": "open_ms"},
)

derivatives = Table(
    "derivatives", METADATA,
    Column("venue", key(20), primary_key=True), Column("symbol", key(30), primary_key=True),
    Column("kind", key(20), primary_key=True, comment="open_interest, funding, basis, cvd, mark, long_short …"),
    Column("ms", BigInteger, primary_key=True, autoincrement=False),
    Column("value", Double, nullable=False), Column("body", Json),
    info={**STATE, **AGES, "by": "ms"},
)

etp_flows = Table(
    "etp_flows", METADATA,
    Column("uid", key(60), primary_key=True), Column("day", String(10), nullable=False),
    Column("fund", String(40), nullable=False), Column("net_usd", Money, nullable=False),
    Column("version", Integer, nullable=False), Column("source", String(40), nullable=False),
    Column("entered_ms", BigInteger, nullable=False), Column("undone_ms", BigInteger),
    Index(None, "day"), info=STATE,
)

liquidation_zones = Table(
    "liquidation_zones_history", METADATA,
    Column("uid", key(60), primary_key=True), Column("symbol", String(30), nullable=False),
    Column("version", Integer, nullable=False), Column("source", String(40), nullable=False),
    Column("entered_ms", BigInteger, nullable=False), Column("undone_ms", BigInteger),
    Column("body", Json, nullable=False), Index(None, "symbol", "entered_ms"), info=STATE,
)

news_sentiment = Table(
    "news_sentiment_history", METADATA,
    Column("uid", key(60), primary_key=True), Column("symbol", String(30), nullable=False),
    Column("version", Integer, nullable=False), Column("source", String(40), nullable=False),
    Column("entered_ms", BigInteger, nullable=False), Column("undone_ms", BigInteger),
    Column("score", Double), Column("body", Json, nullable=False),
    Index(None, "symbol", "entered_ms"), info=STATE,
)


def _stage(name: str, *more: Column[object]) -> Table:
    """A stage of a decision engine: what it told at an instant, with the hash of what it read."""
    return Table(
        name, METADATA,
        Column("symbol", key(30), primary_key=True),
        Column("ms", BigInteger, primary_key=True, autoincrement=False),
        Column("hash", String(64), nullable=False), Column("body", Json, nullable=False), *more,
        info={**EVENT, **AGES, "by": "ms"},
    )


snapshots = _stage("snapshots")
flows = _stage("flows")
decisions = _stage("decisions", Column("action", String(10), nullable=False), Column("confidence", Double))

orders = Table(
    "orders", METADATA,
    Column("account", key(40), primary_key=True), Column("client_id", key(60), primary_key=True),
    Column("system", String(20), nullable=False), Column("venue", String(20), nullable=False),
    Column("mode", String(4), nullable=False), Column("symbol", String(30), nullable=False),
    Column("leg", String(20), nullable=False), Column("side", String(4), nullable=False),
    Column("type", String(24), nullable=False), Column("reduce_only", Boolean, nullable=False),
    Column("status", String(20), nullable=False), Column("quantity", Money), Column("price", Money),
    Column("trigger", Money), Column("filled", Money), Column("average", Money),
    Column("order_id", String(60)), Column("reason", Text),
    Column("created_ms", BigInteger, nullable=False), Column("updated_ms", BigInteger, nullable=False),
    Index(None, "symbol", "created_ms"), info=STATE,
)

trades = Table(
    "trades", METADATA,
    Column("venue", key(20), primary_key=True), Column("symbol", key(30), primary_key=True),
    Column("trade_id", key(60), primary_key=True), Column("account", String(40), nullable=False),
    Column("mode", String(4), nullable=False), Column("client_id", String(60), nullable=False),
    Column("order_id", String(60)), Column("leg", String(20), nullable=False),
    Column("side", String(4), nullable=False), Column("price", Money, nullable=False),
    Column("quantity", Money, nullable=False), Column("fee", Money, nullable=False),
    Column("fee_asset", String(12), nullable=False), Column("realised", Money),
    Column("maker", Boolean, nullable=False), Column("ms", BigInteger, nullable=False),
    Index(None, "account", "ms"), info=EVENT,
)

income = Table(
    "income", METADATA,
    Column("account", key(40), primary_key=True), Column("income_id", key(60), primary_key=True),
    Column("kind", key(24), primary_key=True, comment="FUNDING_FEE, TRANSFER, …"),
    Column("symbol", String(30)), Column("amount", Money, nullable=False),
    Column("asset", String(12), nullable=False), Column("ms", BigInteger, nullable=False),
    Index(None, "account", "ms"), info=EVENT,
)

equity_curve = Table(
    "equity_curve", METADATA,
    Column("account", key(40), primary_key=True),
    Column("ms", BigInteger, primary_key=True, autoincrement=False),
    Column("mode", String(4), nullable=False), Column("wallet", Money, nullable=False),
    Column("unrealised", Money, nullable=False), Column("equity", Money, nullable=False),
    info={**EVENT, **AGES, "by": "ms"},
)

signals = Table(
    "signals", METADATA,
    Column("id", key(36), primary_key=True), Column("symbol", String(30), nullable=False),
    Column("direction", String(5), nullable=False), Column("kind", String(5), nullable=False),
    Column("priority", String(6), nullable=False), Column("ms", BigInteger, nullable=False),
    Column("entry", Double, nullable=False), Column("stop_loss", Double, nullable=False),
    Column("tp1", Double, nullable=False), Column("tp2", Double, nullable=False),
    Column("quality", Double, nullable=False), Column("status", String(12), nullable=False),
    Column("outcome", String(12)), Column("closed_ms", BigInteger), Column("net_r", Double),
    Column("net_pct", Double), Column("body", Json, nullable=False),
    Index(None, "ms"), Index(None, "symbol", "ms"), info=STATE,
)

refusals = Table(
    "signal_refusals", METADATA,
    Column("uid", key(60), primary_key=True), Column("symbol", String(30), nullable=False),
    Column("ms", BigInteger, nullable=False), Column("code", String(40), nullable=False),
    Column("body", Json), Index(None, "ms"), info={**EVENT, **LOGS, "by": "ms"},
)

universe = Table(
    "universe", METADATA,
    Column("ms", BigInteger, primary_key=True, autoincrement=False), Column("symbol", key(30), primary_key=True),
    Column("chosen", Boolean, nullable=False), Column("score", Double), Column("reason", String(40), nullable=False),
    Column("body", Json), info={**EVENT, **LOGS, "by": "ms"},
)

metrics = Table(
    "metrics", METADATA,
    Column("name", key(60), primary_key=True), Column("ms", BigInteger, primary_key=True, autoincrement=False),
    Column("value", Double, nullable=False), info={**STATE, **LOGS, "by": "ms"},
)

logs = Table(
    "logs", METADATA,
    Column("uid", key(60), primary_key=True), Column("ms", BigInteger, nullable=False),
    Column("service", String(30), nullable=False), Column("level", String(10), nullable=False),
    Column("class", String(10), nullable=False, key="kind", comment="ERROR, RISK, ORDERS, INFO"),
    Column("text", Text, nullable=False), Index(None, "ms"), info={**EVENT, **LOGS, "by": "ms"},
)

# The same schema, in a file of its own: whoever knows METADATA knows all of it.
from modules.storage.sql import grid_tables as _grid  # noqa: E402, F401
