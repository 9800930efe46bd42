"""How Alembic reaches the database: by the URL that the service itself uses."""

import logging.config

from alembic import context
from sqlalchemy import text

from app import contacts  # noqa: F401  (its tables register themselves)
from app.database import Base, make_engine
from app.settings import get_settings

if context.config.config_file_name is not None:
    logging.config.fileConfig(context.config.config_file_name, disable_existing_loggers=False)

# One number for this service's schema: of two migrations at once, one waits for the other.
MIGRATION_LOCK = 2_000_001


def url() -> str:
    """The database's URL, or a sentence that says what is missing."""
    found = get_settings().sqlalchemy_url()
    if found is None:
        raise SystemExit("DATABASE_URL is not set: there is no database to migrate")
    return found


def run_offline() -> None:
    """Print the SQL."""
    context.configure(url=url(), target_metadata=Base.metadata, literal_binds=True)
    with context.begin_transaction():
        context.run_migrations()


def run_online() -> None:
    """Run the SQL, in one transaction, under a lock."""
    engine = make_engine(url(), timeout_seconds=10)
    with engine.connect() as connection:
        context.configure(connection=connection, target_metadata=Base.metadata)
        with context.begin_transaction():
            if connection.dialect.name == "postgresql":
                connection.execute(
                    text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": MIGRATION_LOCK}
                )
            context.run_migrations()


if context.is_offline_mode():
    run_offline()
else:
    run_online()
