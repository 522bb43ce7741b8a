"""Settings of the gateway."""

from __future__ import annotations

from dataclasses import dataclass

from kernel.base.settings import SettingsError


@dataclass(frozen=True)
class GatewaySettings:
    """Each field is `CORDILLERA_` and its name in capitals."""

    gateway_calls_kept_months: int = 36
    """The months for which the calls through the gateway are kept."""

    def __post_init__(self) -> None:
        if self.gateway_calls_kept_months < 1:
            raise SettingsError("CORDILLERA_GATEWAY_CALLS_KEPT_MONTHS must be at least 1")


DECLARED = GatewaySettings
