"""Invoices for many customers: a Quart app with a database for each subdomain.

In ``examples/tenants``::

    pip install "async-alembic[quart,aiosqlite]"
    quart run
    curl -d name=acme localhost:5000/customers
    curl -d amount=7 acme.localhost:5000
    curl acme.localhost:5000
    quart db upgrade --tenants
    quart db status --tenants

The customers are kept in ``customers.db``, or where ``DATABASE_URL`` says, and the
invoices of each in a database of its own: ``acme.db``, or where ``TENANT_URL`` says,
such as ``postgresql+asyncpg://localhost/{name}``.
"""

from __future__ import annotations

import os
import re

from quart import abort
from quart import Quart
from quart import request
from quart.typing import ResponseReturnValue
from sqlalchemy import func
from sqlalchemy import select
from sqlalchemy import String
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import async_sessionmaker
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.orm import Mapped
from sqlalchemy.orm import mapped_column

from async_alembic import Alembic


class SharedModel(DeclarativeBase):
    pass


class Customer(SharedModel):
    __tablename__ = "customer"

    name: Mapped[str] = mapped_column(String(30), primary_key=True)


class TenantModel(DeclarativeBase):
    pass


class Invoice(TenantModel):
    __tablename__ = "invoice"

    id: Mapped[int] = mapped_column(primary_key=True)
    amount: Mapped[int]


def create_app(url: str, tenant_url: str) -> Quart:
    """Create an app.

    :param url: The URL of the database of all customers.
    :param tenant_url: That of a customer's database, with ``{name}`` for its name.
    """
    app = Quart(__name__)
    engine = create_async_engine(url)
    shared = async_sessionmaker(engine)

    engines: dict[str, AsyncEngine] = {}

    def tenant(name: str) -> async_sessionmaker[AsyncSession]:
        if name not in engines:
            engines[name] = create_async_engine(tenant_url.format(name=name))

        return async_sessionmaker(engines[name])

    async def tenants() -> dict[str, str]:
        async with shared() as session:
            names = await session.scalars(select(Customer.name))
            return {name: tenant_url.format(name=name) for name in names}

    alembic = Alembic(
        app,
        metadatas=SharedModel.metadata,
        engines=engine,
        tenants=tenants,
        tenant_metadatas=TenantModel.metadata,
    )

    @app.before_serving
    async def migrate() -> None:
        await alembic.upgrade()

        async for result in alembic.upgrade_tenants():
            # The others are migrated nevertheless, and can be served.
            if result.error is not None:
                app.logger.error("%s: %s", result.tenant, result.error)

    @app.after_serving
    async def disconnect() -> None:
        for each in (engine, *engines.values()):
            await each.dispose()

    @app.post("/customers")
    async def add_customer() -> ResponseReturnValue:
        name = (await request.form).get("name", "")

        if not re.fullmatch("[a-z]{1,30}", name):
            abort(400, "The name must have small letters only.")

        try:
            async with shared.begin() as session:
                session.add(Customer(name=name))
        except IntegrityError:
            abort(409, "There is a customer of that name.")

        await alembic.create_tenant(name)
        return {"name": name}, 201

    @app.post("/")
    async def add_invoice() -> ResponseReturnValue:
        amount = (await request.form).get("amount", "")

        if not re.fullmatch(r"\d{1,9}", amount):
            abort(400, "The amount must be a number.")

        async with tenant(await _tenant_name()).begin() as session:
            session.add(Invoice(amount=int(amount)))

        return {"amount": int(amount)}, 201

    @app.get("/")
    async def total() -> ResponseReturnValue:
        async with tenant(await _tenant_name())() as session:
            found = await session.scalar(select(func.sum(Invoice.amount)))

        return {"total": found or 0}

    async def _tenant_name() -> str:
        name = request.host.partition(".")[0]

        async with shared() as session:
            if await session.get(Customer, name) is None:
                abort(404, f"There is no customer '{name}'.")

        return name

    return app


app = create_app(
    os.environ.get("DATABASE_URL", "sqlite+aiosqlite:///customers.db"),
    os.environ.get("TENANT_URL", "sqlite+aiosqlite:///{name}.db"),
)
