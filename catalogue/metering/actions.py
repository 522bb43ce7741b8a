"""Counting calls: a row before the provider is asked, completed after the answer."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import update

from catalogue.agreements.models import Agreement
from catalogue.agreements.queries import provider_of
from catalogue.agreements.rules import NotActive, NotAgreed
from catalogue.metering.models import GatewayCall
from catalogue.metering.rules import Failure, trace_name
from kernel.access import Principal
from kernel.ids import new_id
from kernel.work import Work, action


@action
def begin_call(work: Work, machine: Principal, service: str, version: str, method: str) -> tuple[GatewayCall, str]:
    """Check that the machine may call and write the call down; the call and the provider's address.

    What cannot be written down is not called. Raises NotAgreed, NotActive.
    """
    agreement, base_url = _agreed(machine, service, version)
    number = new_id()
    call = GatewayCall(
        id=number,
        at=work.now,
        trace=trace_name(agreement.consumer, number),
        agreement=agreement.code,
        service=service,
        version=version,
        owner=agreement.owner,
        consumer=agreement.consumer,
        client_id=machine.id,
        method=method,
    )
    work.add(call)
    return call, base_url


def _agreed(machine: Principal, service: str, version: str) -> tuple[Agreement, str]:
    """A token of one service must not open another: service, version, agreement, agency and client have to fit."""
    bound = machine.binding
    if bound.get("service") != service or bound.get("version") != version:
        raise NotAgreed(log=f"{machine.id} is bound to {dict(bound)}")
    found = provider_of(bound.get("agreement", ""))
    if found is None:
        raise NotAgreed(log=f"{machine.id} names no agreement")
    agreement, base_url = found
    fits = agreement.service_code == service and agreement.version == version
    if not fits or agreement.consumer != machine.acting_agency.code:
        raise NotAgreed(log=f"{machine.id} is not of {agreement.code}")
    if not agreement.is_active:
        raise NotActive(log=f"{agreement.code} is {agreement.status}")
    if agreement.client_id != machine.id:
        raise NotActive(log=f"{machine.id} was replaced at {agreement.code}")
    return agreement, base_url


@action
def finish_call(work: Work, call: UUID, at: datetime, status: int, failed: Failure | None, milliseconds: int) -> None:
    """Complete what `begin_call` wrote down."""
    work.session.execute(
        update(GatewayCall)
        .where(GatewayCall.id == call, GatewayCall.at == at)
        .values(status=status, failed=str(failed) if failed else None, milliseconds=milliseconds)
    )
