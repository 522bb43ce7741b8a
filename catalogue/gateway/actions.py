"""Counting calls: a row before the provider is asked, completed after the answer; and no more a day than agreed on."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

from sqlalchemy import update

from catalogue.agreements.queries import provider_of
from catalogue.agreements.rules import NotActive, NotAgreed
from catalogue.gateway.models import GatewayCall
from catalogue.gateway.rules import DAILY_CALLS, DailyCalls, DailyCallsUsed, Failure, trace_id
from kernel.base.ids import new_id
from kernel.database.counters import Window, take
from kernel.jobs.access import Principal
from kernel.recording.work import Work, action

if TYPE_CHECKING:
    from catalogue.agreements.models import Agreement


@dataclass(frozen=True)
class BegunCall:
    """A call that may be made: its row, the provider's address, and what is left of the day's calls."""

    row: GatewayCall
    base_url: str
    daily: DailyCalls


@action
def begin_call(work: Work, machine: Principal, service: str, version: str, method: str) -> BegunCall:
    """Check that the machine may call, and write the call down.

    What cannot be written down is not called. Raises NotAgreed, NotActive, DailyCallsUsed.
    """
    agreement, base_url = _agreed(machine, service, version)
    call = _row(work, agreement, machine, method)
    # Last, since others may wait for the day's last calls until the commit.
    return BegunCall(call, base_url, _count(work, agreement))


@action
def refuse_call(
    work: Work, machine: Principal, service: str, version: str, method: str, status: int, failed: Failure
) -> GatewayCall:
    """Write down a call that is refused before the provider is asked; it does not count for the day.

    Raises NotAgreed, NotActive.
    """
    agreement, _base_url = _agreed(machine, service, version)
    call = _row(work, agreement, machine, method)
    call.status, call.failed, call.milliseconds = status, str(failed), 0
    return call


def _row(work: Work, agreement: Agreement, machine: Principal, method: str) -> GatewayCall:
    number = new_id()
    call = GatewayCall(
        id=number,
        at=work.now,
        trace=trace_id(agreement.consumer, number),
        agreement=agreement.code,
        service=agreement.service_code,
        version=agreement.version,
        owner=agreement.owner,
        consumer=agreement.consumer,
        client_id=machine.id,
        method=method,
    )
    work.add(call)
    work.session.flush()
    return call


def _count(work: Work, agreement: Agreement) -> DailyCalls:
    """Count one more call of today, in Santiago. Raises DailyCallsUsed."""
    count = take(work.session, DAILY_CALLS, agreement.code, Window.DAY, agreement.daily_calls, work.now)
    daily = DailyCalls(count.limit, count.used, count.seconds_left)
    if not count.is_taken:
        raise DailyCallsUsed(
            log=f"{daily.limit} calls of {agreement.code}",
            headers={**daily.headers(), "Retry-After": str(daily.seconds_left)},
        )
    return daily


def _agreed(machine: Principal, service: str, version: str) -> tuple[Agreement, str]:
    """A token of one service must not open another: service, version, agreement, agency and client have to fit."""
    bound = machine.service_binding
    if bound.get("service") != service or bound.get("version") != version:
        raise NotAgreed(log=f"{machine.id} is bound to {dict(bound)}")
    provider = provider_of(bound.get("agreement", ""))
    if provider is None:
        raise NotAgreed(log=f"{machine.id} names no agreement")
    agreement, base_url = provider
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
