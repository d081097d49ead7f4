"""Create the table of parties.

Revision ID: 0001
Revises: nothing
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "parties",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("type", sa.String(20), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_parties"),
        sa.CheckConstraint("type IN ('customer', 'vendor')", name="type"),
        sa.CheckConstraint("length(name) <= 200", name="name_length"),
        sqlite_autoincrement=True,
    )


def downgrade() -> None:
    op.drop_table("parties_inactive", if_exists=True)  # a later revision leaves it on its way back
    op.drop_table("parties")
