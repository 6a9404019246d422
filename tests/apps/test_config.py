"""``ALEMBIC`` and ``ALEMBIC_CONTEXT``: what may stand in an ``alembic.ini`` may stand
here.
"""

from __future__ import annotations

import copy
import inspect
import json
import os
import sys
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.runtime.environment import EnvironmentContext
from hypothesis import example
from hypothesis import given
from hypothesis import HealthCheck
from hypothesis import settings
from hypothesis import strategies as st

from async_alembic import Alembic
from async_alembic import AsyncAlembicError
from async_alembic import ConfigurationError
from async_alembic.apps import known_settings
from async_alembic.apps.alembic_config import build_config
from async_alembic.apps.settings import set_defaults
from async_alembic.apps.settings import Settings

from ..backends import Backend
from ..backends import by_id
from ..backends import EngineFactory
from ..backends import on
from ..harness import Caller
from ..harness import make_app
from ..harness import write_revision
from ..projects import names
from ..projects import Project

FILE = by_id("sqlite-sqlite3")


def make_settings(root: Path | str = "/app", **options: Any) -> Settings:
    app_config: dict[str, Any] = {"ALEMBIC": options}
    set_defaults(app_config)
    return Settings(str(root), app_config)


def option(key: str, value: object, section: str = "alembic") -> str | None:
    """What Alembic reads of an option."""
    options = {key: value} if section == "alembic" else {section: {key: value}}
    config = build_config(make_settings(**options), ["default"])
    return config.get_section_option(section, key)


class TestValues:
    @pytest.mark.parametrize("section", ["alembic", "post_write_hooks", "shop"])
    @pytest.mark.parametrize(
        ("value", "expected"),
        [
            ("text", "text"),
            ("", ""),
            (True, "true"),
            (False, "false"),
            (12, "12"),
            (1.5, "1.5"),
            (Path("/tmp/x"), "/tmp/x"),
            (["a", "b"], f"a{os.pathsep}b"),
            (("a", Path("b")), f"a{os.pathsep}b"),
            ([], ""),
            (None, None),
            ("50%", "50%"),
            ("50%%", "50%"),
            ("%(rev)s", "%(rev)s"),
            ("%%(rev)s", "%(rev)s"),
            ("%d%%", "%d%%"),
            ("two\nlines", "two\nlines"),
        ],
    )
    def test_every_kind_of_value_becomes_text(
        self, section: str, value: object, expected: str | None
    ) -> None:
        options: dict[str, Any] = {"key": value, "other": "x"}
        options = options if section == "alembic" else {section: options}
        config = build_config(make_settings(**options), ["default"])
        assert config.get_section_option(section, "key") == expected

    @given(st.text(st.characters(exclude_characters="%")))
    def test_any_text_is_kept(self, text: str) -> None:
        assert option("owner", text) == text
        assert option("owner", text, "shop") == text

    @given(st.lists(st.sampled_from(["%", "%%", "%(owner)s", "%(", ")s", "x"])))
    @example(["%(owner)s"])
    def test_any_per_cent_signs_can_be_read_back(self, parts: list[str]) -> None:
        text = "".join(parts)
        read = option("key", text)
        assert read is not None
        assert read.replace("%", "") == text.replace("%", "")

    @pytest.mark.parametrize("backwards", [False, True])
    def test_a_value_may_refer_to_another(self, backwards: bool) -> None:
        """As in an ini file, where the order does not matter."""
        options = {"owner": "us", "key": "of %(owner)s"}

        if backwards:
            options = dict(reversed(options.items()))

        config = build_config(make_settings(**options), ["default"])
        assert config.get_main_option("key") == "of us"

    def test_here_is_the_apps_root(self, tmp_path: Path) -> None:
        """What ``alembic init`` writes: ``script_location = %(here)s/migrations``."""
        settings = make_settings(
            tmp_path,
            script_location="%(here)s/migrations",
            version_locations=["%(here)s/more"],
            key="%(here)s/data",
        )
        assert settings.script_location == str(tmp_path / "migrations")
        assert settings.version_locations == [str(tmp_path / "more")]
        config = build_config(settings, ["default"])
        assert config.get_main_option("key") == str(tmp_path / "data")
        location = config.get_main_option("script_location")
        assert location == str(tmp_path / "migrations")

    @pytest.mark.parametrize(
        ("separator", "expected"),
        [("os", os.pathsep), ("space", " "), ("newline", "\n"), (";", ";"), (":", ":")],
    )
    def test_lists_are_joined_as_path_separator_says(
        self, separator: str, expected: str
    ) -> None:
        config = build_config(
            make_settings(path_separator=separator, prepend_sys_path=["/a", "/b"]),
            ["default"],
        )
        assert config.get_main_option("prepend_sys_path") == f"/a{expected}/b"
        assert config.get_prepend_sys_paths_list() == ["/a", "/b"]
        locations = config.get_version_locations_list()
        assert locations == ["/app/migrations"]

    @pytest.mark.parametrize("hooks", ["one, two", "one two", ["one", "two"]])
    def test_hooks_may_be_a_list(self, hooks: Any) -> None:
        config = build_config(
            make_settings(
                post_write_hooks={
                    "hooks": hooks,
                    "one.type": "exec",
                    "one.executable": "%(here)s/one",
                    "two.type": "exec",
                    "two.options": "100%",
                }
            ),
            ["default"],
        )
        first, second = config.get_hooks_list()
        assert (first["_hook_name"], second["_hook_name"]) == ("one", "two")
        assert second["options"] == "100%"

    def test_a_section_is_any_mapping(self) -> None:
        shop = MappingProxyType({"colour": "red"})
        config = build_config(make_settings(shop=shop), ["default"])
        assert config.get_section("shop", {})["colour"] == "red"

    def test_the_apps_own_config_is_not_changed_by_building_one(self) -> None:
        options = {"owner": "us", "shop": {"colour": "red"}, "version_locations": ["x"]}
        app_config: dict[str, Any] = {"ALEMBIC": options}
        set_defaults(app_config)
        before = copy.deepcopy(options)
        build_config(Settings("/app", app_config), ["a", "b"])
        assert app_config["ALEMBIC"] == before


