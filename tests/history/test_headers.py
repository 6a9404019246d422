"""The header of a file is what an import would tell, or it takes an import."""

from __future__ import annotations

import codecs
import gc
import py_compile
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType

import pytest
from alembic.script import ScriptDirectory
from hypothesis import example
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from async_alembic import RevisionFileError
from async_alembic.history.headers import Header
from async_alembic.history.headers import header_of
from async_alembic.history.headers import read_header
from async_alembic.history.listing import Folders
from async_alembic.history.reading import read_revision

from ..backends import EngineFactory
from ..harness import Caller
from ..harness import write_revision
from ..projects import names
from ..projects import Project

TEMPLATE = '''"""add users

Revision ID: b2
Revises: a1
Create Date: 2026-11-26 12:00:00.000000

"""
from typing import Sequence, Union

from alembic import op
import sqlalchemy as sa


# revision identifiers, used by Alembic.
revision: str = "b2"
down_revision: Union[str, Sequence[str], None] = "a1"
branch_labels: Union[str, Sequence[str], None] = None
depends_on: Union[str, Sequence[str], None] = ("c3", "d4")


def upgrade() -> None:
    """Upgrade schema."""
    op.create_table("users", sa.Column("id", sa.Integer()))
    raise RuntimeError
'''
HEADER = "revision = 'b2'\ndown_revision = 'a1'\n"


def read(source: bytes) -> Header | None:
    header = read_header(source, "revision_file.py")
    return header and as_alembic_shows(header)


def as_alembic_shows(header: Header) -> Header:
    """Without the space around its docstring."""
    return header._replace(doc=(header.doc or "").strip())


def imported(source: bytes) -> Header | None:
    """What the module has; None if it cannot be imported."""
    module = ModuleType("revision_file")

    try:
        exec(compile(source, "revision_file.py", "exec"), vars(module))
        return as_alembic_shows(header_of(module))
    except BaseException:
        return None


@pytest.mark.parametrize(
    "source",
    [
        TEMPLATE,
        TEMPLATE.replace("\n", "\r\n"),
        TEMPLATE.replace('"""', "'''"),
        TEMPLATE.replace('"""add', 'r"""add'),
        TEMPLATE.replace("add users", "add \\\\ users"),
        "# -*- coding: utf-8 -*-\n" + TEMPLATE,
        "#!/usr/bin/env python\n\n\n" + TEMPLATE,
        "\ufeff" + TEMPLATE,
        TEMPLATE.replace("raise", "op.execute('UPDATE revision SET x = 1'); raise"),
        TEMPLATE.replace("import op", "import (\n    op,\n)"),
        TEMPLATE.replace("# revision", "if op:\n    import os\n# revision"),
        HEADER,
        HEADER.rstrip(),
        HEADER + "branch_labels = ['x', \"y\",]\n",
        HEADER + "depends_on = ()\n",
        HEADER + "depends_on = (\n    'c3',\n    'd4',\n)\n",
        HEADER + "branch_labels = 'x'  # of ours\n",
        "revision = 'a1'; down_revision = None",
        "revision = 'a' '1'\ndown_revision = None",
    ],
)
def test_plain_literals_are_read_without_an_import(source: str) -> None:
    data = source.encode()
    header = read(data)
    assert header is not None
    assert header == imported(data.replace(b"raise RuntimeError", b"pass"))


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "utf-8", "utf-8-sig"])
@pytest.mark.parametrize("first", ["", "\n", "#!/usr/bin/python\n"])
def test_the_encoding_that_a_file_names_is_heeded(encoding: str, first: str) -> None:
    text = f"{first}# coding: {codecs.lookup(encoding).name}\n'''größer'''\n{HEADER}"
    data = text.encode(encoding)
    header = read(data)
    assert header == imported(data)


