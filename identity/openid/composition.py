"""Composition of the OpenID provider."""

from __future__ import annotations

from identity.openid import issuer
from identity.openid.tokens.bearer import bearer_principal
from identity.openid.tokens.tokens import PURPOSE
from kernel.base.installation import SETTINGS
from kernel.composition import Composition

ACCESS_OF_SYSTEMS = """\
**Access.** A system authenticates with an access token, which it gets at `/openid/token` with the client credentials
grant (RFC 6749 4.4) and sends as `Authorization: Bearer …`. Each operation names the scope that its token needs."""
ACCESS_OF_PEOPLE = """\
What concerns a person's own account takes an access token of that person, which an application gets at their sign-in
with `resource` naming this interface. Where the sign-in was too weak or too long ago, the answer is 401 with the error
`insufficient_user_authentication` and what to send the person to sign in with (RFC 9470)."""


def compose(composition: Composition) -> None:
    """Authenticate callers with an access token; tell of the tokens, and of the keys that sign them."""
    composition.authenticators.append(bearer_principal)
    composition.rotated_purposes.append(PURPOSE)
    composition.api_texts.access += [ACCESS_OF_SYSTEMS, ACCESS_OF_PEOPLE]
    composition.app.jinja_env.globals["issuer"] = f"{SETTINGS.of(composition.app).base_url}{issuer.PATH}"
    composition.api_texts.tokens_from = "From `/openid/token`"
