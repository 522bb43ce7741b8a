"""A server that receives events of Cordillera, with Flask and the library `standardwebhooks`.

Its secret stands in WEBHOOK_SECRET, as the page of the subscription showed it (`whsec_…`).

WEBHOOK_SECRET=whsec_… flask --app webhooks run
"""

import os

from flask import Flask, request
from standardwebhooks import Webhook, WebhookVerificationError

app = Flask(__name__)
webhook = Webhook(os.environ["WEBHOOK_SECRET"])
received: set[str] = set()  # yours is a table of your database, with the identifier as its key


@app.post("/cordillera")
def receive() -> tuple[str, int]:
    """Take one event: verified over the very bytes that came, and once, however often it is sent."""
    try:
        event = webhook.verify(request.get_data(), dict(request.headers))
    except WebhookVerificationError:
        return "", 400
    if request.headers["webhook-id"] not in received:
        handle(event)
        received.add(request.headers["webhook-id"])
    return "", 204


def handle(event: dict[str, object]) -> None:
    """Note what happened and answer at once; what takes longer is done afterwards."""
    print(event["type"], event["data"], flush=True)