#: Pieces of files: what may stand before, between and after the assignments.
PIECES = [
    '"""a message\n\nRevision ID: x\n"""\n',
    '"""\n    indented\n      more\n\ttab\n"""\n',
    "'''revision = 'fake' '''\n",
    '"a docstring in one line"\n',
    '"""\nrevision = "fake"\ndown_revision = None\n"""\n',
    'text = """\nrevision = "fake"\ndown_revision = "fake"\n"""\n',
    "# revision = 'comment'\n",
    "\n",
    "import os\n",
    "import os as revision\n",
    "from os import path as depends_on, sep\n",
    "from os import (\n    path as down_revision,\n)\n",
    "from os import *\n",
    "revision = 'aa'\n",
    'revision: str = "bb"\n',
    "revision = '''cc'''\n",
    "revision = 'd' + 'd'\n",
    "revision = f'{1}'\n",
    "revision = b'ee'\n",
    "revision = ''\n",
    "revision = None\n",
    "revision = 12\n",
    "revision: str\n",
    "revision = down_revision = 'ff'\n",
    "revision, down_revision = 'gg', 'hh'\n",
    "revision = 'g\\x61'\n",
    "revision = 'a' \\\n    'b'\n",
    "revision = 'x'; down_revision = 'y'\n",
    "down_revision = None\n",
    "down_revision = 'aa'\n",
    "down_revision: 'str | None' = 'zz'\n",
    "down_revision = ('aa', 'bb')\n",
    "down_revision = ['aa',]\n",
    "down_revision = ('aa')\n",
    "down_revision = {'aa'}\n",
    "down_revision = ()\n",
    "down_revision = 1, 2\n",
    "branch_labels = None\n",
    "branch_labels = ('default',)\n",
    "branch_labels = [\n  'x',  # of ours\n  'y',\n]\n",
    "branch_labels = 'a' if 1 else 'b'\n",
    "depends_on = 'dd'\n",
    "depends_on = (None,)\n",
    "depends_on = None  # and a comment\n",
    "revision += '1'\n",
    "if True:\n    revision = 'in an if'\n",
    "try:\n    down_revision = 'in a try'\nexcept Exception as revision:\n    pass\n",
    "for revision in ['in a for']:\n    pass\n",
    "with open(__import__('os').devnull) as depends_on:\n    pass\n",
    "print(end='') if (revision := 'in a walrus') else None\n",
    "[down_revision := 'in a list' for _ in range(1)]\n",
    "def change():\n    global revision\n    revision = 'global'\nchange()\n",
    "def upgrade():\n    revision = 'local'\n    return revision\n",
    "class down_revision:\n    pass\n",
    "class Kept:\n    revision = 'of a class'\n",
    "def depends_on():\n    pass\n",
    "globals()['revision'] = 'magic'\n",
    "globals().update(down_revision='magic')\n",
    "vars()['revision'] = 'magic'\n",
    "exec('revision = \"magic\"')\n",
    'eval(\'globals().__setitem__("depends_on", "magic")\')\n',
    "__doc__ = 'another message'\n",
    "del revision\n",
    "match 'matched':\n    case revision:\n        pass\n",
    "match {'a': 1}:\n    case {**down_revision}:\n        pass\n",
    "match ['matched']:\n    case [*depends_on]:\n        pass\n",
    "import sys; setattr(sys.modules.get(__name__, sys), 'revision_x', 1)\n",
    "type_of = lambda revision: revision\n",
    "text = 'revision and depends_on'\n",
    "x = dict(revision='a')\n",
    "\f\n",
    "\x0c# after a form feed\n",
]


@settings(max_examples=600, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=7).map("".join), st.booleans())
@example("".join(PIECES[:1] + PIECES[-3:]), False)
def test_a_header_is_what_an_import_tells(text: str, windows: bool) -> None:
    """However odd a file is, its header is never another one than Alembic's."""
    data = (text.replace("\n", "\r\n") if windows else text).encode()
    header = read(data)

    if header is not None and (truth := imported(data)) is not None:
        assert header == truth


@pytest.mark.parametrize("piece", PIECES)
@pytest.mark.parametrize("first", [True, False])
def test_each_odd_piece_is_heeded(piece: str, first: bool) -> None:
    data = (piece + HEADER if first else HEADER + piece).encode()
    header = read(data)
    assert header is None or imported(data) in [None, header]


def test_headers_are_read_in_many_threads_at_once() -> None:
    """Python's parser may fail there, when it is left in the middle of a file."""
    source = f"{HEADER}\nx = {[(1, {2: [3]})] * 50}\n".encode().replace(
        b"'a1'", b"('a1',)"
    )
    threshold = gc.get_threshold()
    gc.callbacks.append(switch := lambda *_: time.sleep(1e-4))
    gc.set_threshold(300)

    try:
        with ThreadPoolExecutor(8) as threads:
            headers = set(threads.map(read, [source] * 1000))
    finally:
        gc.callbacks.remove(switch)
        gc.set_threshold(*threshold)

    # What Python failed at takes an import.
    assert headers - {None} == {Header("b2", ("a1",), None, None, "")}


