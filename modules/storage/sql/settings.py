"""Settings of the database (P9): SQLite as it comes, PostgreSQL or MariaDB by URL or by its parts."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr


class DatabaseSettings(BaseModel):
    """Where history in SQL is kept, in what portions it is written, and how long it stays."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: SecretStr = Field(SecretStr(""), description="Database, e.g. postgresql://user:password@host:5432/coxswain; "
                                                      "empty: by the parts below, or SQLite in data/coxswain.db")
    kind: Literal["postgresql", "mariadb"] = Field("mariadb", description="Kind of server, where db.host is set")
    host: str = Field("", description="Database server; empty: SQLite")
    port: int = Field(0, ge=0, le=65535, description="Its port; 0: the usual one of its kind")
    user: str = Field("", description="User there")
    password: SecretStr = Field(SecretStr(""), description="Password of that user")
    name: str = Field("coxswain", min_length=1, description="Name of the database there")
    batch_rows: int = Field(500, ge=1, le=10_000, description="Rows written in one transaction at most")
    flush_ms: int = Field(100, ge=1, le=60_000, description="How long rows wait for others, ms")
    spool_mb: int = Field(2000, ge=1, description="Rows kept on disk while the database is away, MB at most")
    connect_s: float = Field(5.0, gt=0, le=60, description="Longest wait for a connection, seconds")
    keep_days: int = Field(400, ge=1, description="Days of candles, derivatives and curves that are kept")
    keep_log_days: int = Field(30, ge=1, description="Days of logs and refusals that are kept")
