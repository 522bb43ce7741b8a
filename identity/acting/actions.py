"""For whom a person acts in a session: themselves, or an agency where they hold a role."""

from __future__ import annotations

from sqlalchemy import literal, select

from identity.agencies.models import Agency
from identity.agencies.queries import is_active_on
from identity.agencies.rules import is_code
from identity.authentication.sessions.queries import current_sign_in, forget_current_sign_in, own_session
from identity.officials.models import Appointment
from identity.officials.queries import is_in_effect_on
from kernel.base import clock
from kernel.base.errors import NotYours, SignInRequired
from kernel.jobs.access import AgencyRef
from kernel.recording.work import Work, action


@action
def choose_agency(work: Work, code: str) -> AgencyRef:
    """Act for an agency, in this session, until another is chosen.

    Raises NotYours where the person holds no function today, or the agency does not exist any more.
    """
    here = current_sign_in()
    if here is None:
        raise SignInRequired()
    today = literal(clock.today())
    query = (
        select(Agency)
        .join(Appointment, Appointment.agency_code == Agency.code)
        .where(Agency.code == code, is_active_on(today))
        .where(Appointment.person_id == here.person.id, is_in_effect_on(today))
        .limit(1)
    )
    agency = work.session.scalar(query) if is_code(code) else None
    if agency is None:
        raise NotYours(log=f"person {here.person.id} holds no function at {code[:20]!r}")
    own_session(here).agency_code = agency.code
    work.record("identity:session:agency-chosen", f"person:{here.person.id}", sid=here.sid, agency=agency.code)
    forget_current_sign_in()
    return agency.ref


@action
def act_for_oneself(work: Work) -> None:
    """Act for no agency any more in this session."""
    here = current_sign_in()
    if here is None:
        raise SignInRequired()
    own_session(here).agency_code = None
    work.record("identity:session:agency-chosen", f"person:{here.person.id}", sid=here.sid, agency=None)
    forget_current_sign_in()