def test_a_header_needs_no_import_of_the_file(
    tmp_path: Path, engines: EngineFactory, caller: Caller
) -> None:
    """What a revision imports, such as the app itself, can take seconds."""
    project = Project(tmp_path, engines)
    folder = tmp_path / "migrations"
    write_revision(folder, "a1", top="import nowhere_at_all")
    write_revision(folder, "b2", "a1", top="raise RuntimeError")
    assert names(caller(project.alembic, "heads")) == ["b2"]
    assert names(caller(project.alembic, "log")) == ["b2", "a1"]
    assert caller(project.alembic, "needs_upgrade")

    with pytest.raises(RevisionFileError, match="nowhere_at_all"):
        caller(project.alembic, "upgrade")

    assert caller(project.alembic, "current") == ()


def test_nothing_is_applied_if_a_later_file_is_broken(
    tmp_path: Path, engines: EngineFactory, caller: Caller
) -> None:
    project = Project(tmp_path, engines)
    folder = tmp_path / "migrations"
    write_revision(folder, "a1", upgrade="op.create_table('made')")
    path = write_revision(folder, "b2", "a1", top="raise RuntimeError('broken')")

    with pytest.raises(RevisionFileError, match="broken") as caught:
        caller(project.alembic, "upgrade")

    assert caught.value.path == str(path)
    assert caller(project.alembic, "current") == ()


def test_a_file_that_is_edited_meanwhile_is_not_run(
    tmp_path: Path, engines: EngineFactory
) -> None:
    """What was planned by its header must be what runs."""
    project = Project(tmp_path, engines)
    path = write_revision(tmp_path / "migrations", "a1")
    (script,) = project.alembic.sync.heads()
    path.write_text(path.read_text().replace("a1", "a2"))

    with pytest.raises(RevisionFileError, match="edited after it was read"):
        _ = script.module


FILE_NAMES = st.sampled_from(
    [
        *("a.py", "b.py", "c.py", "c.d.py", "__init__.py", "__init__x.py", ".#e.py"),
        *("f.pyc", "a.pyc", "g.txt", "h", "py", "i.py~", "j.PY"),
    ]
)
FOLDERS = st.sampled_from(["", "x", "x/y", "__pycache__", "x/__pycache__", "z.py"])


@settings(max_examples=80, deadline=None)
@given(
    st.lists(st.tuples(FOLDERS, FILE_NAMES), max_size=8),
    st.lists(st.tuples(FOLDERS, FILE_NAMES), max_size=2),
    st.booleans(),
    st.booleans(),
    st.lists(st.sampled_from(["", "x", "./", "missing"]), min_size=1, max_size=3),
)
def test_the_files_are_those_that_alembic_finds(
    tmp_path_factory: pytest.TempPathFactory,
    files: list[tuple[str, str]],
    links: list[tuple[str, str]],
    sourceless: bool,
    recursive: bool,
    folders: list[str],
) -> None:
    """In any tree, with links, bytecode, and folders that are named twice."""
    root = tmp_path_factory.mktemp("tree")

    for number, (folder, name) in enumerate(dict.fromkeys(files)):
        path = root / folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"revision = 'r{number}'\ndown_revision = None\n")

        if name.endswith(".pyc"):
            source = path.rename(path.with_suffix(".source"))
            py_compile.compile(str(source), str(path), doraise=True)

    for folder, name in links:
        path = root / folder / f"link_{name}"
        path.parent.mkdir(parents=True, exist_ok=True)

        # Alembic stumbles over a link to nowhere.
        if (root / name).exists() and not path.is_symlink():
            path.symlink_to(root / name)

    others = tuple(str(root / folder) for folder in folders)
    ours = Folders(str(root), others, sourceless, recursive)
    scripts = ScriptDirectory(
        str(root),
        version_locations=ours.paths,
        sourceless=sourceless,
        recursive_version_locations=recursive,
    )
    read = {path for path in ours.list_files() if read_revision(ours, path)}

    with warnings.catch_warnings():
        # It warns of what it finds twice.
        warnings.simplefilter("ignore")
        walked = {script.path for script in scripts.walk_revisions()}

    assert read == walked
