from advanced_alchemy.base import BigIntBase
from sqlalchemy import String
from sqlalchemy.orm import Mapped
from sqlalchemy.orm import mapped_column


class User(BigIntBase):
    __tablename__ = "user"

    name: Mapped[str] = mapped_column(String(100), unique=True)
