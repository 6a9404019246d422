"""Passwords are shown in no form, wherever a URL has them."""

from __future__ import annotations

import traceback
from urllib.parse import quote
from urllib.parse import quote_plus

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from async_alembic import DatabaseConnectionError
from async_alembic.apps.engines import wrap_connection_errors

from ..backends import BACKENDS

DRIVERS = sorted({b.drivername for b in BACKENDS if b.database != "sqlite"})
#: None of these letters is in a URL or in a message by itself.
passwords = st.text("QXZ%7", min_size=6, max_size=12)
parameters = st.sampled_from(
    ["password", "passwd", "sslpassword", "ssl_key_password", "token", "PWD"]
)


def shown(url: sa.URL, message: str) -> str:
    """All that a log has of an error of a driver: its message and its traceback."""
    with pytest.raises(DatabaseConnectionError) as caught:
        with wrap_connection_errors("default", url):
            raise OSError(message)

    error = caught.value
    text = "".join(traceback.format_exception(error))
    return "\n".join([text, repr(error), error.url, error.reason])


@given(st.sampled_from(DRIVERS), passwords, st.sampled_from([str, quote, quote_plus]))
def test_what_a_driver_says_of_a_password_is_masked(
    driver: str, password: str, form: type[str]
) -> None:
    url = sa.URL.create(driver, "ada", password, "db.example", 5432, "shop")
    text = shown(url, f"cannot use '{form(password)}' for ada")
    assert password not in text and quote(password) not in text
    assert "cannot use '***' for ada" in text


@given(st.sampled_from(DRIVERS), passwords, parameters, st.integers(1, 2))
def test_a_password_in_the_query_is_masked(
    driver: str, password: str, parameter: str, times: int
) -> None:
    query = {parameter: (password,) * times, "application_name": "shop"}
    url = sa.URL.create(driver, "ada", None, "db.example", None, "shop", query)
    text = shown(url, f"bad value {password!r}")
    assert password not in text and quote(password) not in text
    assert "application_name=shop" in text


@given(st.sampled_from(DRIVERS), passwords, passwords, st.sampled_from("@/:"))
def test_a_password_with_an_at_sign_that_is_not_escaped_is_masked(
    driver: str, first: str, second: str, separator: str
) -> None:
    """The driver takes the rest of it for a host, or for a database."""
    password = quote(f"{first}", safe="") + f"@{second.replace('%', 'Q')}"
    password = f"{password}{separator}ZQZQZQ" if separator != ":" else password
    url = sa.make_url(f"{driver}://ada:{password}@db.example/shop")
    text = shown(url, f"could not translate host name '{url.host}'")

    for part in {first, *password.split("@")[1].split("/")}:
        assert part not in text

    assert "@db.example" in text


@pytest.mark.parametrize("password", ["a", "in", "host"])
def test_a_short_password_garbles_no_other_word(password: str) -> None:
    """What is left out of a word would tell the password."""
    url = sa.URL.create("postgresql", "ada", password, "db.example", None, "name")
    text = shown(url, "cannot find the hostname of an instance, thinking hard")
    assert "cannot find the hostname of an instance, thinking hard" in text
    assert "ada:***@db.example/name" in text


def test_an_at_sign_elsewhere_is_kept() -> None:
    url = sa.make_url("sqlite:////home/ada@work/shop.db")
    assert url.render_as_string() in shown(url, "unable to open database file")
