"""Contacts: the one resource of this service."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, HTTPException, Query, Response, status
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import DateTime, String, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, Session, mapped_column

from app import cache, jobs
from app.database import Base, get_session

router = APIRouter(prefix="/contacts", tags=["contacts"])
Database = Annotated[Session, Depends(get_session)]


class Contact(Base):
    """A row of the table contacts."""

    __tablename__ = "contacts"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(200))
    email: Mapped[str] = mapped_column(String(320), unique=True)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())


class NewContact(BaseModel):
    """What a caller sends."""

    name: str = Field(min_length=1, max_length=200)
    email: str = Field(min_length=3, max_length=320, pattern=r"^[^@\s]+@[^@\s]+$")


class ContactOut(NewContact):
    """What a caller gets."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    created_at: datetime


class DomainOut(BaseModel):
    """A domain and its contacts."""

    domain: str
    contacts: int | None


def cache_key(contact_id: int) -> str:
    """Where a contact is cached."""
    return f"contact:{contact_id}"


@router.post("", status_code=status.HTTP_201_CREATED)
def create(new: NewContact, session: Database) -> ContactOut:
    """Add a contact; an address exists once."""
    contact = Contact(name=new.name, email=new.email)
    session.add(contact)
    try:
        session.commit()
    except IntegrityError as error:
        raise HTTPException(status.HTTP_409_CONFLICT, "this address is taken") from error
    jobs.put("contact-created", id=contact.id)
    return ContactOut.model_validate(contact)


@router.get("/domains/{domain}")
def of_domain(domain: str) -> DomainOut:
    """How many contacts of a domain the worker has counted; null where no Redis answers."""
    return DomainOut(domain=domain.lower(), contacts=cache.count(f"domain:{domain.lower()}"))


@router.get("")
def list_all(
    session: Database, limit: Annotated[int, Query(ge=1, le=100)] = 50
) -> list[ContactOut]:
    """The newest contacts."""
    rows = session.scalars(select(Contact).order_by(Contact.id.desc()).limit(limit))
    return [ContactOut.model_validate(row) for row in rows]


@router.get("/{contact_id}")
def read(contact_id: int, session: Database, response: Response) -> ContactOut:
    """One contact, from the cache where it is there."""
    cached = cache.read(cache_key(contact_id))
    response.headers["X-Cache"] = "hit" if cached else "miss"
    if cached:
        return ContactOut.model_validate_json(cached)
    contact = session.get(Contact, contact_id)
    if contact is None:
        raise HTTPException(status.HTTP_404_NOT_FOUND, "no such contact")
    out = ContactOut.model_validate(contact)
    cache.write(cache_key(contact_id), out.model_dump_json())
    return out


@router.delete("/{contact_id}", status_code=status.HTTP_204_NO_CONTENT)
def delete(contact_id: int, session: Database) -> None:
    """Remove a contact; removing it again is fine."""
    contact = session.get(Contact, contact_id)
    if contact is not None:
        session.delete(contact)
        session.commit()
    cache.forget(cache_key(contact_id))
