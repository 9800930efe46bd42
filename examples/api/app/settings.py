"""What the environment decides."""

from functools import lru_cache

from pydantic import SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Read once, at start: a rotated secret arrives with new tasks."""

    model_config = SettingsConfigDict(extra="ignore")

    database_url: SecretStr | None = None
    redis_url: SecretStr | None = None
    cache_ttl_seconds: int = 60
    release: str = "unknown"

    def sqlalchemy_url(self) -> str | None:
        """The database's URL with the driver that is installed here."""
        if self.database_url is None:
            return None
        url = self.database_url.get_secret_value()
        for scheme in ("postgresql://", "postgres://"):
            if url.startswith(scheme):
                return "postgresql+psycopg://" + url.removeprefix(scheme)
        return url


@lru_cache
def get_settings() -> Settings:
    """The settings of this process."""
    return Settings()
