"""Setting up a second factor, proving it, and taking it away."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from identity.authentication.login_throttling.actions import forgive_guess, take_guess
from identity.authentication.login_throttling.rules import network_of
from identity.authentication.one_time_codes.models import SecondFactor
from identity.authentication.one_time_codes.queries import secret_of
from identity.authentication.one_time_codes.rules import (
    ADVICE,
    AlreadyEnrolled,
    CodeRequired,
    NotEnrolled,
    WrongCode,
    matching_steps,
    new_recovery_codes,
    new_secret,
    normalised_code,
    recovery_hash,
    remaining_codes,
    seal_context,
)
from identity.authentication.passwords.actions import confirm_password
from identity.authentication.sessions.actions import StartedSession, raise_session, start_session
from identity.authentication.sessions.queries import current_sign_in
from identity.authentication.sessions.rules import (
    ACR_TWO_FACTORS,
    PASSWORD_AND_CODE,
    PASSWORD_AND_RECOVERY_CODE,
    AuthenticationResult,
)
from identity.people.queries import find_by_run, get_person, known_person
from identity.people.rules import SECOND_FACTOR_ALWAYS, SECOND_FACTOR_WHEN_ASKED, SharedTestPerson
from kernel.base.crypto import seal
from kernel.base.errors import Forbidden, NotFound, _
from kernel.base.installation import settings
from kernel.base.notices import NoticeTemplate
from kernel.jobs.access import Principal
from kernel.outside.messages import Recipient
from kernel.outside.notices import notify
from kernel.recording.work import Work, action, autonomous_work

if TYPE_CHECKING:
    from identity.people.models import Person


def enroll(by: Principal, password: str, address: str) -> None:
    """Make a secret for the app of the person signed in; it counts once `activate` was called.

    Raises Invalid at `password`, WaitBeforeTrying, SharedTestPerson, AlreadyEnrolled.
    """
    person = confirm_password(by, password, address)
    give_secret(person.id, new_secret())


@action
def give_secret(work: Work, person_id: UUID, secret: bytes) -> None:
    """Keep a secret for a person, to be confirmed by a first code. Raises AlreadyEnrolled."""
    given = {"sealed_secret": seal(settings().master_key, secret, seal_context(person_id)), "begun_at": work.now}
    factor = work.session.scalar(
        insert(SecondFactor)
        .values(person_id=person_id, recovery_hashes=[], **given)
        .on_conflict_do_update(index_elements=["person_id"], set_=given, where=SecondFactor.confirmed_at.is_(None))
        .returning(SecondFactor.person_id)
    )
    if factor is None:
        raise AlreadyEnrolled()
    work.record("identity:second-factor:begun", f"person:{person_id}")


@action
def publish_secret(work: Work, person: Person, secret: bytes) -> None:
    """Give a test person a second factor whose secret everybody may know. Raises Forbidden for any other person."""
    if not person.is_test_person:
        raise Forbidden(log="a published secret for a real person")
    give_secret(person.id, secret)
    _activate(work, person, _locked(work, person.id), SECOND_FACTOR_WHEN_ASKED)


@action
def activate(work: Work, code: str, address: str) -> tuple[list[str], StartedSession]:
    """Take the first code of the app: the recovery codes, and the session, which counts for more now.

    Raises WrongCode, WaitBeforeTrying, NotEnrolled.
    """
    person = get_person(work.by.id)
    proof = _authenticate(work, person, code, address, is_first=True)
    factor = _locked(work, person.id)
    _activate(work, person, factor, SECOND_FACTOR_ALWAYS)
    return _give_recovery_codes(factor), raise_session(proof)


def _activate(work: Work, person: Person, factor: SecondFactor, use: str) -> None:
    factor.confirmed_at = work.now
    person.second_factor = use
    work.record("identity:second-factor:confirmed", f"person:{person.id}", use=use)


@action
def sign_in_with_code(
    work: Work, person_id: UUID, code: str, address: str, device: str = "", replaces: str = ""
) -> StartedSession:
    """Begin a session for a person whose password was right a moment ago (`Halfway`).

    Raises WrongCode, WaitBeforeTrying, NotEnrolled.
    """
    person = get_person(person_id)
    return start_session(known_person(person), _authenticate(work, person, code, address), address, device, replaces)


@action
def step_up(work: Work, code: str, address: str) -> StartedSession:
    """Let this session count for more, by the code alone. Raises WrongCode, WaitBeforeTrying, NotEnrolled."""
    return raise_session(_authenticate(work, get_person(work.by.id), code, address))


@action
def choose_use(work: Work, *, always: bool) -> None:
    """Whether the code is asked for at every sign-in, or only where an application wants it.

    Raises NotEnrolled, SharedTestPerson, and CodeRequired in a session that was begun with the password alone.
    """
    here = current_sign_in()
    if here is None or here.person.second_factor is None:
        raise NotEnrolled()
    if here.person.is_test_person:
        raise SharedTestPerson()
    if here.acr != ACR_TWO_FACTORS:
        raise CodeRequired()
    person = get_person(here.person.id)
    person.second_factor = SECOND_FACTOR_ALWAYS if always else SECOND_FACTOR_WHEN_ASKED
    work.record("identity:second-factor:use-chosen", f"person:{person.id}", use=person.second_factor)


def renew_recovery_codes(by: Principal, password: str, code: str, address: str) -> list[str]:
    """New recovery codes; those before are worth nothing from now on.

    Raises Invalid at `password`, WrongCode, WaitBeforeTrying, SharedTestPerson, NotEnrolled.
    """
    return _renew_recovery_codes(confirm_password(by, password, address), code, address)


@action
def _renew_recovery_codes(work: Work, person: Person, code: str, address: str) -> list[str]:
    _authenticate(work, person, code, address)
    codes = _give_recovery_codes(_present(work, person))
    work.record("identity:second-factor:codes-renewed", f"person:{person.id}")
    return codes


def remove(by: Principal, password: str, code: str, address: str) -> None:
    """Take the second factor away from the person signed in.

    Raises Invalid at `password`, WrongCode, WaitBeforeTrying, SharedTestPerson, NotEnrolled.
    """
    _remove_with_code(confirm_password(by, password, address), code, address)


@action
def _remove_with_code(work: Work, person: Person, code: str, address: str) -> None:
    _authenticate(work, person, code, address)
    _remove(work, person, "by the person")


@action
def remove_for(work: Work, run: str) -> None:
    """Take it away from the person with this RUN, who has neither telephone nor recovery codes, but an identity card.

    Raises Invalid, NotFound, NotEnrolled.
    """
    person = find_by_run(run)
    if person is None:
        raise NotFound()
    _remove(work, person, "by an operator")


def _remove(work: Work, person: Person, reason: str) -> None:
    work.session.delete(_present(work, person))
    person.second_factor = None
    work.record("identity:second-factor:removed", f"person:{person.id}", reason=reason)


def _authenticate(
    work: Work, person: Person, code: str, address: str, *, is_first: bool = False
) -> AuthenticationResult:
    """Authenticate by a code, which is used up, beside the password. is_first: it is to confirm the secret.

    The attempt counts as a failure until it has succeeded. Raises WrongCode, WaitBeforeTrying, NotEnrolled.
    """
    key = _counter_key(person, address)
    take_guess(key)
    factor = _locked(work, person.id)
    if not (factor.is_activatable(work.now) if is_first else factor.confirmed_at):
        raise NotEnrolled()
    normalised = normalised_code(code)
    proof = _use_code_of_app(work, person, factor, normalised) or _use_recovery_code(work, factor, normalised)
    if proof is None:
        with autonomous_work() as beside:
            beside.record("identity:second-factor:refused", f"person:{person.id}")
        raise WrongCode(
            fields={"code": [_("This is not the current code, or it has already been used. Enter the next one.")]}
        )
    forgive_guess(key)
    return proof


def _use_code_of_app(work: Work, person: Person, factor: SecondFactor, code: str) -> AuthenticationResult | None:
    steps = matching_steps(secret_of(factor), code, work.now)
    if not person.is_test_person:
        # RFC 6238 5.2: a code is accepted once, and none from before it. Of a test person, whom strangers share, what
        # one of them used is still good for the others.
        steps = [step for step in steps if factor.last_step is None or step > factor.last_step]
    if not steps:
        return None
    factor.last_step = max(steps)
    return PASSWORD_AND_CODE


def _use_recovery_code(work: Work, factor: SecondFactor, code: str) -> AuthenticationResult | None:
    left = remaining_codes(factor.recovery_hashes, recovery_hash(settings().master_key, factor.person_id, code))
    if len(left) == len(factor.recovery_hashes):
        return None
    factor.recovery_hashes = left
    work.record("identity:second-factor:recovery-used", f"person:{factor.person_id}", left=len(left))
    return PASSWORD_AND_RECOVERY_CODE


def _give_recovery_codes(factor: SecondFactor) -> list[str]:
    codes = new_recovery_codes()
    factor.recovery_hashes = [recovery_hash(settings().master_key, factor.person_id, code) for code in codes]
    return codes


def _present(work: Work, person: Person) -> SecondFactor:
    factor = _locked(work, person.id)
    if factor.confirmed_at is None:
        raise NotEnrolled()
    return factor


def _locked(work: Work, person_id: UUID) -> SecondFactor:
    """The person's second factor, confirmed or only begun, for nobody else to change meanwhile. Raises NotEnrolled."""
    query = select(SecondFactor).where(SecondFactor.person_id == person_id)
    factor = work.session.scalar(query.with_for_update().execution_options(populate_existing=True))
    if factor is None:
        raise NotEnrolled()
    return factor


def _counter_key(person: Person, address: str) -> str:
    # One test person has many owners: the guesses of one must not keep the others out.
    return f"second-factor:{person.id} {network_of(address) if person.is_test_person else ''}".rstrip()


@action
def notify_person(work: Work, person_id: str, template: NoticeTemplate) -> None:
    """Tell a person what became of their second step, which may have been a thief's doing."""
    person = get_person(person_id)
    reader = Recipient(person.email, person.language, person.id)
    notify(work, [reader], template, "/account/second-step", advice=ADVICE)
