"""The database servers that tests may use: where they are, and which of them answer."""

import os
from functools import cache

from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

SERVERS = {
    "postgresql": os.environ.get("TEST_POSTGRESQL_URL", "postgresql+pg8000://root@127.0.0.1:5432/postgres"),
    "mariadb": os.environ.get("TEST_MARIADB_URL", "mysql+pymysql://root@127.0.0.1:3306/test"),
}


@cache
def absent(kind: str) -> str:
    """Why a server cannot be used; empty where it can."""
    engine = create_engine(make_url(SERVERS[kind]), isolation_level="AUTOCOMMIT")
    try:
        with engine.connect() as connection:
            connection.execute(text("SELECT 1"))
    except (SQLAlchemyError, OSError) as problem:
        return type(problem).__name__
    finally:
        engine.dispose()
    return ""


def told() -> str:
    """One line for people: which databases were tested, and why the others were not."""
    used = ["sqlite", *(kind for kind in SERVERS if not absent(kind))]
    left = [f"{kind} ({absent(kind)})" for kind in SERVERS if absent(kind)]
    return f"databases tested: {', '.join(used)}" + (f"; not there: {', '.join(left)}" if left else "")
