"""The stack of the usual guide, completed: FastAPI, an ORM session and a signature verification per request."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID, uuid4

import jwt
from fastapi import Depends, FastAPI, Header, HTTPException
from pydantic import BaseModel, ConfigDict
from sqlalchemy import DateTime, select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

ISSUER = os.environ["ISSUER"]
engine = create_async_engine(os.environ["DATABASE_URL"].replace("postgresql://", "postgresql+asyncpg://"))
sessions = async_sessionmaker(engine, expire_on_commit=False)
keys = jwt.PyJWKClient(f"{ISSUER}/api/auth/jwks")


class Base(DeclarativeBase):
    """The guide's models."""


class Task(Base):
    """A row of the table."""

    __tablename__ = "guide_tasks"
    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    user_id: Mapped[str]
    title: Mapped[str]
    description: Mapped[str | None]
    completed: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), default=lambda: datetime.now(UTC))
    updated_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), default=lambda: datetime.now(UTC))


class TaskIn(BaseModel):
    """The body of a request."""

    title: str
    description: str | None = None


class TaskOut(BaseModel):
    """A task in a response."""

    model_config = ConfigDict(from_attributes=True)
    id: UUID
    user_id: str
    title: str
    description: str | None
    completed: bool
    created_at: datetime
    updated_at: datetime


class TaskPage(BaseModel):
    """A page of tasks."""

    data: list[TaskOut]
    count: int


async def session() -> AsyncIterator[AsyncSession]:
    """One session per request."""
    async with sessions() as one:
        yield one


async def current_user(user_id: str, authorization: Annotated[str, Header()]) -> str:
    """Verify the token, and compare its subject with the path."""
    token = authorization.removeprefix("Bearer ")
    try:
        key = keys.get_signing_key_from_jwt(token)
        claims = jwt.decode(token, key.key, algorithms=["EdDSA"], issuer=ISSUER, audience=ISSUER)
    except jwt.PyJWTError as error:
        raise HTTPException(401) from error
    if claims["sub"] != user_id:
        raise HTTPException(403)
    return user_id


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    """Close the pool at the end."""
    yield
    await engine.dispose()


app = FastAPI(lifespan=lifespan)
User = Annotated[str, Depends(current_user)]
Session = Annotated[AsyncSession, Depends(session)]


@app.get("/health")
async def health() -> dict[str, str]:
    """Liveness."""
    return {"status": "ok"}


@app.get("/api/{user_id}/tasks")
async def list_tasks(user: User, db: Session, limit: int = 1000) -> TaskPage:
    """List tasks."""
    found = (await db.scalars(select(Task).where(Task.user_id == user).order_by(Task.id).limit(limit))).all()
    return TaskPage(data=[TaskOut.model_validate(one) for one in found], count=len(found))


@app.post("/api/{user_id}/tasks", status_code=201)
async def create_task(user: User, db: Session, task: TaskIn) -> TaskOut:
    """Create a task."""
    made = Task(user_id=user, title=task.title, description=task.description)
    db.add(made)
    await db.commit()
    await db.refresh(made)
    return TaskOut.model_validate(made)


@app.get("/api/{user_id}/tasks/{task_id}")
async def get_task(user: User, db: Session, task_id: UUID) -> TaskOut:
    """Get a task."""
    found = await db.scalar(select(Task).where(Task.user_id == user, Task.id == task_id))
    if found is None:
        raise HTTPException(404)
    return TaskOut.model_validate(found)
