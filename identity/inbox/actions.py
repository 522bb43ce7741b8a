"""Changes of how a person is told."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from uuid import UUID

from sqlalchemy import func, or_, select
from sqlalchemy.dialects.postgresql import insert

from identity.authentication.login_throttling.actions import forgive_guess, take_guess
from identity.inbox.models import PhoneCode
from identity.inbox.queries import preferences_of
from identity.inbox.rules import (
    ADVICE,
    CODE_LIFETIME,
    CODE_TEXT,
    PAUSE,
    PHONE_REMOVED,
    PHONE_SET,
    CodeSentLately,
    code_hash,
    is_current,
    new_code,
    parse_phone,
)
from identity.people.actions import set_phone
from identity.people.queries import get_person
from identity.people.rules import SharedTestPerson
from kernel.base.errors import Invalid, NotFound, _
from kernel.base.ids import new_id
from kernel.base.installation import settings
from kernel.base.notices import NoticeTemplate
from kernel.database.pruning import remove_batch, until_empty
from kernel.jobs.jobs import periodic
from kernel.outside.messages import Recipient
from kernel.outside.notice_preferences import save_choice
from kernel.outside.notices import notify
from kernel.outside.sms import is_open, post_sms
from kernel.recording.work import Work, action, autonomous_work

PREFERENCES = "/account/notices/preferences"


@action
def choose(work: Work, person_id: UUID, wanted: Mapping[str, Mapping[str, str]]) -> None:
    """Tell a person of these kinds of notices, on these channels, as soon as they want; the others stay as they are.

    wanted: timings by channel, by kind. Raises Invalid for a kind, a channel or a timing that is not offered to them.
    """
    preferences = {one.template.kind: one for one in preferences_of(person_id)}
    changed = []
    for kind, timings in sorted(wanted.items()):
        offered = preferences[kind].offered if kind in preferences else {}
        if wrong := [name for name, timing in timings.items() if timing not in offered.get(name, ())]:
            raise Invalid(fields={f"{kind}.{name}": [_("Choose one of the options offered.")] for name in wrong})
        if not offered:
            raise Invalid(fields={kind: [_("There is no such kind of notice, or it does not concern you.")]})
        before = preferences[kind].timings
        if any(before[name] != timing for name, timing in timings.items()):
            save_choice(work, person_id, kind, {**before, **timings})
            changed.append(kind)
    if changed:
        work.record("identity:person:notices-chosen", f"person:{person_id}", kinds=changed)


@action
def send_phone_code(work: Work, person_id: UUID, written: str) -> None:
    """Send a code to a telephone that a person says is theirs; it takes the place of the one before.

    Raises Invalid, CodeSentLately, SharedTestPerson, and NotFound where no SMS is sent.
    """
    phone = parse_phone(written)
    if not is_open():
        raise NotFound()
    if get_person(person_id).is_test_person and settings().sms_url:
        raise SharedTestPerson()
    # One number, one person at a time: of two that ask for it at once the second sees what the first sent.
    for name in sorted((f"phone-code:{phone}", f"phone-code:{person_id}")):
        work.session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(name, 0))))
    concerned = or_(PhoneCode.phone == phone, PhoneCode.person_id == person_id)
    lately = select(PhoneCode.person_id).where(concerned, PhoneCode.sent_at > work.now - PAUSE)
    if work.session.scalars(lately.limit(1)).first():
        raise CodeSentLately()
    code = new_code()
    values = {"phone": phone, "code_hash": _hash(person_id, phone, code), "sent_at": work.now}
    statement = insert(PhoneCode).values(person_id=person_id, **values)
    work.session.execute(statement.on_conflict_do_update(index_elements=["person_id"], set_=values))
    post_sms(work, new_id(), phone, str(CODE_TEXT) % {"code": code})
    work.record("identity:person:phone-code-sent", f"person:{person_id}")


@action
def confirm_phone(work: Work, person_id: UUID, code: str) -> None:
    """Keep the telephone whose code a person has entered; the code is used up.

    The attempt counts as a failure until it has succeeded. Raises Invalid, WaitBeforeTrying.
    """
    key = f"phone-code:{person_id}"
    take_guess(key)
    sent = work.session.scalar(select(PhoneCode).where(PhoneCode.person_id == person_id).with_for_update())
    is_right = (
        sent is not None
        and sent.code_hash is not None
        and is_current(sent.sent_at, work.now)
        and hmac.compare_digest(sent.code_hash, _hash(person_id, sent.phone, code))
    )
    if sent is None or not is_right:
        with autonomous_work() as beside:
            beside.record("identity:person:phone-code-refused", f"person:{person_id}")
        raise Invalid(
            fields={"code": [_("This is not the code of the last ten minutes. Look again, or ask for another.")]}
        )
    sent.code_hash = None
    set_phone(person_id, sent.phone)
    _tell(work, person_id, PHONE_SET)
    forgive_guess(key)


@action
def remove_phone(work: Work, person_id: UUID) -> None:
    """Send a person no SMS any more; nothing happens where they have no telephone."""
    if get_person(person_id).phone:
        set_phone(person_id, None)
        _tell(work, person_id, PHONE_REMOVED)


def _tell(work: Work, person_id: UUID, template: NoticeTemplate) -> None:
    person = get_person(person_id)
    notify(work, [Recipient(person.email, person.language, person.id)], template, PREFERENCES, advice=ADVICE)


def _hash(person_id: UUID, phone: str, code: str) -> bytes:
    return code_hash(settings().master_key, person_id, phone, code)


@periodic("identity:phone-codes:swept", cron="23 3 * * *")
def forget_codes() -> None:
    """Each night, forget the codes that are good for nothing any more."""
    until_empty(_forget_batch)


@action
def _forget_batch(work: Work) -> int:
    return remove_batch(work.session, PhoneCode, PhoneCode.sent_at < work.now - CODE_LIFETIME)
