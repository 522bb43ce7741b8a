"""The operator's commands: `cordillera --help`."""

from portal.cli.main import main

__all__ = ["main"]
