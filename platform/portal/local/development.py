"""The settings of a checkout that runs by itself, kept in a file so that every command finds the running house."""

import json
import os
from collections.abc import MutableMapping
from pathlib import Path
from urllib.parse import urlsplit

ROOT = Path(__file__).resolve().parents[3]
OUTBOUND_ALLOWED = "CORDILLERA_OUTBOUND_ALLOWED"


def data_dir() -> Path:
    """Return the folder of this checkout's data: `CORDILLERA_DATA_DIR`, or `var` in the checkout."""
    return Path(os.environ.get("CORDILLERA_DATA_DIR") or ROOT / "var").absolute()


def environment(port: int, database_url: str) -> dict[str, str]:
    """The `CORDILLERA_*` variables of a house on this port, its demonstrations on the two ports above.

    What the operator has set already stays as it is; what they let be reached is added to what has to be.
    """
    chosen = {
        "CORDILLERA_DATABASE_URL": database_url,
        "CORDILLERA_DATA_DIR": str(data_dir()),
        "CORDILLERA_ENVIRONMENT": "development",
        "CORDILLERA_BASE_URL": f"http://localhost:{port}",
        "CORDILLERA_DEMONSTRATION_SITE_URL": f"http://localhost:{port + 1}",
        "CORDILLERA_DEMONSTRATION_PROVIDER_URL": f"http://localhost:{port + 2}",
        "CORDILLERA_HELP_EMAIL": "ayuda@cordillera.example",
    }
    chosen |= {name: os.environ[name] for name in chosen if os.environ.get(name)}
    # The gateway refuses private addresses; the demonstration provider is on one.
    provider = urlsplit(chosen["CORDILLERA_DEMONSTRATION_PROVIDER_URL"]).netloc
    needed = f"{provider},127.0.0.1:{port + 2}"
    return chosen | {OUTBOUND_ALLOWED: _together(needed, os.environ.get(OUTBOUND_ALLOWED, ""))}


def _together(*lists: str) -> str:
    """Lists separated by commas as one, nothing twice."""
    names = (name.strip() for each in lists for name in each.split(","))
    return ",".join(dict.fromkeys(filter(None, names)))


def remember(variables: dict[str, str]) -> None:
    """Keep the variables for commands typed while the house runs, and after."""
    path = _file()
    path.parent.mkdir(parents=True, exist_ok=True)
    # The address of another database may hold its password.
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump(variables, file, indent=1)


def adopt(variables: MutableMapping[str, str] = os.environ) -> None:
    """Take what the last `cordillera run` of this checkout remembered, where no database is named.

    For commands only: a server started by an operator must be told its settings.
    """
    if variables.get("CORDILLERA_DATABASE_URL") or not _file().exists():
        return
    for name, value in json.loads(_file().read_text()).items():
        given = variables.setdefault(name, value)
        if name == OUTBOUND_ALLOWED:
            variables[name] = _together(value, given)


def _file() -> Path:
    return data_dir() / "environment.json"
