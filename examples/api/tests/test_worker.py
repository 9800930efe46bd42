"""The worker on a real Redis (TEST_REDIS_URL), and the digest on the tests' database."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
import redis
from fastapi.testclient import TestClient
from sqlalchemy.orm import Session

from app import digest, jobs, worker
from app.database import get_engine
from tests.conftest import ROOT

ADA = {"name": "Ada Lovelace", "email": "ada@Example.com"}


@pytest.fixture
def queue(client: TestClient) -> Iterator[redis.Redis]:
    if not os.environ.get("TEST_REDIS_URL"):
        pytest.skip("needs TEST_REDIS_URL")
    connection = jobs.connect()
    assert connection is not None
    yield connection
    connection.close()


def until(condition: object, seconds: float = 10) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if callable(condition) and condition():
            return True
        time.sleep(0.02)
    return False


def test_a_new_contact_is_counted(client: TestClient, queue: redis.Redis) -> None:
    made = client.post("/contacts", json=ADA).json()
    stop = threading.Event()
    thread = threading.Thread(target=worker.run, args=(queue, stop))
    thread.start()
    counted = until(lambda: client.get("/contacts/domains/example.com").json()["contacts"] == 1)
    stop.set()
    thread.join()
    assert counted
    assert queue.smembers(worker.domain_key("example.com")) == {str(made["id"]).encode()}
    assert queue.xlen(jobs.STREAM) == 0


def test_what_a_killed_worker_left_is_taken_over(client: TestClient, queue: redis.Redis) -> None:
    client.post("/contacts", json=ADA)
    jobs.join(queue)
    taken = list(jobs.take(queue, idle_ms=60_000, name="killed"))
    assert len(taken) == 1
    assert list(jobs.take(queue, idle_ms=60_000, name="other")) == []  # it may still be at it
    assert list(jobs.take(queue, idle_ms=0, name="other")) == taken


def test_a_job_that_fails_stays(client: TestClient, queue: redis.Redis) -> None:
    jobs.put("contact-created", id="no number")
    jobs.join(queue)  # the worker does so too, perhaps after the first look below
    stop = threading.Event()
    thread = threading.Thread(target=worker.run, args=(queue, stop))
    thread.start()
    pending = until(lambda: queue.xpending(jobs.STREAM, jobs.GROUP)["pending"] == 1)
    stop.set()
    thread.join()
    assert pending
    assert queue.xlen(jobs.STREAM) == 1


def test_a_worker_stops_when_it_is_told(queue: redis.Redis) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "app.worker"], cwd=ROOT, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    assert "waiting for jobs" in process.stderr.readline()
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=10) == 0


def test_without_redis_there_is_no_worker(bare_client: TestClient) -> None:
    assert worker.main() == 1
    assert digest.main() == 1
    jobs.put("contact-created", id=1)  # and a request does not fail for it
    assert bare_client.get("/contacts/domains/example.com").json()["contacts"] is None


def test_the_digest_counts_the_last_day(client: TestClient) -> None:
    client.post("/contacts", json=ADA)
    engine = get_engine()
    assert engine is not None
    with Session(engine) as session:
        now = datetime.now(UTC)
        assert digest.digest(session, now).startswith("1 new contacts since ")
        later = digest.digest(session, now + timedelta(days=2))
    assert later.startswith("0 new contacts")
    assert later.endswith("1 in all")
    assert digest.main() == 0
