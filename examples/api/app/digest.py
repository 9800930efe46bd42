"""The daily digest: `python -m app.digest`, which a schedule starts. It tells what has come in."""

import logging
import sys
from datetime import UTC, datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.contacts import Contact
from app.database import get_engine

log = logging.getLogger("digest")


def digest(session: Session, now: datetime) -> str:
    """What the last day has brought, in a line."""
    since = now - timedelta(days=1)
    new = session.scalar(
        select(func.count()).select_from(Contact).where(Contact.created_at >= since)
    )
    total = session.scalar(select(func.count()).select_from(Contact))
    return f"{new} new contacts since {since:%Y-%m-%d %H:%M} UTC, {total} in all"


def main() -> int:
    """Exit 1 where no database is configured."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s %(message)s")
    engine = get_engine()
    if engine is None:
        log.error("DATABASE_URL is not set")
        return 1
    with Session(engine) as session:
        log.info("%s", digest(session, datetime.now(UTC)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
