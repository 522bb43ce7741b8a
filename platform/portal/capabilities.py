"""The one list of capabilities. The composition, the import contracts and the tests of the house are made of it.

A new capability needs its folder, and its name here in the layer where it belongs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

LAYERS: Mapping[str, tuple[str, ...]] = {
    "identity": (
        "account | acting | webhooks | inbox",
        "openid",
        "clients",
        "authentication",
        "officials | agency_imports",
        "agencies",
        "people",
    ),
    "identity.authentication": ("signin", "one_time_codes", "passwords", "sessions", "login_throttling"),
    "identity.clients": (
        "dynamic_registration | ownership_transfers",
        "applications | machine_clients",
        "logos",
        "client_reviews",
        "token_exchange_policies | expiry",
        "registry",
        "client_keys | client_secrets | profiles | redirect_uris",
    ),
    "catalogue": ("metering", "gateway", "agreements", "services", "openapi_documents"),
    "interoperability": ("receipts", "communications", "uploads", "directory", "evidence"),
    "sandbox": ("exchanges | webhooks", "applications", "accounts | personas | outbox", "demonstration"),
}
"""Blocks and wings, each with its layers: a layer knows only those after it, and in a layer nobody knows the others."""

PECULIAR = frozenset({"identity.openid", "catalogue.openapi_documents", "sandbox.demonstration"})
"""Capabilities with pieces of their own, which have import contracts of their own where there are many."""


def blocks() -> tuple[str, ...]:
    """Every block that there is."""
    return tuple(name for name in LAYERS if "." not in name)


def capabilities(of: str) -> Iterator[str]:
    """The capabilities of a block or wing by their full names, those below before those above."""
    for layer in reversed(LAYERS[of]):
        for name in layer.split(" | "):
            whole = f"{of}.{name}"
            if whole in LAYERS:
                yield from capabilities(whole)
            else:
                yield whole
