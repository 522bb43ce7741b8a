"""Clients and what the OpenID provider issues."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    create_clients()
    create_codes()
    create_tokens()
    create_consents()


def create_clients() -> None:
    op.create_table(
        "client",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("profile", sa.Text(), nullable=False),
        sa.Column("auth_method", sa.Text(), nullable=False),
        sa.Column("environment", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("sector", sa.Text(), nullable=False),
        sa.Column("redirect_uris", postgresql.JSONB(), nullable=False),
        sa.Column("post_logout_redirect_uris", postgresql.JSONB(), nullable=False),
        sa.Column("scopes", postgresql.JSONB(), nullable=False),
        sa.Column("binding", postgresql.JSONB(), nullable=False),
        sa.Column("secrets", postgresql.JSONB(), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("secret_created_at", INSTANT, nullable=True),
        sa.Column("revoked_at", INSTANT, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_client"),
        sa.UniqueConstraint("client_id", name="uq_client_client_id"),
        sa.CheckConstraint("profile IN ('clave-unica', 'standard', 'fapi2', 'machine')", name="profile"),
        sa.CheckConstraint("environment IN ('sandbox', 'production')", name="environment"),
        sa.CheckConstraint("jsonb_array_length(secrets) <= 2", name="secrets"),
    )
    op.create_index("ix_client_owner_created_at", "client", ["owner", "created_at"])


def create_codes() -> None:
    op.create_table(
        "authorization_code",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("code_hash", sa.LargeBinary(), nullable=False),
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.Column("person_id", sa.UUID(), nullable=False),
        sa.Column("redirect_uri", sa.Text(), nullable=False),
        sa.Column("scopes", postgresql.JSONB(), nullable=False),
        sa.Column("nonce", sa.Text(), nullable=True),
        sa.Column("code_challenge", sa.Text(), nullable=True),
        sa.Column("sid", sa.Text(), nullable=False),
        sa.Column("authenticated_at", INSTANT, nullable=False),
        sa.Column("acr", sa.Text(), nullable=False),
        sa.Column("amr", postgresql.JSONB(), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("expires_at", INSTANT, nullable=False),
        sa.Column("redeemed_at", INSTANT, nullable=True),
        sa.Column("revoked_at", INSTANT, nullable=True),
        sa.Column("kept_until", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_authorization_code"),
        sa.UniqueConstraint("code_hash", name="uq_authorization_code_code_hash"),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name="fk_authorization_code_person_id_person"),
    )
    op.create_index("ix_authorization_code_person_id_client_id", "authorization_code", ["person_id", "client_id"])
    op.create_index("ix_authorization_code_kept_until", "authorization_code", ["kept_until"])


def create_tokens() -> None:
    for table, columns in (
        ("access_token", [sa.Column("scopes", postgresql.JSONB(), nullable=False)]),
        ("refresh_token", [sa.Column("used_at", INSTANT, nullable=True)]),
    ):
        op.create_table(
            table,
            sa.Column("token_hash", sa.LargeBinary(), nullable=False),
            sa.Column("code_id", sa.UUID(), nullable=False),
            sa.Column("created_at", INSTANT, nullable=False),
            sa.Column("expires_at", INSTANT, nullable=False),
            *columns,
            sa.PrimaryKeyConstraint("token_hash", name=f"pk_{table}"),
            sa.ForeignKeyConstraint(
                ["code_id"],
                ["authorization_code.id"],
                name=f"fk_{table}_code_id_authorization_code",
                ondelete="CASCADE",
            ),
        )
        op.create_index(f"ix_{table}_code_id", table, ["code_id"])


def create_consents() -> None:
    op.create_table(
        "application_consent",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("person_id", sa.UUID(), nullable=False),
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.Column("scopes", postgresql.JSONB(), nullable=False),
        sa.Column("given_at", INSTANT, nullable=False),
        sa.Column("last_used_at", INSTANT, nullable=False),
        sa.Column("withdrawn_at", INSTANT, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_application_consent"),
        sa.UniqueConstraint("person_id", "client_id", name="uq_application_consent_person_id_client_id"),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name="fk_application_consent_person_id_person"),
        sa.ForeignKeyConstraint(["client_id"], ["client.client_id"], name="fk_application_consent_client_id_client"),
    )


def downgrade() -> None:
    for table in ("application_consent", "refresh_token", "access_token", "authorization_code", "client"):
        op.drop_table(table)