class TestLocations:
    @pytest.mark.parametrize("name", ["migrations", "db/alembic", "/elsewhere/files"])
    def test_relative_ones_start_at_the_apps_root(
        self, tmp_path: Path, engines: EngineFactory, caller: Caller, name: str
    ) -> None:
        if os.path.isabs(name):
            name = str(tmp_path.joinpath(*Path(name).parts[1:]))

        project = Project(tmp_path / "app", engines, script_location=name)
        folder = tmp_path / "app" / name
        assert (folder / "script.py.mako").is_file()
        (script,) = caller(project.alembic, "revision", "one", True)
        assert Path(script.path).parent == folder
        assert project.alembic.config.get_main_option("script_location") == str(folder)
        assert project.alembic.script_directory.dir == str(folder)

    def test_they_may_be_paths(
        self, tmp_path: Path, engines: EngineFactory, caller: Caller
    ) -> None:
        project = Project(
            tmp_path / "app",
            engines,
            script_location=tmp_path / "files",
            version_locations=[Path("more"), ("users", tmp_path / "users")],
        )
        write_revision(tmp_path / "files", "aaaa")
        write_revision(tmp_path / "app" / "more", "bbbb", "aaaa")
        write_revision(tmp_path / "users", "cccc", "bbbb")
        assert names(caller(project.alembic, "log")) == ["cccc", "bbbb", "aaaa"]

    def test_they_may_be_in_a_package(
        self,
        tmp_path: Path,
        engines: EngineFactory,
        caller: Caller,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        package = tmp_path / "lib" / "shop_of_the_tests"
        package.mkdir(parents=True)
        (package / "__init__.py").touch()
        monkeypatch.syspath_prepend(tmp_path / "lib")

        try:
            project = Project(
                tmp_path / "app",
                engines,
                script_location="shop_of_the_tests:files",
                version_locations=[("users", "shop_of_the_tests:users/files")],
            )
            (one,) = caller(project.alembic, "revision", "one", True)
            assert Path(one.path).parent == package / "files"
            (two,) = caller(project.alembic, "revision", "two", True, "users")
            assert Path(two.path).parent == package / "users" / "files"
            assert len(caller(project.alembic, "upgrade")) == 2
        finally:
            sys.modules.pop("shop_of_the_tests", None)

    def test_a_package_that_is_not_there_is_named(
        self, tmp_path: Path, engines: EngineFactory
    ) -> None:
        with pytest.raises(ConfigurationError, match="'nowhere_at_all'"):
            Project(tmp_path, engines, script_location="nowhere_at_all:files")

    @pytest.mark.parametrize("text", ["more", "more{0}other"])
    def test_version_locations_may_be_written_as_in_an_ini_file(
        self, tmp_path: Path, text: str
    ) -> None:
        settings = make_settings(tmp_path, version_locations=text.format(os.pathsep))
        expected = [str(tmp_path / name) for name in ("more", "other")]
        assert settings.version_locations == expected[: 1 + (text != "more")]

    @pytest.mark.parametrize(
        "item", [12, None, ("a",), ("a", "b", "c"), (1, "a"), {"a": "b"}, ["a"]]
    )
    def test_what_is_no_version_location_is_named(
        self, tmp_path: Path, engines: EngineFactory, item: object
    ) -> None:
        with pytest.raises(ConfigurationError, match="version_locations") as caught:
            Project(tmp_path, engines, version_locations=["fine", item])

        assert repr(item) in str(caught.value)


class TestMistakes:
    """Each is told in a sentence that names the key."""

    @pytest.mark.parametrize("key", ["ALEMBIC", "ALEMBIC_CONTEXT"])
    @pytest.mark.parametrize("value", ["migrations", ["migrations"], None, 1])
    def test_the_settings_must_be_a_dict(
        self, tmp_path: Path, key: str, value: Any
    ) -> None:
        app = make_app("flask", tmp_path, **{key: value})

        with pytest.raises(ConfigurationError, match=rf"app.config\['{key}'\]"):
            Alembic(app, metadatas=sa.MetaData())

    @pytest.mark.parametrize(
        ("key", "value"),
        [
            ("script_location", None),
            ("script_location", 12),
            ("script_location", ["migrations"]),
            ("version_locations", None),
            ("version_locations", 12),
            ("path_separator", "comma"),
            ("truncate_slug_length", "long"),
            ("output_encoding", "no-such-encoding"),
            ("timezone", "Nowhere/At_All"),
            ("file_template", "%(nothing)s"),
            ("post_write_hooks", "black"),
        ],
    )
    def test_a_value_that_makes_no_sense_is_named(
        self,
        tmp_path: Path,
        engines: EngineFactory,
        caller: Caller,
        key: str,
        value: Any,
    ) -> None:
        with pytest.raises(AsyncAlembicError, match=key):
            project = Project(tmp_path, engines, **{key: value})
            caller(project.alembic, "revision", "one", True)

        assert list(tmp_path.rglob("*.py")) == []

    @pytest.mark.parametrize("folder", ["file", "file/below"])
    def test_a_folder_that_cannot_be_made_is_named(
        self, tmp_path: Path, engines: EngineFactory, folder: str
    ) -> None:
        (tmp_path / "file").touch()

        with pytest.raises(ConfigurationError, match=folder):
            Project(tmp_path, engines, script_location=folder)

    @pytest.mark.parametrize(
        "key", ["connection", "url", "dialect_name", "target_metadata", "fn"]
    )
    def test_what_the_extension_sets_cannot_be_set(
        self, tmp_path: Path, engines: EngineFactory, caller: Caller, key: str
    ) -> None:
        project = Project(tmp_path, engines, context={key: None})

        with pytest.raises(ConfigurationError, match=f"'{key}'"):
            caller(project.alembic, "current")


class TestContext:
    def test_its_arguments_are_passed_on(
        self, tmp_path: Path, engines: EngineFactory, caller: Caller
    ) -> None:
        project = Project(
            tmp_path,
            engines,
            context={"version_table": "shop_version", "something_of_ours": 1},
        )
        write_revision(
            project.folder,
            "aaaa",
            upgrade="assert op.get_context().opts['something_of_ours'] == 1",
        )
        caller(project.alembic, "upgrade")
        rows = caller.query(project.engine, "SELECT version_num FROM shop_version")
        assert rows == [("aaaa",)]
        assert names(caller(project.alembic, "current")) == ["aaaa"]
        assert not caller(project.alembic, "needs_revision")

    @pytest.mark.parametrize("compare", [True, False])
    def test_comparison_is_as_it_says(
        self, tmp_path: Path, engines: EngineFactory, caller: Caller, compare: bool
    ) -> None:
        metadata = sa.MetaData()
        sa.Table(
            "users",
            metadata,
            sa.Column("id", sa.Integer, primary_key=True),
            sa.Column("name", sa.String(20), server_default="new"),
        )
        project = Project(
            tmp_path,
            engines,
            metadatas=metadata,
            context={"compare_type": compare, "compare_server_default": compare},
        )
        caller.execute(
            project.engine,
            "CREATE TABLE users (id INTEGER NOT NULL PRIMARY KEY,"
            " name VARCHAR(10) DEFAULT 'old')",
        )
        (*differences,) = caller(project.alembic, "compare_metadata")
        kinds = {d[0] for group in differences for d in group}
        assert kinds == ({"modify_type", "modify_default"} if compare else set())

    @on([by_id("postgresql-psycopg2"), by_id("postgresql-asyncpg")])
    def test_tables_and_the_version_may_be_in_schemas(
        self, backend: Backend, tmp_path: Path, engines: EngineFactory, caller: Caller
    ) -> None:
        metadata = sa.MetaData()
        sa.Table(
            "users",
            metadata,
            sa.Column("id", sa.Integer, primary_key=True),
            schema="shop",
        )
        project = Project(
            tmp_path,
            engines,
            backend=backend,
            metadatas=metadata,
            context={
                "version_table_schema": "meta",
                "include_schemas": True,
                "include_name": lambda name, type_, names: name != "theirs",
            },
        )
        caller.execute(
            project.engine,
            "CREATE SCHEMA meta",
            "CREATE SCHEMA shop",
            "CREATE SCHEMA theirs",
            "CREATE TABLE theirs.things (id INTEGER)",
        )
        (script,) = caller(project.alembic, "revision", "users")
        text = Path(script.path).read_text()
        assert "schema='shop'" in text
        assert "things" not in text and "alembic_version" not in text
        assert names(caller(project.alembic, "upgrade")) == [script.revision]
        rows = caller.query(project.engine, "SELECT * FROM meta.alembic_version")
        assert rows == [(script.revision,)]
        assert caller.query(project.engine, "SELECT * FROM shop.users") == []
        assert caller(project.alembic, "revision", "nothing") == []
        assert caller(project.alembic, "status")["default"].state == "current"
        assert names(caller(project.alembic, "downgrade")) == [script.revision]

    def test_a_change_of_it_takes_effect_at_once(
        self, tmp_path: Path, engines: EngineFactory, caller: Caller
    ) -> None:
        """Tests of apps change their config after the extension was set up."""
        project = Project(tmp_path, engines)
        write_revision(project.folder, "aaaa")
        caller(project.alembic, "upgrade")
        project.app.config["ALEMBIC_CONTEXT"]["version_table"] = "another"
        assert caller(project.alembic, "current") == ()


class TestDatabases:
    """``sqlalchemy.url`` and the sections, as revisions read them."""

    READ = """
        import json
        from pathlib import Path
        config = op.get_context().config
        options = {
            name: config.get_section_option(name, "sqlalchemy.url")
            for name in ["alembic", *config.file_config.sections()]
        }
        options["databases"] = config.get_main_option("databases")
        Path(op.get_context().config.get_main_option("out")).write_text(
            json.dumps(options)
        )
    """

    def read(
        self, project: Project, caller: Caller, several: bool = False
    ) -> dict[str, str | None]:
        """Upgrade, and return what the revision has read."""
        args = "engine_name" if several else ""
        write_revision(project.folder, "aaaa", upgrade=self.READ, args=args)
        caller(project.alembic, "upgrade")
        out = project.alembic.config.get_main_option("out")
        assert out is not None
        read: dict[str, str | None] = json.loads(Path(out).read_text())
        return read

    def test_it_is_the_engines(
        self, tmp_path: Path, engines: EngineFactory, caller: Caller
    ) -> None:
        root = tmp_path / "50% of @ ü"
        root.mkdir()
        out = str(tmp_path / "out.json")
        project = Project(root, engines, backend=FILE, out=out)
        engine = sa.create_engine(sa.URL.create("sqlite", database=str(root / "x.db")))
        project.engines["default"] = engine
        alembic = Alembic(
            project.app,
            metadatas=project.metadatas,
            engines=engine,
            command_name="",
        )
        project.alembic = alembic
        url = engine.url.render_as_string(hide_password=False)
        assert self.read(project, caller) == {"alembic": url, "databases": None}
        assert alembic.config.get_main_option("sqlalchemy.url") == url
        engine.dispose()

    def test_the_users_own_is_kept(
        self, tmp_path: Path, engines: EngineFactory, caller: Caller
    ) -> None:
        out = str(tmp_path / "out.json")
        options: dict[str, Any] = {"sqlalchemy.url": "sqlite:///their.db"}
        project = Project(tmp_path, engines, out=out, **options)
        assert self.read(project, caller)["alembic"] == "sqlite:///their.db"
        assert not (tmp_path / "their.db").exists()

    def test_several_have_a_section_each(
        self, tmp_path: Path, engines: EngineFactory, caller: Caller
    ) -> None:
        project = Project(
            tmp_path,
            engines,
            backend=FILE,
            metadatas={"default": sa.MetaData(), "log": sa.MetaData()},
            out=str(tmp_path / "out.json"),
            log={"retention": 30},
        )
        urls = {
            name: engine.url.render_as_string(hide_password=False)
            for name, engine in project.engines.items()
        }
        read = self.read(project, caller, several=True)
        assert read == {
            "alembic": urls["default"],
            **urls,
            "databases": "default, log",
        }
        assert project.alembic.config.get_section_option("log", "retention") == "30"

    def test_the_url_of_a_section_is_kept_too(
        self, tmp_path: Path, engines: EngineFactory, caller: Caller
    ) -> None:
        project = Project(
            tmp_path,
            engines,
            metadatas={"default": sa.MetaData(), "log": sa.MetaData()},
            out=str(tmp_path / "out.json"),
            log={"sqlalchemy.url": "sqlite:///their.db"},
        )
        read = self.read(project, caller, several=True)
        assert read["log"] == "sqlite:///their.db"
        assert read["default"] != "sqlite:///their.db"

    def test_a_revision_can_read_the_config_through_alembics_context(
        self, tmp_path: Path, engines: EngineFactory, caller: Caller
    ) -> None:
        options: dict[str, Any] = {"a.b": True}
        project = Project(
            tmp_path, engines, owner="us", shop={"colour": "red"}, **options
        )
        write_revision(
            project.folder,
            "aaaa",
            top="from alembic import context",
            upgrade="""
                assert context.config.get_main_option("owner") == "us"
                assert context.config.get_section("shop")["colour"] == "red"
                assert context.config.get_main_option("a.b") == "true"
                assert context.get_x_argument() == []
                assert context.get_x_argument(as_dictionary=True) == {}
                assert context.is_offline_mode() is False
                assert context.get_context() is op.get_context()
                assert context.script.get_current_head() == "aaaa"
            """,
        )
        assert names(caller(project.alembic, "upgrade")) == ["aaaa"]


def test_a_path_to_import_from_is_added_once(
    tmp_path: Path,
    engines: EngineFactory,
    caller: Caller,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Revisions import the user's own types from there."""
    monkeypatch.setattr(sys, "path", sys.path.copy())
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "types_of_the_shop.py").write_text("SIZE = 20\n")
    project = Project(
        tmp_path / "app", engines, prepend_sys_path=[str(tmp_path / "lib")]
    )

    try:
        for revision, after in ("aaaa", None), ("bbbb", "aaaa"):
            write_revision(
                project.folder,
                revision,
                after,
                top="from types_of_the_shop import SIZE",
            )
            assert names(caller(project.alembic, "upgrade")) == [revision]
    finally:
        sys.modules.pop("types_of_the_shop", None)

    assert sys.path.count(str(tmp_path / "lib")) == 1


@settings(
    max_examples=20,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.text("abc %()[]{}#;=:'\"\\$é\u2028", min_size=1, max_size=8))
@example("%(here)s")
@example("100%")
@example("a:b")
def test_an_app_may_be_in_any_folder(
    tmp_path: Path, engines: EngineFactory, caller: Caller, name: str
) -> None:
    """Whatever a user's folder is called, it is no syntax."""
    number = len(list(tmp_path.iterdir()))
    root = tmp_path / f"{number}" / f"x{name}x"
    project = Project(root, engines)
    (script,) = caller(project.alembic, "revision", "one", True)
    assert Path(script.path).parent == root / "migrations"
    assert names(caller(project.alembic, "upgrade")) == [script.revision]
    project.engines["default"].dispose()


@pytest.mark.parametrize(
    ("key", "name", "meant"),
    [
        ("ALEMBIC", "script_locations", "script_location"),
        ("ALEMBIC", "File_Template", "file_template"),
        ("ALEMBIC", "sqlalchemy_url", "sqlalchemy.url"),
        ("ALEMBIC_CONTEXT", "compare_types", "compare_type"),
        ("ALEMBIC_CONTEXT", "include_objects", "include_object"),
        (None, "ALEMBIC_LOCK_TIME_OUT", "ALEMBIC_LOCK_TIMEOUT"),
        (None, "ALEMBIC_SESSIONS", "ALEMBIC_SESSION"),
    ],
)
def test_a_misspelt_setting_is_refused_with_the_one_that_is_meant(
    key: str | None, name: str, meant: str, tmp_path: Path, engines: EngineFactory
) -> None:
    project = Project(tmp_path, engines)
    config = project.app.config[key] if key else project.app.config
    config[name] = "x"

    for method in "upgrade", "current", "log", "revision":
        with pytest.raises(ConfigurationError) as caught:
            getattr(project.alembic.sync, method)(*["x"] * (method == "revision"))

        assert f"'{name}'. Did you mean '{meant}'?" in str(caught.value)


def test_settings_that_look_like_none_are_the_apps_own(
    tmp_path: Path, engines: EngineFactory
) -> None:
    """Revisions and plugins read them."""
    project = Project(tmp_path, engines, context={"pg_functions": []}, tenant="acme")
    project.app.config["ALEMBIC_CUSTOMERS"] = ["acme"]
    code = "assert op.get_context().opts['pg_functions'] == []"
    write_revision(project.folder, "a1", None, code)
    assert names(project.alembic.sync.upgrade()) == ["a1"]


def test_every_argument_of_configure_is_known() -> None:
    arguments = inspect.signature(EnvironmentContext.configure).parameters
    # The first and the last stand for the object and for all others.
    assert {*arguments} - {"self", "kw"} <= known_settings._CONTEXT


def test_session_settings_of_an_unknown_database_are_refused(
    tmp_path: Path, engines: EngineFactory
) -> None:
    project = Project(tmp_path, engines)
    project.app.config["ALEMBIC_SESSION"] = {"other": {"cache_size": 1}}

    with pytest.raises(ConfigurationError, match=r"\['other'\].*databases are default"):
        project.alembic.sync.current()
