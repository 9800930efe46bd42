"""The worker: `python -m app.worker`. It counts the contacts of each domain, as they come."""

import logging
import signal
import sys
import threading

import redis
from sqlalchemy.orm import Session

from app import jobs
from app.contacts import Contact
from app.database import get_engine

log = logging.getLogger("worker")

CLAIM_AFTER_MS = 60_000


def domain_key(domain: str) -> str:
    """The set of the contacts of a domain."""
    return f"domain:{domain}"


def work(client: redis.Redis, job: dict[str, str]) -> None:
    """Do one job. Done twice, it has done the same."""
    if job.get("kind") != "contact-created":
        log.warning("nobody knows what to do with %s", job)
        return
    engine = get_engine()
    if engine is None:
        raise RuntimeError("no database is configured")
    with Session(engine) as session:
        contact = session.get(Contact, int(job["id"]))
    if contact is None:
        log.info("contact %s is gone", job["id"])
        return
    domain = contact.email.rpartition("@")[2].lower()
    client.sadd(domain_key(domain), contact.id)
    log.info("contact %d is of %s", contact.id, domain)


def run(client: redis.Redis, stop: threading.Event, idle_ms: int = CLAIM_AFTER_MS) -> None:
    """Work until told to stop. The job at hand is brought to its end; what fails stays."""
    jobs.join(client)
    while not stop.is_set():
        for identifier, job in jobs.take(client, idle_ms):
            try:
                work(client, job)
            except Exception:
                log.exception("job %s failed and is tried again later", identifier)
                continue
            jobs.done(client, identifier)


def main() -> int:
    """Exit 1 where no Redis is configured: there is nothing to work on."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s %(message)s")
    client = jobs.connect()
    if client is None:
        log.error("REDIS_URL is not set")
        return 1
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    log.info("waiting for jobs")
    run(client, stop)
    log.info("stopped")
    return 0


if __name__ == "__main__":
    sys.exit(main())
