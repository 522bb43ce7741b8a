"""The sweep of what registered itself in the open sandbox goes past what others refer to."""

from datetime import timedelta

import pytest
from builders.clients import a_client, a_system
from builders.identity import an_agency
from sqlalchemy import select

from identity.clients.registry.models import Client
from identity.clients.token_exchange_policies.actions import allow_exchange, forbid_exchange
from identity.openid.authorization.actions import sweep_unused
from kernel.base import clock
from kernel.base.parties import ANYBODY
from kernel.database.db import session

A_MONTH_LATER = timedelta(days=31)


def an_open_one() -> str:
    return a_client("standard", owner=ANYBODY, scopes=["openid", "run"]).client.client_id


def swept() -> set[str]:
    """Those that are no longer there after a month."""
    before = set(session().scalars(select(Client.client_id)))
    session().commit()
    with clock.shifted(A_MONTH_LATER):
        sweep_unused()
    session().expire_all()
    return before - set(session().scalars(select(Client.client_id)))


@pytest.mark.usefixtures("context")
@pytest.mark.parametrize("side", ["actor", "target"])
@pytest.mark.parametrize("ended", [False, True])
def test_who_may_call_or_be_called_stays_and_the_others_go(side: str, ended: bool) -> None:
    an_agency("AE001")
    called, unused = an_open_one(), {an_open_one() for _ in range(2)}
    system = a_system("AE001", environment="sandbox").client.client_id
    pair = (called, system) if side == "actor" else (system, called)
    allow_exchange(*pair, ["run"])
    if ended:
        forbid_exchange(*pair)
    assert swept() == unused


@pytest.mark.usefixtures("context")
def test_two_open_ones_that_call_each_other_stay() -> None:
    one, other, unused = (an_open_one() for _ in range(3))
    allow_exchange(one, other, ["run"])
    assert swept() == {unused}
