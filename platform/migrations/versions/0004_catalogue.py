"""Services, agreements and their use."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from kernel.database.partitions import partition_by_month

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

ACCENTED, PLAIN = "áéíóúüàèìòùâêîôûñç", "aeiouuaeiouaeiounc"


def _words(column: str, weight: str) -> str:
    plain = f"translate(lower({column}), '{ACCENTED}', '{PLAIN}')"
    return f"setweight(to_tsvector('spanish', {column}), '{weight}') || setweight(to_tsvector('spanish', {plain}), '{weight}')"


SEARCH = f"{_words('name', 'A')} || {_words('description', 'B')} || setweight(to_tsvector('simple', code), 'A')"


def text(name: str, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=nullable)


def moment(name: str, nullable: bool = False) -> sa.Column[sa.DateTime]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def upgrade() -> None:
    op.execute("CREATE SEQUENCE service_number")
    op.execute("CREATE SEQUENCE agreement_number")
    _create_services()
    _create_agreements()
    _create_calls()


def _create_services() -> None:
    op.create_table(
        "service",
        sa.Column("id", sa.UUID(), nullable=False),
        text("code"),
        text("owner"),
        text("name"),
        text("description"),
        text("kind"),
        text("contact"),
        text("obligation"),
        moment("created_at"),
        moment("published_at", nullable=True),
        sa.Column("search", postgresql.TSVECTOR(), sa.Computed(SEARCH, persisted=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_service"),
        sa.UniqueConstraint("code", name="uq_service_code"),
    )
    op.create_index("ix_service_search", "service", ["search"], postgresql_using="gin")
    op.create_index("ix_service_published_at_id", "service", ["published_at", "id"])
    op.create_index("ix_service_owner_created_at", "service", ["owner", "created_at"])
    op.create_table(
        "service_version",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("service_id", sa.UUID(), nullable=False),
        text("version"),
        text("status"),
        text("base_url"),
        text("openapi"),
        text("openapi_type"),
        text("openapi_title"),
        sa.Column("operations", postgresql.JSONB(), nullable=False),
        text("reasons"),
        moment("created_at"),
        moment("submitted_at", nullable=True),
        moment("decided_at", nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_service_version"),
        sa.ForeignKeyConstraint(["service_id"], ["service.id"], name="fk_service_version_service_id_service"),
        sa.UniqueConstraint("service_id", "version", name="uq_service_version_service_id_version"),
    )
    waiting = sa.text("status = 'submitted'")
    op.create_index("ix_service_version_waiting", "service_version", ["submitted_at", "id"], postgresql_where=waiting)


def _create_agreements() -> None:
    op.create_table(
        "agreement",
        sa.Column("id", sa.UUID(), nullable=False),
        text("code"),
        sa.Column("service_version_id", sa.UUID(), nullable=False),
        text("service_code"),
        text("service_name"),
        text("version"),
        text("owner"),
        text("consumer"),
        text("purpose"),
        text("purpose_key"),
        text("legal_basis"),
        sa.Column("personal_data", sa.Boolean(), nullable=False),
        sa.Column("daily_calls", sa.Integer(), nullable=False),
        text("status"),
        text("reasons"),
        text("suspended_by", nullable=True),
        text("ended_by", nullable=True),
        text("requested_by"),
        text("decided_by", nullable=True),
        moment("requested_at"),
        moment("answer_by"),
        moment("decided_at", nullable=True),
        moment("changed_at"),
        text("client_id", nullable=True),
        moment("client_issued_at", nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_agreement"),
        sa.ForeignKeyConstraint(
            ["service_version_id"], ["service_version.id"], name="fk_agreement_service_version_id_service_version"
        ),
        sa.UniqueConstraint("code", name="uq_agreement_code"),
    )
    op.create_index(
        "uq_agreement_open_purpose",
        "agreement",
        ["consumer", "service_code", "purpose_key"],
        unique=True,
        postgresql_where=sa.text("status IN ('requested', 'active', 'suspended')"),
    )
    op.create_index("ix_agreement_consumer_requested_at", "agreement", ["consumer", "requested_at", "id"])
    op.create_index("ix_agreement_owner_requested_at", "agreement", ["owner", "requested_at", "id"])
    op.create_index("ix_agreement_service_version_id", "agreement", ["service_version_id"])


def _create_calls() -> None:
    op.create_table(
        "gateway_call",
        sa.Column("id", sa.UUID(), nullable=False),
        moment("at"),
        text("trace"),
        text("agreement"),
        text("service"),
        text("version"),
        text("owner"),
        text("consumer"),
        text("client_id"),
        text("method"),
        sa.Column("status", sa.Integer(), nullable=True),
        text("failed", nullable=True),
        sa.Column("milliseconds", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("id", "at", name="pk_gateway_call"),
        postgresql_partition_by="RANGE (at)",
    )
    op.create_index("ix_gateway_call_agreement_at", "gateway_call", ["agreement", "at"])
    op.create_index("ix_gateway_call_owner_at", "gateway_call", ["owner", "at"])
    op.create_index("ix_gateway_call_consumer_at", "gateway_call", ["consumer", "at"])
    for statement in partition_by_month("gateway_call"):
        op.execute(statement)


def downgrade() -> None:
    op.drop_table("gateway_call")
    op.drop_table("agreement")
    op.drop_table("service_version")
    op.drop_table("service")
    op.execute("DROP SEQUENCE agreement_number")
    op.execute("DROP SEQUENCE service_number")
