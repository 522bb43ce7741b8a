"""The tags that `docs/audit-events.md` describes, and a watch that nothing else is ever recorded."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

from kernel.recording import audit

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "audit-events.md"
OURS = ("access:", "kernel:", "identity:", "sandbox:", "catalogue:", "interoperability:", "portal:")
"""Tests make others up."""


def documented_tags() -> set[str]:
    return set(re.findall(r"^\| `([a-z:-]+)` \|", DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE))


@contextmanager
def only_documented() -> Iterator[None]:
    """Let whatever records something else fail, also where its tag is put together when it is needed."""
    event, documented = audit._event, documented_tags()

    def watched(tag: str, *given: Any) -> dict[str, Any]:
        assert tag in documented or not tag.startswith(OURS), f"{tag} is not in {DOCUMENT.name}"
        return event(tag, *given)

    with patch.object(audit, "_event", watched):
        yield
