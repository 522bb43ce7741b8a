"""The installation's own private keys, which nobody but its key store sees: for tests of what must not be believed."""

from typing import cast

from builders.keys import Key
from flask import current_app

from kernel.keys import Keys, ensure_key
from kernel.keystores import SealedKeyStore


def own_key(purpose: str, algorithm: str = "ES256") -> Key:
    """The key that signs now."""
    keys: Keys = current_app.extensions["cordillera.keys"]
    return cast(Key, cast(SealedKeyStore, keys.store)._open(ensure_key(purpose, algorithm)))
