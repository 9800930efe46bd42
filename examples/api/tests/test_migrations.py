from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext

from app.contacts import Contact  # noqa: F401
from app.database import Base, get_engine
from tests.conftest import ROOT


def test_the_migrations_make_what_the_models_say(configured: None) -> None:
    engine = get_engine()
    assert engine is not None
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []


def test_every_migration_can_be_taken_back(configured: None) -> None:
    config = Config(str(ROOT / "alembic.ini"))
    command.downgrade(config, "base")
    command.upgrade(config, "head")
