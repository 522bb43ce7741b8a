"""Tokens with an audience, revoked tokens, device codes, exchange policies, and what ending a session needs."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    extend_tokens()
    create_revoked_tokens()
    create_device_authorizations()
    create_exchange_policies()
    op.create_index("ix_authorization_code_sid", "authorization_code", ["sid"])
    op.create_index(
        "ix_authorization_code_revoked_at",
        "authorization_code",
        ["revoked_at"],
        postgresql_where=sa.text("revoked_at IS NOT NULL"),
    )
    op.create_index(
        "ix_sign_in_session_living_last_seen_at",
        "sign_in_session",
        ["last_seen_at"],
        postgresql_where=sa.text("ended_at IS NULL"),
    )


def extend_tokens() -> None:
    op.add_column("access_token", sa.Column("audience", postgresql.JSONB(), nullable=False, server_default="[]"))
    op.alter_column("access_token", "audience", server_default=None)


def create_revoked_tokens() -> None:
    op.create_table(
        "revoked_token",
        sa.Column("token_id", sa.Text(), nullable=False),
        sa.Column("revoked_at", INSTANT, nullable=False),
        sa.Column("expires_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("token_id", name="pk_revoked_token"),
    )
    for column in ("revoked_at", "expires_at"):
        op.create_index(f"ix_revoked_token_{column}", "revoked_token", [column])


def create_device_authorizations() -> None:
    op.create_table(
        "device_authorization",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("device_code_hash", sa.LargeBinary(), nullable=False),
        sa.Column("user_code_hash", sa.LargeBinary(), nullable=False),
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.Column("scopes", postgresql.JSONB(), nullable=False),
        sa.Column("resources", postgresql.JSONB(), nullable=False),
        sa.Column("authorization_details", postgresql.JSONB(), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("expires_at", INSTANT, nullable=False),
        sa.Column("interval", sa.Integer(), nullable=False),
        sa.Column("asked_at", INSTANT, nullable=True),
        sa.Column("decision", sa.Text(), nullable=True),
        sa.Column("person_id", sa.UUID(), nullable=True),
        sa.Column("sid", sa.Text(), nullable=True),
        sa.Column("authenticated_at", INSTANT, nullable=True),
        sa.Column("acr", sa.Text(), nullable=True),
        sa.Column("amr", postgresql.JSONB(), nullable=True),
        sa.Column("redeemed_at", INSTANT, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_device_authorization"),
        sa.UniqueConstraint("device_code_hash", name="uq_device_authorization_device_code_hash"),
        sa.UniqueConstraint("user_code_hash", name="uq_device_authorization_user_code_hash"),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name="fk_device_authorization_person_id_person"),
    )
    op.create_index("ix_device_authorization_expires_at", "device_authorization", ["expires_at"])


def create_exchange_policies() -> None:
    op.create_table(
        "exchange_policy",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("actor_client_id", sa.Text(), nullable=False),
        sa.Column("target_client_id", sa.Text(), nullable=False),
        sa.Column("scopes", postgresql.JSONB(), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("revoked_at", INSTANT, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_exchange_policy"),
        sa.ForeignKeyConstraint(
            ["actor_client_id"], ["client.client_id"], name="fk_exchange_policy_actor_client_id_client"
        ),
        sa.ForeignKeyConstraint(
            ["target_client_id"], ["client.client_id"], name="fk_exchange_policy_target_client_id_client"
        ),
    )
    op.create_index(
        "uq_exchange_policy_living",
        "exchange_policy",
        ["actor_client_id", "target_client_id"],
        unique=True,
        postgresql_where=sa.text("revoked_at IS NULL"),
    )


def downgrade() -> None:
    op.drop_index("ix_sign_in_session_living_last_seen_at", "sign_in_session")
    for column in ("revoked_at", "sid"):
        op.drop_index(f"ix_authorization_code_{column}", "authorization_code")
    for table in ("exchange_policy", "device_authorization", "revoked_token"):
        op.drop_table(table)
    op.drop_column("access_token", "audience")
