"""For whom a person acts in a session: themselves, or an agency where they hold a role."""

from __future__ import annotations

from identity.agencies.rules import is_code
from identity.authentication.sessions.queries import current_sign_in, forget_current_sign_in, own_session
from identity.officials.queries import agency_of_official
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
    agency = agency_of_official(code, here.person.id) if is_code(code) else None
    if agency is None:
        raise NotYours(log=f"person {here.person.id} holds no function at {code[:20]!r}")
    own_session(here).agency_code = agency.code
    work.record("identity:session:agency-chosen", f"person:{here.person.id}", sid=here.sid, agency=agency.code)
    forget_current_sign_in()
    return agency


@action
def act_for_oneself(work: Work) -> None:
    """Act for no agency any more in this session."""
    here = current_sign_in()
    if here is None:
        raise SignInRequired()
    own_session(here).agency_code = None
    work.record("identity:session:agency-chosen", f"person:{here.person.id}", sid=here.sid, agency=None)
    forget_current_sign_in()
