"""Add is_active to the parties: deleting one only makes it inactive. Those that exist are active.

Going back, the column goes, and the rows stay. Which of them were inactive is kept in the table `parties_inactive`,
so that going forward again finds them inactive, not deleted and not active.

Revision ID: 0002
Revises: 0001
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("parties", table_kwargs={"sqlite_autoincrement": True}) as parties:
        parties.add_column(
            sa.Column(
                "is_active",
                sa.Boolean(create_constraint=True, name="is_active"),
                server_default=sa.true(),
                nullable=False,
            )
        )
        parties.create_index("ix_parties_type_is_active", ["type", "is_active"])
    if sa.inspect(op.get_bind()).has_table("parties_inactive"):
        op.execute("UPDATE parties SET is_active = false WHERE id IN (SELECT id FROM parties_inactive)")
        op.drop_table("parties_inactive")


def downgrade() -> None:
    op.execute("CREATE TABLE parties_inactive AS SELECT id FROM parties WHERE NOT is_active")
    checks = sa.inspect(op.get_bind()).get_check_constraints("parties")
    with op.batch_alter_table("parties", table_kwargs={"sqlite_autoincrement": True}) as parties:
        parties.drop_index("ix_parties_type_is_active")
        for check in checks:  # on SQLite there is one that keeps the column at 0 or 1
            if check["name"] and "is_active" in check["sqltext"]:
                parties.drop_constraint(op.f(check["name"]), type_="check")
        parties.drop_column("is_active")
