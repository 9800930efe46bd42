"""Redis in front of the database. Where it is absent or down, reads go to the database."""

from functools import lru_cache

import redis

from app.settings import get_settings


@lru_cache
def get_redis() -> redis.Redis | None:
    """One client a process; none where no Redis is configured."""
    url = get_settings().redis_url
    if url is None:
        return None
    return redis.Redis.from_url(
        url.get_secret_value(), socket_timeout=0.5, socket_connect_timeout=0.5
    )


def read(key: str) -> bytes | None:
    """The cached value, or None."""
    client = get_redis()
    if client is None:
        return None
    try:
        value = client.get(key)
    except redis.RedisError:
        return None
    return value if isinstance(value, bytes) else None


def write(key: str, value: str) -> None:
    """Keep a value for a while."""
    client = get_redis()
    if client is None:
        return
    try:
        client.set(key, value, ex=get_settings().cache_ttl_seconds)
    except redis.RedisError:
        return


def count(key: str) -> int | None:
    """How many members a set has; None where that is not known."""
    client = get_redis()
    if client is None:
        return None
    try:
        members = client.scard(key)
    except redis.RedisError:
        return None
    return members if isinstance(members, int) else None


def forget(key: str) -> None:
    """Drop a value that has changed."""
    client = get_redis()
    if client is None:
        return
    try:
        client.delete(key)
    except redis.RedisError:
        return


def check_redis() -> bool | None:
    """Whether Redis answers; None where none is configured."""
    client = get_redis()
    if client is None:
        return None
    try:
        return bool(client.ping())
    except redis.RedisError:
        return False
