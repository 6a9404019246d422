"""Several statements in one text are refused on every driver before any is executed.

aiomysql and asyncmy would execute them all, and lose the errors after the first one.
"""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa

from async_alembic import MigrationError
from async_alembic import PlanError

from ...harness import ids
from ...harness import write_revision
from .shop import on_mariadb
from .shop import Shop

FORMS = {
    "execute": "op.execute({!r})",
    "text": "op.get_bind().execute(sa.text({!r}))",
    "driver": "op.get_bind().exec_driver_sql({!r})",
    "autocommit": "with op.get_context().autocommit_block(): op.execute({!r})",
}
UPDATES = "UPDATE users SET id = 1; INSERT INTO users VALUES (1, 2)"
CREATES = (
    "CREATE TABLE x1 (x INT); INSERT INTO x1 VALUES (1, 2); CREATE TABLE x2 (x INT)"
)
COMMENTED = "CREATE TABLE x1 (x INT); -- 'a;\n/* and */ CREATE TABLE x2 (x INT)"
BODY = """CREATE PROCEDURE fill() BEGIN
    INSERT INTO users VALUES (1);
    SELECT ';';
    UPDATE users SET id = id + 1;
END;
-- done;
"""


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("text", [UPDATES, CREATES, COMMENTED])
@on_mariadb
def test_several_statements_are_refused(shop: Shop, text: str, form: str) -> None:
    write_revision(shop.folder, "a2", "a1", FORMS[form].format(text))

    with pytest.raises(MigrationError) as caught:
        shop.call("upgrade")

    driver = shop.engine.dialect.driver
    assert "(1064, " in str(caught.value)
    assert str(caught.value).endswith(
        f" Write one op.execute() for each statement, because {driver} executes one at"
        " a time, and run the upgrade again."
    )
    assert caught.value.partial is None
    assert shop.caller.versions(shop.engine) == ["a1"]
    assert not shop.caller.tables(shop.engine) & {"x1", "x2"}


@on_mariadb
def test_a_trace_refuses_them_as_well(shop: Shop) -> None:
    text = "ALTER TABLE users ADD a INT; ALTER TABLE users ADD b INT"
    write_revision(shop.folder, "a2", "a1", f"op.execute({text!r})")

    with pytest.raises(PlanError, match=r"\(1064, .*in \[ALTER TABLE users ADD a"):
        shop.call("plan", trace=True)


@on_mariadb
def test_what_was_applied_before_them_is_resumed(shop: Shop) -> None:
    """The text itself is not listed, so that it can be corrected."""
    before = "op.execute('CREATE TABLE x0 (x INT)')\n"
    write_revision(shop.folder, "a2", "a1", f"{before}op.execute({CREATES!r})")
    partial = shop.fail()
    assert partial is not None
    assert partial.applied == ("CREATE TABLE x0 (x INT)",)
    assert partial.failed == CREATES

    each = "".join(f"op.execute({text.strip()!r})\n" for text in CREATES.split(";"))
    each = each.replace("(1, 2)", "(1)")
    write_revision(shop.folder, "a2", "a1", f"{before}{each}")
    assert ids(shop.call("upgrade", resume=True)) == ["a2"]
    assert shop.query("SELECT * FROM x1") == [(1,)]
    assert shop.caller.tables(shop.engine) >= {"x0", "x1", "x2"}


@on_mariadb
def test_one_statement_may_contain_semicolons(shop: Shop) -> None:
    write_revision(
        shop.folder,
        "a2",
        "a1",
        f"""
        op.execute({BODY!r})
        op.execute("CALL fill()")
        op.execute("INSERT INTO users VALUES (7);")
        op.execute("INSERT INTO users SELECT LENGTH('; DROP TABLE users'); # ;")
        op.execute("BEGIN NOT ATOMIC INSERT INTO users VALUES (8); SELECT 1; END")
        """,
        "op.execute('DROP PROCEDURE fill')",
    )
    assert ids(shop.call("upgrade")) == ["a1", "a2"]
    assert shop.query("SELECT * FROM users") == [(2,), (7,), (18,), (8,)]


@pytest.mark.parametrize("form", [FORMS["execute"], f"{FORMS['text']}.all()"])
@pytest.mark.parametrize("before", ["SELECT 1", "SELECT 1; SELECT 2"])
@on_mariadb
def test_an_error_of_a_procedure_after_its_rows_is_raised(
    shop: Shop, before: str, form: str
) -> None:
    """SQLAlchemy only logs what a driver raises when a cursor is closed."""
    block = f"BEGIN NOT ATOMIC {before}; INSERT INTO nowhere VALUES (1); END"
    write_revision(shop.folder, "a2", "a1", form.format(block))

    with pytest.raises(MigrationError, match=r"\(1146, .*in \[BEGIN NOT ATOMIC"):
        shop.call("upgrade")

    assert shop.caller.versions(shop.engine) == ["a1"]


@on_mariadb
def test_the_first_rows_of_a_procedure_are_read(shop: Shop) -> None:
    """What follows them is read as well, without an error."""
    body = """
        block = "BEGIN NOT ATOMIC SELECT 1 UNION SELECT 2; SELECT 3; END"
        rows = op.get_bind().exec_driver_sql(block).all()
        assert rows == [(1,), (2,)], rows
        op.execute("INSERT INTO users VALUES (1)")
    """
    write_revision(shop.folder, "a2", "a1", body)
    assert ids(shop.call("upgrade")) == ["a1", "a2"]
    assert shop.query("SELECT * FROM users") == [(1,)]


@on_mariadb
def test_the_app_executes_them_as_before(shop: Shop) -> None:
    """Even on a connection that migrates and that the app has as well."""

    def execute(connection: sa.Connection) -> Any:
        return connection.exec_driver_sql("SELECT 1; SELECT 2").scalar()

    def accepts() -> bool:
        try:
            return bool(shop.caller.begin(shop.engine, execute) == 1)
        except sa.exc.ProgrammingError:
            return False

    write_revision(shop.folder, "a2", "a1", "pass")
    before = accepts()
    assert ids(shop.call("upgrade")) == ["a1", "a2"]
    assert accepts() == before == (shop.engine.dialect.driver != "pymysql")
