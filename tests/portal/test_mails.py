"""Every mail is in the language of whoever reads it, whatever the language of whoever decides."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

import pytest
from builders.catalogue import CONSUMER, a_request, an_agreement
from builders.clients import a_client, a_client_in_use, a_system
from builders.following import follow_up
from builders.identity import a_person, an_agency, an_official
from builders.interoperability import Network
from builders.second_factor import a_test_person_with_code, enrol
from flask import Flask
from sqlalchemy import select, text

from catalogue.agreements import actions as agreements
from catalogue.agreements.rules import Status
from identity.authentication.one_time_codes.actions import remove_for
from identity.clients.client_reviews import actions as reviews
from identity.clients.client_reviews.queries import get_pending
from identity.clients.client_secrets.rules import SECRET_LIFETIME
from identity.clients.expiry.actions import note_failing_keys, warn_of_ends
from identity.clients.ownership_transfers import actions as transfers
from identity.clients.ownership_transfers.queries import offer_to
from identity.clients.registry.actions import NewClient
from identity.clients.registry.queries import any_client
from identity.clients.token_exchange_policies.actions import ask_exchange
from identity.clients.token_exchange_policies.rules import Wish
from identity.inbox import actions as inbox
from identity.people import actions as people
from identity.people.models import Person
from identity.webhooks import actions as webhooks
from interoperability.communications.actions import notify_addressee, notify_sender
from kernel.base import clock
from kernel.base.notices import NoticeTemplate
from kernel.base.parties import Party
from kernel.database.db import session
from kernel.jobs.access import AgencyRef, Principal, act_as
from kernel.outside.deliveries_subscriptions import SubscriptionFacts, create_subscription
from kernel.outside.messages import Recipient
from kernel.outside.notice_preferences import TEMPLATES
from kernel.recording.lifecycle import note_passed_deadline
from portal.capabilities import blocks, capabilities
from portal.wiring import capability_module
from sandbox.accounts.actions import request_link

OPERATOR = Principal(kind="operator", id="test", name="El operador")
OFFERED = "Es el formulario que encargaron."


@dataclass
class Scene:
    """Agencies with officials who read one language, and somebody who decides in the other."""

    app: Flask
    reader: str
    communication: str

    def offered(self) -> NewClient:
        made = a_client("standard", owner="developer:0190a0b0-0000-7000-8000-000000000001")
        developer = Recipient("eva@example.cl", self.reader)
        transfers.offer(made.client.client_id, "AE001", OFFERED, owner=made.client.owner, developer=developer)
        return made

    def in_use(self) -> str:
        client_id = str(a_client_in_use("https://a.example.cl/").client.client_id)
        act_as(OPERATOR)
        return client_id

    def waiting(self) -> str:
        client_id = self.in_use()
        act_as(Principal(kind="official", id="1", name="Ana", agency=AgencyRef("AE001", "AE001")))
        reviews.change_fields(any_client(client_id), name="Otro nombre")
        act_as(OPERATOR)
        return client_id


def adoption_offered(scene: Scene) -> None:
    scene.offered()


def adoption_accepted(scene: Scene) -> None:
    client_id = scene.offered().client.client_id
    transfers.accept(client_id, "AE001", offer_to("AE001", client_id).fingerprint)


def adoption_declined(scene: Scene) -> None:
    transfers.decline(scene.offered().client.client_id, "AE001", "No la encargamos.")


def adoption_expired(scene: Scene) -> None:
    client_id = scene.offered().client.client_id
    follow_up()
    pass_deadline("adoption_request", client_id, days=40)


def exchange_asked(scene: Scene) -> None:
    portal = a_client("standard", owner="agency:AE001", environment="sandbox")
    register = a_system("AE002", environment="sandbox")
    ask_exchange(Party.agency("AE001"), portal.client.client_id, register.client.client_id, Wish(("run",), OFFERED))


def approved(scene: Scene) -> None:
    client_id = scene.waiting()
    reviews.approve(client_id, get_pending(client_id).fingerprint)


def given_back(scene: Scene) -> None:
    reviews.give_back(scene.waiting(), "Falta el fundamento.")


def review_overdue(scene: Scene) -> None:
    an_agency("AE900", "La Autoridad", is_authority=True)
    people.choose_language(an_official("AE900").id, scene.reader)
    pass_deadline("approval_request", scene.waiting(), days=30)


def pass_deadline(table: str, client_id: str, *, days: int) -> None:
    query = text(f"SELECT id FROM {table} WHERE client_id = :client_id")
    row_id = session().scalars(query, {"client_id": client_id}).one()
    with clock.shifted(timedelta(days=days)):
        note_passed_deadline(table, str(row_id), "waiting")


def keys_unreachable(scene: Scene) -> None:
    client_id = scene.in_use()
    session().execute(text("UPDATE client SET jwks_uri = 'https://a.example.cl/jwks'"))
    session().commit()
    note_failing_keys(client_id, "https://a.example.cl/jwks", "404")


def credentials_end(scene: Scene) -> None:
    scene.in_use()
    with clock.shifted(SECRET_LIFETIME - timedelta(days=20)):
        warn_of_ends()


def subscription_disabled(scene: Scene) -> None:
    facts = SubscriptionFacts("Avisos de convenios", "https://hooks.example.cl/", ("client.approved",))
    made = create_subscription("agency:AE001", facts)
    webhooks.tell_owners(str(made.subscription.id), "failing")


def second_step_set_up(scene: Scene) -> None:
    person = a_person()
    people.choose_language(person.id, scene.reader)
    browser = scene.app.test_client()
    browser.environ_base["HTTP_ACCEPT_LANGUAGE"] = "en" if scene.reader == "es" else "es"
    enrol(browser, person)


def second_step_removed(scene: Scene) -> None:
    person = a_test_person_with_code()
    people.choose_language(person.id, scene.reader)
    remove_for(str(person.run))


def phone_confirmed(scene: Scene) -> None:
    person = a_person()
    people.choose_language(person.id, scene.reader)
    inbox.send_phone_code(person.id, "9 1234 5678")
    query = text("SELECT args ->> 'text' FROM procrastinate_jobs WHERE task_name = 'kernel:sms:deliver'")
    inbox.confirm_phone(person.id, session().scalars(query).one()[:6])


def phone_removed(scene: Scene) -> None:
    person = a_person()
    people.choose_language(person.id, scene.reader)
    people.set_phone(person.id, "+56912345678")
    inbox.remove_phone(person.id)


def link_to_the_sandbox(scene: Scene) -> None:
    with scene.app.test_request_context(headers={"Accept-Language": scene.reader}):
        request_link("eva@example.cl", "192.0.2.1", "/sandbox/")


def communication_waits(scene: Scene) -> None:
    notify_addressee("COM-2026-000001", "AE002")


def communication_answered(scene: Scene) -> None:
    notify_sender(scene.communication, "AE002")


def agreement_asked(scene: Scene) -> None:
    agreements.notify_owner(a_request().code)


def agreement_overdue(scene: Scene) -> None:
    code = a_request().code
    follow_up()
    agreements.remind_owner(code)


def agreement_decided(scene: Scene) -> None:
    code = an_agreement().code
    follow_up()
    agreements.notify_other(code, CONSUMER.code, Status.REFUSED)


Cause = Callable[[Scene], None]
ACCEPTED, DECLINED = ("fue recibida", "was taken over"), ("no fue recibida", "was not taken over")
MAILS: tuple[tuple[Cause, str, tuple[str, str], tuple[str, str]], ...] = (
    (adoption_offered, "applications.offered", ("ofrece a su organismo", "offers your agency"), (OFFERED, OFFERED)),
    (
        adoption_accepted,
        "applications.accepted",
        ("fue recibida", "was taken over"),
        ("fue recibida", "was taken over"),
    ),
    (
        adoption_declined,
        "applications.declined",
        ("no fue recibida", "was not taken over"),
        ("no fue recibida", "was not taken over"),
    ),
    (
        adoption_expired,
        "applications.offer-expired",
        ("nadie respondió", "nobody answered"),
        ("nadie respondió", "nobody answered"),
    ),
    (exchange_asked, "applications.exchange-requested", ("pide", "asks to call"), ("Su aplicación", "Its client")),
    (approved, "applications.approved", ("aprob", "was approved"), ("aprob", "was approved")),
    (given_back, "applications.returned", ("devuel", "was returned"), ("devuel", "was returned")),
    (
        review_overdue,
        "applications.review-overdue",
        ("sigue esperando", "still waiting"),
        ("días hábiles", "business days"),
    ),
    (
        keys_unreachable,
        "applications.keys-unreachable",
        ("no se pueden obtener", "cannot be fetched"),
        ("publica sus claves", "publishes its keys"),
    ),
    (credentials_end, "applications.credentials-end", ("vencen", "expire on"), ("Cree otro", "Create a new one")),
    (
        subscription_disabled,
        "applications.subscription-disabled",
        ("ya no se envían", "no longer sent"),
        ("Arregle el servidor", "Mend the server"),
    ),
    (
        second_step_set_up,
        "identity.second-step-set-up",
        ("configuró", "was set up"),
        ("cambie su contraseña", "change your password"),
    ),
    (phone_confirmed, "identity.phone-set", ("Se configuró un", "was set for"), ("cambie su", "change your password")),
    (phone_removed, "identity.phone-removed", ("Se quitó", "was removed"), ("cambie su", "change your password")),
    (link_to_the_sandbox, "sandbox.sign-in-link", ("Su enlace", "Your link"), ("Abra este enlace", "Open this link")),
    (
        second_step_removed,
        "identity.second-step-removed",
        ("segundo paso", "second step"),
        ("cambie su contraseña", "change your password"),
    ),
    (communication_waits, "communications.waiting", ("espera", "is waiting for you"), ("Léa", "Read it in")),
    (
        communication_answered,
        "communications.answered",
        ("respond", "answered your communication"),
        ("Léa", "Read it in"),
    ),
    (agreement_asked, "agreements.requested", ("solicita", "asks for"), ("solicita un convenio", "Please answer by")),
    (agreement_overdue, "agreements.overdue", ("está atrasada", "is overdue"), ("venció el", "Please answer now")),
    (agreement_decided, "agreements.decided", ("Rechazado", "Refused"), ("El convenio", "The agreement")),
)
LANGUAGES = ("es", "en")


def letters() -> list[dict[str, str]]:
    query = "SELECT args FROM procrastinate_jobs WHERE task_name = 'kernel:mail:deliver' ORDER BY id DESC"
    return list(session().scalars(text(query)))


def everybody_reads(language: str) -> None:
    for code in ("AE001", "AE002"):
        an_official(code, "administrator", "publisher", "correspondent")
    a_person(email="ana@example.cl")
    for person_id in session().scalars(select(Person.id)).all():
        people.choose_language(person_id, language)


@pytest.mark.parametrize("reader", LANGUAGES)
@pytest.mark.parametrize(("cause", "kind", "subjects", "texts"), MAILS, ids=[row[0].__name__ for row in MAILS])
def test_a_mail_is_in_the_language_of_who_reads_it(
    app: Flask, reader: str, cause: Cause, kind: str, subjects: tuple[str, str], texts: tuple[str, str]
) -> None:
    here, there = LANGUAGES.index(reader), 1 - LANGUAGES.index(reader)
    communication = Network(app).sent()
    with app.app_context():
        act_as(OPERATOR)
        everybody_reads(reader)
        follow_up()
    with app.test_request_context(headers={"Accept-Language": LANGUAGES[there]}):
        act_as(OPERATOR)
        cause(Scene(app, reader, communication))
    with app.app_context():
        follow_up()
    with app.app_context():
        newest = letters()[0]
    assert subjects[here] in newest["subject"]
    assert subjects[there] not in newest["subject"]
    assert texts[here] in newest["text"]
    assert texts[here] == texts[there] or texts[there] not in newest["text"]


def test_every_template_has_its_row_in_the_table() -> None:
    """A template is a `NoticeTemplate` in the rules of a capability; each has its own kind."""
    pieces = (capability_module(name, "rules") for block in blocks() for name in capabilities(block))
    declared = {one for piece in pieces for one in vars(piece or object).values() if isinstance(one, NoticeTemplate)}
    assert sorted(one.kind for one in declared) == sorted({kind for _cause, kind, _subjects, _texts in MAILS})


def test_people_choose_of_every_template_that_their_pages_tell_of(app: Flask) -> None:
    offered = set(TEMPLATES.of(app))
    assert {kind for _cause, kind, _subjects, _texts in MAILS} - offered == {
        "applications.accepted",
        "applications.declined",
        "applications.offer-expired",
        "sandbox.sign-in-link",
    }
