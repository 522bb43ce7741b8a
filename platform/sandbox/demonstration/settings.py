"""Settings of the demonstration."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class DemonstrationSettings:
    """Each field is `CORDILLERA_` and its name in capitals."""

    demonstration_site_url: str = ""
    """Address of the demonstration agency site, empty where it does not run."""
    demonstration_provider_url: str = ""
    """Address of the demonstration provider behind the gateway, empty where it does not run."""


DECLARED = DemonstrationSettings
