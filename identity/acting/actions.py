"""For whom a person acts in a session: themselves, or an agency where they hold a role."""

from __future__ import annotations

from sqlalchemy import select

from identity.agencies.models import Agency, Membership
from identity.agencies.rules import is_code
from identity.authentication.sessions.queries import current_sign_in, forget_current_sign_in, own_session
from kernel.base.errors import NotYours, SignInRequired
from kernel.jobs.access import AgencyRef
from kernel.recording.work import Work, action


@action
def choose_agency(work: Work, code: str) -> AgencyRef:
    """Act for an agency, in this session, until another is chosen. Raises NotYours where the person holds no role."""
    here = current_sign_in()
    if here is None:
        raise SignInRequired()
    query = (
        select(Agency)
        .join(Membership, Membership.agency_code == Agency.code)
        .where(Agency.code == code, Membership.person_id == here.person.id)
        .limit(1)
    )
    agency = work.session.scalar(query) if is_code(code) else None
    if agency is None:
        raise NotYours(log=f"person {here.person.id} holds no role at {code[:20]!r}")
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
