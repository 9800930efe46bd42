"""The connection to PostgreSQL."""

from collections.abc import Iterator
from functools import lru_cache

from fastapi import HTTPException, status
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.orm import DeclarativeBase, Session

from app.settings import get_settings


class Base(DeclarativeBase):
    """The tables of this service."""


@lru_cache
def get_engine() -> Engine | None:
    """One pool a process; none where no database is configured."""
    url = get_settings().sqlalchemy_url()
    if url is None:
        return None
    return make_engine(url, timeout_seconds=3)


def make_engine(url: str, timeout_seconds: int) -> Engine:
    """An engine that gives up connecting in time, and notices a failover: its pool may hold
    connections to a host that is gone, so each is tried before use."""
    arguments = {"connect_timeout": timeout_seconds} if url.startswith("postgresql") else {}
    return create_engine(url, pool_pre_ping=True, connect_args=arguments)


def get_session() -> Iterator[Session]:
    """A session for one request, rolled back unless the handler commits."""
    engine = get_engine()
    if engine is None:
        raise HTTPException(status.HTTP_503_SERVICE_UNAVAILABLE, "no database is configured")
    with Session(engine) as session:
        yield session


def check_database() -> bool | None:
    """Whether the database answers; None where none is configured."""
    engine = get_engine()
    if engine is None:
        return None
    try:
        with engine.connect() as connection:
            connection.execute(text("SELECT 1"))
    except Exception:  # whatever it is, it is not healthy
        return False
    return True
