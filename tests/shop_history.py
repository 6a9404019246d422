"""The history of a shop, as Flask-Migrate's users write theirs: thirty-one revisions
with the idioms that are found in public ones.

It is to run on SQLite, PostgreSQL and MariaDB alike.
"""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Revision:
    message: str
    upgrade: str
    downgrade: str
    top: str = ""
    after: tuple[str, ...] | None = None
    """The parents, if it is not the one before."""


HISTORY = {
    "1a2b3c4d0001": Revision(
        "users",
        """
        op.create_table('users',
        sa.Column('id', sa.Integer(), nullable=False),
        sa.Column('email', sa.String(length=120), nullable=False),
        sa.Column('name', sa.String(length=50), nullable=True),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_users'))
        )
        """,
        "op.drop_table('users')",
    ),
    "1a2b3c4d0002": Revision(
        "index of emails",
        """
        with op.batch_alter_table('users', schema=None) as batch_op:
            batch_op.create_index(batch_op.f('ix_users_email'), ['email'], unique=True)
        """,
        """
        with op.batch_alter_table('users', schema=None) as batch_op:
            batch_op.drop_index(batch_op.f('ix_users_email'))
        """,
    ),
    "1a2b3c4d0003": Revision(
        "posts",
        """
        op.create_table('posts',
        sa.Column('id', sa.Integer(), nullable=False),
        sa.Column('user_id', sa.Integer(), nullable=False),
        sa.Column('title', sa.String(length=50), nullable=False),
        sa.Column('body', sa.Text(), nullable=True),
        sa.Column('created_at', sa.DateTime(), server_default=sa.func.now(),
                  nullable=False),
        sa.ForeignKeyConstraint(['user_id'], ['users.id'],
                                name=op.f('fk_posts_user_id_users'),
                                ondelete='CASCADE'),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_posts'))
        )
        """,
        "op.drop_table('posts')",
    ),
    "1a2b3c4d0004": Revision(
        "the first users",
        """
        users = sa.table('users', sa.column('id', sa.Integer),
                         sa.column('email', sa.String), sa.column('name', sa.String))
        op.bulk_insert(users, [
            {'id': 1, 'email': 'ann@example.org', 'name': 'Ann'},
            {'id': 2, 'email': 'bob@example.org', 'name': None},
            {'id': 3, 'email': 'o\\'neil@example.org', 'name': '50% "größe" :x'},
        ])
        """,
        "op.execute('DELETE FROM users')",
    ),
    "1a2b3c4d0005": Revision(
        "a column with a default",
        """
        with op.batch_alter_table('users', schema=None) as batch_op:
            batch_op.add_column(sa.Column('is_active', sa.Boolean(),
                                          server_default=sa.true(), nullable=False))
            batch_op.add_column(sa.Column('points', sa.Integer(), nullable=True))
        """,
        """
        with op.batch_alter_table('users', schema=None) as batch_op:
            batch_op.drop_column('points')
            batch_op.drop_column('is_active')
        """,
    ),
    "1a2b3c4d0006": Revision(
        "fill it with SQL",
        """
        conn = op.get_bind()
        conn.execute(sa.text('UPDATE users SET points = :points WHERE id < :id'),
                     {'points': 10, 'id': 3})
        conn.execute(sa.text("UPDATE users SET points = 0 WHERE points IS NULL"))
        op.execute("UPDATE users SET name = 'nobody' WHERE name IS NULL"
                   " AND email LIKE '%@example.org'")
        """,
        "op.execute('UPDATE users SET points = NULL')",
    ),
    "1a2b3c4d0007": Revision(
        "then no nulls",
        """
        with op.batch_alter_table('users', schema=None) as batch_op:
            batch_op.alter_column('points', existing_type=sa.Integer(), nullable=False)
        """,
        """
        with op.batch_alter_table('users', schema=None) as batch_op:
            batch_op.alter_column('points', existing_type=sa.Integer(), nullable=True)
        """,
    ),
    "1a2b3c4d0008": Revision(
        "posts by the ORM",
        """
        bind = op.get_bind()
        session = orm.Session(bind=bind)

        for user in session.scalars(sa.select(User).order_by(User.id)):
            session.add(Post(id=user.id, user_id=user.id, title=f'By {user.email}'))

        session.commit()
        """,
        """
        session = orm.Session(bind=op.get_bind())
        session.execute(sa.delete(Post))
        session.commit()
        """,
        top="""
        from sqlalchemy import orm

        class Base(orm.DeclarativeBase):
            pass

        class User(Base):
            __tablename__ = 'users'
            id = orm.mapped_column(sa.Integer, primary_key=True)
            email = orm.mapped_column(sa.String(120))

        class Post(Base):
            __tablename__ = 'posts'
            id = orm.mapped_column(sa.Integer, primary_key=True)
            user_id = orm.mapped_column(sa.Integer)
            title = orm.mapped_column(sa.String(50))
        """,
    ),
    "1a2b3c4d0009": Revision(
        "a table and its rows",
        """
        categories = op.create_table('categories',
        sa.Column('id', sa.Integer(), nullable=False),
        sa.Column('name', sa.String(length=30), nullable=False),
        sa.Column('parent_id', sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_categories'))
        )
        op.bulk_insert(categories, [{'id': i, 'name': f'category {i}'}
                                    for i in range(1, 6)])
        """,
        "op.drop_table('categories')",
    ),
    "1a2b3c4d0010": Revision(
        "it points to itself",
        """
        with op.batch_alter_table('categories', schema=None) as batch_op:
            batch_op.create_foreign_key(
                batch_op.f('fk_categories_parent_id_categories'),
                'categories', ['parent_id'], ['id'])
        op.execute('UPDATE categories SET parent_id = 1 WHERE id > 1')
        """,
        """
        with op.batch_alter_table('categories', schema=None) as batch_op:
            batch_op.drop_constraint(
                batch_op.f('fk_categories_parent_id_categories'), type_='foreignkey')
        """,
    ),
    "1a2b3c4d0011": Revision(
        "an enum",
        """
        status.create(op.get_bind(), checkfirst=True)
        with op.batch_alter_table('posts', schema=None) as batch_op:
            batch_op.add_column(sa.Column('status', status, server_default='draft',
                                          nullable=False))
        """,
        """
        with op.batch_alter_table('posts', schema=None) as batch_op:
            batch_op.drop_column('status')
        status.drop(op.get_bind(), checkfirst=True)
        """,
        top="status = sa.Enum('draft', 'published', name='poststatus')",
    ),
    "1a2b3c4d0012": Revision(
        "a table with the same enum",
        """
        op.create_table('drafts',
        sa.Column('id', sa.Integer(), nullable=False),
        sa.Column('status', status, nullable=True),
        sa.PrimaryKeyConstraint('id')
        )
        """,
        "op.drop_table('drafts')",
        top="""
        from sqlalchemy.dialects import postgresql
        status = sa.Enum('draft', 'published', name='poststatus').with_variant(
            postgresql.ENUM('draft', 'published', name='poststatus',
                            create_type=False), 'postgresql')
        """,
    ),
    "1a2b3c4d0013": Revision(
        "another value of the enum",
        """
        context = op.get_context()

        if context.dialect.name == 'postgresql':
            with context.autocommit_block():
                op.execute("ALTER TYPE poststatus ADD VALUE 'archived'")
        else:
            with op.batch_alter_table('posts') as batch_op:
                batch_op.alter_column('status', type_=new, existing_type=old,
                                      existing_server_default='draft',
                                      existing_nullable=False)
        """,
        """
        if op.get_context().dialect.name != 'postgresql':
            with op.batch_alter_table('posts') as batch_op:
                batch_op.alter_column('status', type_=old, existing_type=new,
                                      existing_server_default='draft',
                                      existing_nullable=False)
        """,
        top="""
        old = sa.Enum('draft', 'published', name='poststatus')
        new = sa.Enum('draft', 'published', 'archived', name='poststatus')
        """,
    ),
    "1a2b3c4d0014": Revision(
        "the value in use",
        "op.execute(\"UPDATE posts SET status = 'archived' WHERE id = 1\")",
        "op.execute(\"UPDATE posts SET status = 'draft'\")",
    ),
    "1a2b3c4d0015": Revision(
        "settings as JSON",
        """
        with op.batch_alter_table('users', schema=None) as batch_op:
            batch_op.add_column(sa.Column('settings', sa.JSON(), nullable=True))
        users = sa.table('users', sa.column('id', sa.Integer),
                         sa.column('settings', sa.JSON))
        conn = op.get_bind()

        for row in conn.execute(sa.select(users.c.id)).fetchall():
            conn.execute(users.update().where(users.c.id == row.id).values(
                settings={'theme': 'dark', 'tags': [row.id, None, 'ü']}))
        """,
        """
        with op.batch_alter_table('users', schema=None) as batch_op:
            batch_op.drop_column('settings')
        """,
    ),
    "1a2b3c4d0016": Revision(
        "tags",
        """
        op.create_table('tags',
        sa.Column('id', sa.Integer(), nullable=False),
        sa.Column('name', sa.String(length=30), nullable=False),
        sa.PrimaryKeyConstraint('id')
        )
        op.create_table('post_tags',
        sa.Column('post_id', sa.Integer(), nullable=False),
        sa.Column('tag_id', sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(['post_id'], ['posts.id'], name='fk_post_tags_post'),
        sa.ForeignKeyConstraint(['tag_id'], ['tags.id'], name='fk_post_tags_tag'),
        sa.PrimaryKeyConstraint('post_id', 'tag_id')
        )
        """,
        """
        op.drop_table('post_tags')
        op.drop_table('tags')
        """,
    ),
    "1a2b3c4d0017": Revision(
        "tags are unique",
        """
        with op.batch_alter_table('tags', schema=None) as batch_op:
            batch_op.create_unique_constraint('uq_tags_name', ['name'])
        """,
        """
        with op.batch_alter_table('tags', schema=None) as batch_op:
            batch_op.drop_constraint('uq_tags_name', type_='unique')
        """,
    ),
    "1a2b3c4d0018": Revision(
        "rows from a query",
        """
        op.execute("INSERT INTO tags (id, name) SELECT id, name FROM categories")
        op.execute(sa.text("INSERT INTO post_tags (post_id, tag_id)"
                           " SELECT p.id, t.id FROM posts p, tags t"
                           " WHERE t.name <> :name").bindparams(name='category 5'))
        """,
        """
        op.execute('DELETE FROM post_tags')
        op.execute('DELETE FROM tags')
        """,
    ),
    "1a2b3c4d0019": Revision(
        "a longer title",
        """
        with op.batch_alter_table('posts', schema=None) as batch_op:
            batch_op.alter_column('title', existing_type=sa.VARCHAR(length=50),
                                  type_=sa.String(length=120), existing_nullable=False)
        """,
        """
        with op.batch_alter_table('posts', schema=None) as batch_op:
            batch_op.alter_column('title', existing_type=sa.String(length=120),
                                  type_=sa.VARCHAR(length=50), existing_nullable=False)
        """,
    ),
    "1a2b3c4d0020": Revision(
        "names are full names",
        """
        with op.batch_alter_table('users') as batch_op:
            batch_op.alter_column('name', new_column_name='full_name',
                                  existing_type=sa.String(length=50))
        """,
        """
        with op.batch_alter_table('users') as batch_op:
            batch_op.alter_column('full_name', new_column_name='name',
                                  existing_type=sa.String(length=50))
        """,
    ),
    "1a2b3c4d0021": Revision(
        "drafts, if they are there",
        """
        inspector = sa.inspect(op.get_bind())

        if 'drafts' in inspector.get_table_names():
            op.rename_table('drafts', 'sketches')

        columns = [column['name'] for column in inspector.get_columns('posts')]

        if 'slug' not in columns:
            op.add_column('posts', sa.Column('slug', sa.String(length=80)))
        """,
        """
        with op.batch_alter_table('posts') as batch_op:
            batch_op.drop_column('slug')
        op.rename_table('sketches', 'drafts')
        """,
    ),
    "1a2b3c4d0022": Revision(
        "orders",
        """
        op.create_table('orders',
        sa.Column('id', sa.Integer(), autoincrement=True, nullable=False),
        sa.Column('user_id', sa.Integer(), nullable=True),
        sa.Column('quantity', sa.SmallInteger(), nullable=False),
        sa.Column('total', sa.Numeric(precision=10, scale=2), nullable=False),
        sa.Column('paid_on', sa.Date(), nullable=True),
        sa.Column('weight', sa.Float(), nullable=True),
        sa.Column('number', sa.BigInteger(), nullable=True),
        sa.Column('receipt', sa.LargeBinary(), nullable=True),
        sa.CheckConstraint('quantity > 0', name=op.f('ck_orders_quantity')),
        sa.ForeignKeyConstraint(['user_id'], ['users.id'], ondelete='SET NULL',
                                name=op.f('fk_orders_user_id_users')),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_orders'))
        )
        """,
        "op.drop_table('orders')",
        after=("1a2b3c4d0020",),
    ),
    "1a2b3c4d0023": Revision(
        "orders from constants",
        """
        orders = sa.Table('orders', sa.MetaData(), autoload_with=op.get_bind())
        op.bulk_insert(orders, rows)
        """,
        "op.execute('DELETE FROM orders')",
        top="""
        import datetime
        import decimal
        rows = [
            {'id': i, 'user_id': 1 + i % 3, 'quantity': i, 'number': 2 ** 40 + i,
             'total': decimal.Decimal('19.99') * i,
             'paid_on': datetime.date(2024, 2, 29), 'weight': i / 4}
            for i in range(1, 4)
        ]
        """,
    ),
    "1a2b3c4d0024": Revision(
        "merge",
        "pass",
        "pass",
        after=("1a2b3c4d0021", "1a2b3c4d0023"),
    ),
    "1a2b3c4d0025": Revision(
        "indexes",
        """
        op.create_index('ix_orders_paid', 'orders', ['paid_on', 'quantity'])
        op.create_index('ix_posts_open', 'posts', ['slug'], unique=False,
                        postgresql_where=sa.text('slug IS NOT NULL'),
                        sqlite_where=sa.text('slug IS NOT NULL'))
        """,
        """
        op.drop_index('ix_posts_open', table_name='posts')
        op.drop_index('ix_orders_paid', table_name='orders')
        """,
    ),
    "1a2b3c4d0026": Revision(
        "a view",
        """
        op.execute('CREATE VIEW spending AS SELECT user_id, sum(total) AS total'
                   ' FROM orders GROUP BY user_id')
        """,
        "op.execute('DROP VIEW spending')",
    ),
    "1a2b3c4d0027": Revision(
        "no default any more",
        """
        with op.batch_alter_table('users', recreate='auto') as batch_op:
            batch_op.alter_column('is_active', existing_type=sa.Boolean(),
                                  existing_nullable=False, server_default=None)
            batch_op.drop_column('points')
        """,
        """
        with op.batch_alter_table('users') as batch_op:
            batch_op.add_column(sa.Column('points', sa.Integer(), nullable=False,
                                          server_default='0'))
            batch_op.alter_column('is_active', existing_type=sa.Boolean(),
                                  existing_nullable=False, server_default=sa.true())
        """,
    ),
    "1a2b3c4d0028": Revision(
        "audit, with what the context knows",
        """
        migration = context.get_context()
        assert migration is op.get_context()
        assert context.is_offline_mode() is False
        assert context.get_x_argument(as_dictionary=True) == {}
        url = context.config.get_main_option('sqlalchemy.url')
        audit = op.create_table('audit',
            sa.Column('id', sa.Integer, primary_key=True),
            sa.Column('what', sa.String(100), nullable=False),
        )
        op.bulk_insert(audit, [
            {'what': op.get_bind().dialect.name},
            {'what': str(migration.opts.get('compare_type') is not None)},
            {'what': url.partition(':')[0].partition('+')[0]},
        ])
        """,
        "op.drop_table('audit')",
        top="from alembic import context",
    ),
    "1a2b3c4d0029": Revision(
        "many rows",
        """
        conn = op.get_bind()
        result = conn.execute(sa.text('SELECT count(*) FROM audit'))
        start = result.scalar_one()

        for i in range(start + 1, start + 51):
            conn.execute(sa.text('INSERT INTO audit (what) VALUES (:what)'),
                         {'what': f'row {i}'})

        deleted = conn.execute(sa.text('DELETE FROM audit WHERE id % 2 = 0'))
        assert deleted.rowcount > 20
        """,
        "op.execute('DELETE FROM audit')",
    ),
    "1a2b3c4d0030": Revision(
        "a helper of another revision's",
        """
        add_timestamps('orders', 'audit')
        """,
        """
        for table in 'audit', 'orders':
            op.drop_column(table, 'updated_at')
        """,
        top="""
        def add_timestamps(*tables):
            for table in tables:
                op.add_column(table, sa.Column('updated_at', sa.DateTime()))
        """,
    ),
    "1a2b3c4d0031": Revision(
        "posts made anew",
        """
        with op.batch_alter_table('posts') as batch_op:
            batch_op.add_column(sa.Column('category_id', sa.Integer(), nullable=True))
            batch_op.create_foreign_key('fk_posts_category_id_categories',
                                        'categories', ['category_id'], ['id'])
        op.execute('UPDATE posts SET category_id = 2')
        """,
        """
        with op.batch_alter_table('posts') as batch_op:
            batch_op.drop_constraint('fk_posts_category_id_categories',
                                     type_='foreignkey')
            batch_op.drop_column('category_id')
        """,
    ),
}


