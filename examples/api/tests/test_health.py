import os

import pytest
from fastapi.testclient import TestClient

from app.database import get_engine
from app.settings import get_settings


def test_nothing_configured_is_healthy(bare_client: TestClient) -> None:
    answer = bare_client.get("/health")
    assert answer.status_code == 200
    assert answer.json() == {
        "status": "ok",
        "release": "unknown",
        "database": "not configured",
        "redis": "not configured",
    }


def test_configured_parts_are_checked(client: TestClient) -> None:
    body = client.get("/health").json()
    assert body["status"] == "ok"
    assert body["database"] == "ok"
    assert body["redis"] == ("ok" if os.environ.get("TEST_REDIS_URL") else "not configured")


def test_a_database_that_does_not_answer_is_failing(
    bare_client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none")
    get_settings.cache_clear()
    get_engine.cache_clear()
    answer = bare_client.get("/health")
    assert answer.status_code == 503
    assert answer.json()["status"] == "failing"


def test_without_redis_the_service_is_only_slower(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    from app import cache

    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1/0")
    get_settings.cache_clear()
    cache.get_redis.cache_clear()
    answer = client.get("/health")
    assert answer.status_code == 200
    assert answer.json()["status"] == "degraded"
    made = client.post("/contacts", json={"name": "Ada", "email": "ada@example.com"}).json()
    assert client.get(f"/contacts/{made['id']}").status_code == 200


def test_the_secret_url_of_the_platform_gets_this_service_s_driver(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://u:p@db:5432/connect2")
    get_settings.cache_clear()
    assert get_settings().sqlalchemy_url() == "postgresql+psycopg://u:p@db:5432/connect2"
    assert "p@db" not in repr(get_settings())
