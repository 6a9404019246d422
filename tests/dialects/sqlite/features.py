"""What a table of SQLite can have, which a batch change must keep."""

from __future__ import annotations

from .shops import feature
from .shops import SHOP
from .shops import with_column

FEATURES = {
    "children_that_cascade": feature(probes=("DELETE FROM shop WHERE id = 3",)),
    "children_that_are_set_null": feature(action="SET NULL"),
    "a_reference_to_itself": feature(
        with_column("name TEXT", "next INTEGER REFERENCES shop (id) ON UPDATE CASCADE"),
        "UPDATE shop SET next = 3",
        probes=("UPDATE shop SET id = 4 WHERE id = 3",),
    ),
    "a_cycle_of_tables": feature(
        with_column(
            "name TEXT",
            "best INTEGER CONSTRAINT best REFERENCES item"
            " DEFERRABLE INITIALLY DEFERRED",
        ),
        "UPDATE shop SET best = 2",
        probes=("UPDATE shop SET best = 99",),
    ),
    "deferred_key": feature(
        with_column(
            "name TEXT",
            "best INTEGER",
            "CONSTRAINT k FOREIGN KEY (best) REFERENCES item (id) ON DELETE SET NULL"
            " DEFERRABLE INITIALLY DEFERRED",
        ),
        "UPDATE shop SET best = 2",
        probes=("UPDATE shop SET best = 99", "DELETE FROM item"),
    ),
    "a_key_that_is_never_deferred": feature(
        with_column(
            "name TEXT",
            "best INTEGER REFERENCES item ON DELETE SET NULL NOT DEFERRABLE"
            " INITIALLY DEFERRED",
        ),
        "UPDATE shop SET best = 2",
        probes=("UPDATE shop SET best = 99", "UPDATE shop SET best = NULL"),
    ),
    "its_trigger": feature(
        SHOP,
        "CREATE TRIGGER t AFTER UPDATE OF name ON shop WHEN new.name <> 'x'"
        " BEGIN DELETE FROM item WHERE shop_id = new.id; END",
        probes=("UPDATE shop SET name = 'z'",),
    ),
    "the_trigger_of_another_table": feature(
        SHOP,
        "CREATE TRIGGER t AFTER DELETE ON item"
        " BEGIN UPDATE shop SET name = 'gone' WHERE id = old.shop_id; END",
        probes=("DELETE FROM item",),
    ),
    "views": feature(
        SHOP,
        "CREATE VIEW v AS SELECT id, upper(name) AS name FROM shop",
        "CREATE VIEW w AS SELECT count(*) FROM v",
        "CREATE TRIGGER t INSTEAD OF INSERT ON v"
        " BEGIN INSERT INTO shop (name) VALUES (new.name); END",
        probes=("INSERT INTO v (name) VALUES ('new')",),
    ),
    "partial_index": feature(
        SHOP,
        "CREATE UNIQUE INDEX i ON shop (name)"
        " WHERE name <> 'a' AND name NOT LIKE ':x%'",
        probes=(
            "INSERT INTO shop (name) VALUES ('a')",
            "INSERT INTO shop (name) VALUES ('c')",
        ),
    ),
    "expression_index": feature(
        SHOP,
        "CREATE UNIQUE INDEX i ON shop (lower(name), id + 1)",
        "CREATE INDEX j ON shop (lower(name))",
    ),
    "index_with_order_and_collation": feature(
        SHOP,
        "CREATE UNIQUE INDEX i ON shop (name COLLATE NOCASE DESC)",
        probes=("INSERT INTO shop (name) VALUES ('A')",),
    ),
    "without_rowid": feature(
        "CREATE TABLE shop (id INTEGER PRIMARY KEY, name TEXT) WITHOUT ROWID"
    ),
    "strict": feature(
        "CREATE TABLE shop (id INTEGER PRIMARY KEY, name ANY) STRICT",
        probes=("INSERT INTO shop (id, name) VALUES ('x', 1)",),
    ),
    "strict_without_rowid": feature(
        "CREATE TABLE shop (id INTEGER PRIMARY KEY, name TEXT) strict, without rowid"
    ),
    "virtual_column": feature(
        with_column("name TEXT", "length INT GENERATED ALWAYS AS (length(name) + (1))"),
        "CREATE INDEX i ON shop (length)",
    ),
    "stored_column": feature(
        with_column("name TEXT", "length INT NOT NULL AS (length(name || ')')) STORED")
    ),
    "autoincrement": feature(
        "CREATE TABLE shop (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT)",
        "INSERT INTO shop (id, name) VALUES (100, 'last')",
        "DELETE FROM shop WHERE id = 100",
        probes=("INSERT INTO shop (name) VALUES ('next')",),
    ),
    "autoincrement_of_an_empty_table": feature(
        "CREATE TABLE shop (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT)",
        "DELETE FROM item",
        "DELETE FROM shop",
        probes=("INSERT INTO shop (name) VALUES ('next')",),
    ),
    "checks": feature(
        with_column(
            "name TEXT CHECK (name <> ':q)')",
            "CONSTRAINT named CHECK (id < 50 AND (shop.name) <> 'r')",
            "CHECK (id <> 40)",
        ),
        probes=(
            "INSERT INTO shop (name) VALUES (':q)')",
            "INSERT INTO shop (name) VALUES ('r')",
            "INSERT INTO shop (id, name) VALUES (50, 's')",
            "INSERT INTO shop (id, name) VALUES (40, 's')",
        ),
    ),
    "collation": feature(
        with_column("name TEXT COLLATE NOCASE"),
        probes=("DELETE FROM shop WHERE name = 'b'",),
    ),
    "conflicts": feature(
        "CREATE TABLE shop (id INTEGER PRIMARY KEY ON CONFLICT REPLACE,"
        " name TEXT NOT NULL ON CONFLICT IGNORE UNIQUE ON CONFLICT REPLACE,"
        " UNIQUE (name, id) ON CONFLICT IGNORE)",
        probes=(
            "INSERT INTO shop (id, name) VALUES (1, 'new')",
            "INSERT INTO shop (id, name) VALUES (2, NULL)",
            "INSERT INTO shop (id, name) VALUES (2, 'a')",
        ),
    ),
    "conflict_of_a_counted_key": feature(
        "CREATE TABLE shop"
        " (id INTEGER PRIMARY KEY ON CONFLICT IGNORE AUTOINCREMENT, name TEXT)",
        probes=("INSERT INTO shop (id, name) VALUES (1, 'new')",),
    ),
    "unique": feature(
        with_column(
            "name VARCHAR(20) UNIQUE",
            "a INT CONSTRAINT named UNIQUE",
            "[b c] DEFAULT NULL UNIQUE",
            "UNIQUE (a, [b c])",
        ),
        probes=("INSERT INTO shop (name) VALUES ('a')",),
    ),
    "defaults": feature(
        with_column(
            "name TEXT",
            "a TEXT DEFAULT ('it''s' || 'b')",
            "b INT DEFAULT ((1) + (2))",
            "c DEFAULT CURRENT_DATE",
            "d INT DEFAULT -1",
            "e BLOB DEFAULT x'00'",
            "f TEXT DEFAULT ':x 100%'",
            "g DEFAULT NULL",
            "h TEXT DEFAULT (strftime('%Y', 'now'))",
            "i INT DEFAULT ((1)\n + (2))",
            "j INT DEFAULT ((1 + (2)))",
            "k TEXT DEFAULT (\n(lower('A')\n || 'b')\n)",
        ),
        probes=("INSERT INTO shop (name) VALUES ('a')",),
    ),
    "types": feature(
        with_column(
            "name CITEXT",
            "a",
            "b UNSIGNED BIG INT",
            "c NUMERIC(10,2)",
            "d POINT",
            "e TINYINT",
            "f MONEY(1, 2)",
        ),
        probes=("INSERT INTO shop (name, a, b) VALUES ('a', '1', '1')",),
    ),
    "integer_key_that_is_no_rowid": feature(
        "CREATE TABLE shop (id INT PRIMARY KEY, name TEXT)",
        probes=("INSERT INTO shop (id, name) VALUES (NULL, 'x')",),
    ),
    "rowids": feature("CREATE TABLE shop (id TEXT UNIQUE, name TEXT, rowid TEXT)"),
    "comments": feature(
        "CREATE TABLE shop (id INTEGER PRIMARY KEY, -- UNIQUE, (\n name /* ), */ TEXT"
        " CHECK (name <> 'q' /* no */))",
        probes=("INSERT INTO shop (name) VALUES ('q')",),
    ),
}
