from __future__ import annotations

from datetime import datetime

from sqlalchemy import DateTime
from sqlalchemy import false
from sqlalchemy import func
from sqlalchemy import Text
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.orm import Mapped
from sqlalchemy.orm import mapped_column


class Model(DeclarativeBase):
    pass


class Note(Model):
    __tablename__ = "note"

    id: Mapped[int] = mapped_column(primary_key=True)
    text: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(
        DateTime(timezone=True), server_default=func.now(), index=True
    )
    done: Mapped[bool] = mapped_column(server_default=false())
