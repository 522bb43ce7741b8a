"""The JSON interface keeps what its document promises: schemathesis asks every operation, with every check."""

import base64
import json
import os
import subprocess
import urllib.parse
import urllib.request

import pytest
from walking import ROOT, Installation, program

SCOPES = (
    "catalogue.publish catalogue.agreements catalogue.usage communications.send communications.receive directory.keys"
    " applications.manage"
)
EXAMPLES = 10
"""At most so many requests of each operation in each phase: about a minute on two processors."""


@pytest.mark.slow
def test_the_interface_does_what_its_document_says(installation: Installation) -> None:
    token = access_token(installation, "AE004")
    # What requests need beyond the document, such as signatures: tests/interface_requests.py.
    environment = os.environ | {
        "SCHEMATHESIS_HOOKS": "interface_requests",
        "PYTHONPATH": str(ROOT / "tests"),
        "INTERFACE_BASE_URL": installation.base_url,
        "INTERFACE_AGENCY": "AE004",
        "INTERFACE_TOKEN": token,
        "INTERFACE_OTHER_AGENCY": "AE003",
        "INTERFACE_OTHER_TOKEN": access_token(installation, "AE003"),
    }
    done = subprocess.run(
        [
            *(program("schemathesis"), "run", f"{installation.base_url}/api/v1/openapi.json"),
            *("--header", f"Authorization: Bearer {token}", "--checks", "all", "--no-color"),
            *("--phases", "examples,coverage,fuzzing,stateful", "--mode", "all"),
            *("--generation-deterministic", "--max-examples", str(EXAMPLES), "--continue-on-failure"),
        ],
        env=environment,
        cwd=installation.data_dir,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def access_token(installation: Installation, agency: str) -> str:
    """A token of a new system of the agency, good for everything that systems may do."""
    made = json.loads(
        installation.cli(
            "client", "create-system", "--name", "Pruebas", "--agency", agency, "--scope", SCOPES, "--json"
        )
    )
    secret = base64.b64encode(f"{made['client_id']}:{made['client_secret']}".encode()).decode()
    body = urllib.parse.urlencode({"grant_type": "client_credentials", "scope": SCOPES}).encode()
    asked = urllib.request.Request(f"{installation.base_url}/openid/token", body, {"Authorization": f"Basic {secret}"})
    with urllib.request.urlopen(asked) as answer:
        return str(json.load(answer)["access_token"])
