"""Private keys in the database, sealed under the master key: every node has them, and needs nothing on its disk."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import ForeignKey, LargeBinary, Text, select, text
from sqlalchemy.orm import Mapped, Session, mapped_column

from kernel.database.db import Base, new_session
from kernel.keys.stores import FileKeyStore, SealedKeyStore

ADOPT = text(
    "INSERT INTO private_key (kid, sealed) SELECT kid, :sealed FROM signing_key WHERE kid = :kid ON CONFLICT DO NOTHING"
)


class PrivateKey(Base):
    """The sealed half of a signing key."""

    __tablename__ = "private_key"
    unaudited = "it comes and goes with its public half, whose records tell of both"

    kid: Mapped[str] = mapped_column(
        Text, ForeignKey("signing_key.kid", deferrable=True, initially="DEFERRED"), primary_key=True
    )
    sealed: Mapped[bytes] = mapped_column(LargeBinary)


@dataclass
class DatabaseKeyStore(SealedKeyStore):
    """Sealed keys as rows. Keys that an earlier version left in files of this node come in when one is missed."""

    files: FileKeyStore

    def _keep(self, kid: str, sealed: bytes, session: Session) -> None:
        session.add(PrivateKey(kid=kid, sealed=sealed))

    def _read(self, kid: str) -> bytes | None:
        query = select(PrivateKey.sealed).where(PrivateKey.kid == kid)
        # Beside the caller's transaction, whose own keys are not there before they are there for all.
        with new_session() as beside:
            content = beside.scalar(query)
            files = self.files.sealed() if content is None else {}
            if files:
                beside.execute(ADOPT, [{"kid": name, "sealed": sealed} for name, sealed in files.items()])
                beside.commit()
                content = beside.scalar(query)
        return content
