"""The service as its callers see it, on a database of the test's own.

Without TEST_DATABASE_URL the tests run on SQLite; with it, on that PostgreSQL. The schema is
always made by the migrations.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from fastapi.testclient import TestClient

from app import cache, database, settings

ROOT = Path(__file__).parent.parent


def forget_process_state() -> None:
    settings.get_settings.cache_clear()
    database.get_engine.cache_clear()
    cache.get_redis.cache_clear()


@pytest.fixture
def configured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    url = os.environ.get("TEST_DATABASE_URL") or f"sqlite:///{tmp_path}/test.db"
    monkeypatch.setenv("DATABASE_URL", url)
    if redis_url := os.environ.get("TEST_REDIS_URL"):
        monkeypatch.setenv("REDIS_URL", redis_url)
    else:
        monkeypatch.delenv("REDIS_URL", raising=False)
    forget_process_state()
    config = Config(str(ROOT / "alembic.ini"))
    command.downgrade(config, "base")
    command.upgrade(config, "head")
    if (client := cache.get_redis()) is not None:
        client.flushdb()
    yield
    engine = database.get_engine()
    if engine is not None:
        engine.dispose()
    forget_process_state()


@pytest.fixture
def client(configured: None) -> TestClient:
    from app.main import app

    return TestClient(app)


@pytest.fixture
def bare_client(monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    monkeypatch.delenv("DATABASE_URL", raising=False)
    monkeypatch.delenv("REDIS_URL", raising=False)
    forget_process_state()
    from app.main import app

    yield TestClient(app)
    forget_process_state()
