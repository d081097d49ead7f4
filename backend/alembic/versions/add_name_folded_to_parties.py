"""Add name_folded to the parties: their names without regard to case, for search and for the rule that follows.

No two active parties of one type may have the same name. Where some have, this revision is not applied, and says which.

Revision ID: 0003
Revises: 0002
"""

from __future__ import annotations

import unicodedata

import sqlalchemy as sa
from alembic import op
from alembic.util import CommandError

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

ROWS_AT_A_TIME = 5000

parties_table = sa.table(
    "parties",
    sa.column("id", sa.Integer),
    sa.column("name", sa.String),
    sa.column("name_folded", sa.Text),
    sa.column("type", sa.String),
    sa.column("is_active", sa.Boolean),
)


def fold(text: str) -> str:
    """The service's `fold` as it was then: what a revision did must not change with the service."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", text).casefold())


def upgrade() -> None:
    with op.batch_alter_table("parties", table_kwargs={"sqlite_autoincrement": True}) as parties:
        parties.add_column(sa.Column("name_folded", sa.Text(), nullable=True))
    fill()
    refuse_doubles()
    with op.batch_alter_table("parties", table_kwargs={"sqlite_autoincrement": True}) as parties:
        parties.alter_column("name_folded", existing_type=sa.Text(), nullable=False)
        parties.create_index(
            "uq_parties_type_name_folded_active",
            ["type", "name_folded"],
            unique=True,
            postgresql_where=sa.text("is_active"),
            sqlite_where=sa.text("is_active"),
        )


def fill() -> None:
    """Fold every name, some rows at a time: the table may be larger than memory."""
    connection = op.get_bind()
    rows = sa.select(parties_table.c.id, parties_table.c.name).order_by(parties_table.c.id).limit(ROWS_AT_A_TIME)
    update = (
        sa.update(parties_table)
        .where(parties_table.c.id == sa.bindparam("row"))
        .values(name_folded=sa.bindparam("folded"))
    )
    last_id = 0
    while batch := connection.execute(rows.where(parties_table.c.id > last_id)).all():
        connection.execute(update, [{"row": row.id, "folded": fold(row.name)} for row in batch])
        last_id = batch[-1].id


def refuse_doubles() -> None:
    """Stop where the new rule is broken already."""
    table = parties_table.c
    doubles = (
        sa.select(table.type, sa.func.min(table.name), sa.func.count())
        .where(table.is_active)
        .group_by(table.type, table.name_folded)
        .having(sa.func.count() > 1)
        .order_by(table.type, sa.func.min(table.name))
    )
    found = op.get_bind().execute(doubles.limit(10)).all()
    if found:
        named = ", ".join(f"{count} active {kind}s named {name!r}" for kind, name, count in found)
        raise CommandError(
            f"nothing was changed: a name may be used by one active party of a type only, and there are {named}"
        )


def downgrade() -> None:
    with op.batch_alter_table("parties", table_kwargs={"sqlite_autoincrement": True}) as parties:
        parties.drop_index("uq_parties_type_name_folded_active")
        parties.drop_column("name_folded")