def write_shop_history(folder: Path) -> None:
    """Write the files of the history, as Flask-Migrate's template makes them."""
    folder.mkdir(parents=True, exist_ok=True)
    before: tuple[str, ...] = ()

    for id, revision in HISTORY.items():
        parents = revision.after or before
        slug = revision.message.replace(",", "").replace("'", "").replace(" ", "_")
        (folder / f"{id}_{slug}.py").write_text(
            f'"""{revision.message}\n\nRevision ID: {id}\n'
            f'Revises: {", ".join(parents)}\nCreate Date: 2024-02-29 12:00:00\n\n"""\n'
            "from alembic import op\nimport sqlalchemy as sa\n"
            f"{textwrap.dedent(revision.top)}\n\n"
            "# revision identifiers, used by Alembic.\n"
            f"revision = {id!r}\n"
            f"down_revision = {_one_or_several(parents)!r}\n"
            "branch_labels = None\ndepends_on = None\n\n\n"
            f"def upgrade():\n{_body(revision.upgrade)}\n\n\n"
            f"def downgrade():\n{_body(revision.downgrade)}\n"
        )
        before = (id,)


def _one_or_several(ids: tuple[str, ...]) -> str | tuple[str, ...] | None:
    return ids if len(ids) > 1 else ids[0] if ids else None


def _body(code: str) -> str:
    return textwrap.indent(textwrap.dedent(code).strip("\n"), "    ")
