"""This installation, as the application that runs knows it."""

from urllib.parse import quote

from kernel.base.settings import Settings
from kernel.base.slots import Slot

SETTINGS: Slot[Settings] = Slot("settings")


def settings() -> Settings:
    """This application's settings."""
    return SETTINGS()


def own_address(path: str) -> str:
    """The full address of a path of ours: as this installation is known, and never by the Host that a caller names."""
    return settings().base_url + quote(path)
