"""The application: `uvicorn app.main:app`."""

from typing import Literal

from fastapi import FastAPI, Response, status
from pydantic import BaseModel

from app import contacts
from app.cache import check_redis
from app.database import check_database
from app.settings import get_settings

app = FastAPI(title="Connect 2.0 API", version="2.0.0")
app.include_router(contacts.router)

State = Literal["ok", "failing", "not configured"]


class Health(BaseModel):
    """What the load balancer and the container health check ask for."""

    status: Literal["ok", "degraded", "failing"]
    release: str
    database: State
    redis: State


def state(answer: bool | None) -> State:
    """A check's answer in a word."""
    if answer is None:
        return "not configured"
    return "ok" if answer else "failing"


@app.get("/health")
def health(response: Response) -> Health:
    """200 while requests can be served: Redis only makes them faster, the database is needed."""
    database, redis = state(check_database()), state(check_redis())
    if database == "failing":
        response.status_code = status.HTTP_503_SERVICE_UNAVAILABLE
        overall: Literal["ok", "degraded", "failing"] = "failing"
    else:
        overall = "degraded" if redis == "failing" else "ok"
    return Health(status=overall, release=get_settings().release, database=database, redis=redis)
