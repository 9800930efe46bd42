"""Jobs for the worker: a stream of Redis that several workers share.

A job stays pending until it is done. That of a worker which was killed is taken over by another
one, so a job may be worked on twice: what it does has to bear that.
"""

import socket
from collections.abc import Iterator
from typing import Any

import redis

from app.cache import get_redis
from app.settings import get_settings

STREAM = "jobs"
GROUP = "workers"
MAX_LENGTH = 10_000
BLOCK_MS = 1_000


def put(kind: str, **fields: str | int) -> None:
    """Leave a job. Where Redis is absent or down there is none: callers must not depend on it."""
    client = get_redis()
    if client is None:
        return
    try:
        job: dict[Any, Any] = {"kind": kind, **fields}
        client.xadd(STREAM, job, maxlen=MAX_LENGTH, approximate=True)
    except redis.RedisError:
        return


def connect() -> redis.Redis | None:
    """A worker's own client, which waits longer than a request may; none without a Redis."""
    url = get_settings().redis_url
    if url is None:
        return None
    return redis.Redis.from_url(
        url.get_secret_value(), socket_timeout=5 + BLOCK_MS / 1000, socket_connect_timeout=3
    )


def join(client: redis.Redis) -> None:
    """Make the group of workers where it is not there yet."""
    try:
        client.xgroup_create(STREAM, GROUP, id="0", mkstream=True)
    except redis.ResponseError as error:
        if "BUSYGROUP" not in str(error):
            raise


def take(
    client: redis.Redis, idle_ms: int, name: str | None = None
) -> Iterator[tuple[str, dict[str, str]]]:
    """At most one job: one that another worker has left for so long, or the next one."""
    me = name or socket.gethostname()
    claimed: Any = client.xautoclaim(STREAM, GROUP, me, min_idle_time=idle_ms, count=1)
    entries = claimed[1]
    if not entries:
        read: Any = client.xreadgroup(GROUP, me, {STREAM: ">"}, count=1, block=BLOCK_MS)
        entries = read[0][1] if read else []
    for identifier, fields in entries:
        yield identifier.decode(), {k.decode(): v.decode() for k, v in fields.items()}


def done(client: redis.Redis, identifier: str) -> None:
    """Say that a job is done: nobody takes it again."""
    client.xack(STREAM, GROUP, identifier)
    client.xdel(STREAM, identifier)
