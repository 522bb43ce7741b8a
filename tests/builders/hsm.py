"""An HSM of software (SoftHSM2). `.ci/system-packages` installs it where it may."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

LIBRARIES = [
    path
    for pattern in ("softhsm/libsofthsm2.so", "*/softhsm/libsofthsm2.so", "*/pkcs11/libsofthsm2.so")
    for root in (Path("/usr/lib"), Path("/usr/lib64"), Path("/usr/local/lib"))
    for path in root.glob(pattern)
]
PIN = "1234"
LABEL = "cordillera"

needs_hsm = pytest.mark.skipif(not LIBRARIES or not shutil.which("softhsm2-util"), reason="there is no SoftHSM2 here")


@contextmanager
def a_token(folder: Path) -> Iterator[dict[str, str]]:
    """The settings of a new token; the library reads its configuration once a process."""
    configuration = folder / "softhsm2.conf"
    configuration.write_text(f"directories.tokendir = {folder}\nlog.level = ERROR\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SOFTHSM2_CONF", str(configuration))
        made = ["softhsm2-util", "--init-token", "--free", "--label", LABEL, "--pin", PIN, "--so-pin", PIN]
        subprocess.run(made, check=True, capture_output=True)
        yield {
            "key_store": "pkcs11",
            "pkcs11_library": str(LIBRARIES[0]),
            "pkcs11_token": LABEL,
            "pkcs11_pin": PIN,
        }
