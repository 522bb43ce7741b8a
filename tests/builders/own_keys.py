"""The installation's own private keys, which nobody but its key store sees: for tests of what must not be believed."""

from typing import cast

from builders.keys import Key

from kernel.keys.signatures import KEYS, Keys, ensure_key
from kernel.keys.stores import SealedKeyStore


def own_key(purpose: str, algorithm: str = "ES256") -> Key:
    """The key that signs now."""
    keys: Keys = KEYS()
    return cast(Key, cast(SealedKeyStore, keys.store)._open(ensure_key(purpose, algorithm)))
