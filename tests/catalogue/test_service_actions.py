"""Services from draft to catalogue, on a real database."""

import threading
from typing import Any

import pytest
from builders.catalogue import (
    AUTHORITY,
    CONSUMER,
    OWNER,
    a_published_service,
    a_service,
    an_official,
    service_facts,
    version_facts,
)
from flask import Flask
from sqlalchemy import select

from catalogue.services import actions, queries
from catalogue.services.rules import NotComplete, NotInThisState, UnderReview, VersionFacts, VersionTaken
from kernel.base.errors import Invalid, NotFound, NotYours
from kernel.database.db import session
from kernel.jobs.access import Principal, act_as
from kernel.outside import outbound
from kernel.recording.audit import AuditEvent
from kernel.recording.work import in_action

pytestmark = pytest.mark.usefixtures("context", "clients")

PUBLISHER = an_official(OWNER)
REVIEWER = an_official(AUTHORITY)
OTHERS = an_official(CONSUMER)
NOBODY = Principal()


def tags() -> list[str]:
    return list(session().scalars(select(AuditEvent.tag).order_by(AuditEvent.at, AuditEvent.id)))


def codes(words: str = "", **filters: Any) -> list[str]:
    return [service.code for service in queries.search(words, **filters).items]


def test_a_service_goes_from_draft_to_catalogue_and_leaves_its_trail() -> None:
    service = a_published_service()
    assert codes() == [service.code]
    assert queries.find(service.code, NOBODY).published_versions[0].version == "v1"
    assert tags() == [
        "catalogue:service:drafted",
        "catalogue:version:drafted",
        "catalogue:version:submitted",
        "catalogue:version:published",
    ]


def test_codes_count_up() -> None:
    first, second = a_service(), a_service()
    assert int(second.code[4:]) == int(first.code[4:]) + 1


def test_a_draft_is_its_owners_secret() -> None:
    service = a_service()
    assert codes() == []
    assert queries.find(service.code, PUBLISHER) is service
    for reader in (NOBODY, OTHERS, REVIEWER):
        with pytest.raises(NotYours):
            queries.find(service.code, reader)
    with pytest.raises(NotYours):
        queries.own(service.code, OTHERS)
    with pytest.raises(NotFound):
        queries.version_to_review(service.code, "v1")


def test_the_authority_sees_what_was_submitted() -> None:
    service = a_service()
    actions.submit_version(PUBLISHER, service.code, "v1")
    assert queries.find(service.code, REVIEWER) is service
    assert queries.count_waiting() == 1
    assert [version.code for version in queries.to_review().items] == [f"{service.code}/v1"]


@pytest.mark.parametrize(
    "attempt",
    [
        lambda code: actions.edit_service(OTHERS, code, service_facts()),
        lambda code: actions.new_version(OTHERS, code, version_facts("v2")),
        lambda code: actions.edit_version(OTHERS, code, "v1", version_facts()),
        lambda code: actions.submit_version(OTHERS, code, "v1"),
        lambda code: actions.put_service(OTHERS, code, service_facts(), version_facts()),
    ],
)
def test_no_other_agency_changes_it(attempt: Any) -> None:
    service = a_service()
    with pytest.raises(NotYours):
        attempt(service.code)


def test_what_is_under_review_does_not_change() -> None:
    service = a_service()
    actions.submit_version(PUBLISHER, service.code, "v1")
    with pytest.raises(UnderReview):
        actions.edit_service(PUBLISHER, service.code, service_facts(name="Otro nombre"))
    with pytest.raises(NotInThisState):
        actions.edit_version(PUBLISHER, service.code, "v1", version_facts())
    with pytest.raises(NotInThisState):
        actions.submit_version(PUBLISHER, service.code, "v1")


def test_a_returned_version_comes_back_corrected() -> None:
    service = a_service()
    actions.submit_version(PUBLISHER, service.code, "v1")
    returned = actions.return_version(REVIEWER, service.code, "v1", "Falta el plazo de respuesta.")
    assert (returned.status, returned.reasons) == ("returned", "Falta el plazo de respuesta.")
    assert codes() == []
    actions.edit_version(PUBLISHER, service.code, "v1", version_facts())
    resubmitted = actions.submit_version(PUBLISHER, service.code, "v1")
    assert (resubmitted.status, resubmitted.reasons) == ("submitted", "")
    actions.approve_version(REVIEWER, service.code, "v1")
    assert codes() == [service.code]


def test_returning_needs_reasons() -> None:
    service = a_service()
    actions.submit_version(PUBLISHER, service.code, "v1")
    with pytest.raises(Invalid):
        actions.return_version(REVIEWER, service.code, "v1", "  ")


def test_nothing_is_decided_twice_and_nothing_that_was_never_sent() -> None:
    service = a_service()
    with pytest.raises(NotFound):
        actions.approve_version(REVIEWER, service.code, "v1")
    actions.submit_version(PUBLISHER, service.code, "v1")
    actions.approve_version(REVIEWER, service.code, "v1")
    with pytest.raises(NotInThisState):
        actions.approve_version(REVIEWER, service.code, "v1")
    with pytest.raises(NotInThisState):
        actions.return_version(REVIEWER, service.code, "v1", "Tarde")


def test_approving_what_was_sent_again_meanwhile_is_refused() -> None:
    service = a_service()
    seen = actions.submit_version(PUBLISHER, service.code, "v1").submitted_at
    assert seen is not None
    actions.return_version(REVIEWER, service.code, "v1", "Corrija")
    actions.submit_version(PUBLISHER, service.code, "v1")
    with pytest.raises(NotInThisState):
        actions.approve_version(REVIEWER, service.code, "v1", seen.isoformat())


def test_two_deciders_at_once_decide_once(app: Flask) -> None:
    service = a_service()
    actions.submit_version(PUBLISHER, service.code, "v1")
    outcomes: list[str] = []
    start = threading.Barrier(2)

    def decide() -> None:
        with app.app_context():
            act_as(REVIEWER)
            start.wait()
            try:
                actions.approve_version(REVIEWER, service.code, "v1")
                outcomes.append("approved")
            except NotInThisState:
                outcomes.append("too late")

    threads = [threading.Thread(target=decide) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["approved", "too late"]


def test_the_authority_may_approve_its_own_and_the_record_says_so() -> None:
    a_published_service(AUTHORITY)
    detail = session().scalars(select(AuditEvent.detail).where(AuditEvent.tag == "catalogue:version:published")).one()
    assert detail["own_agency"] is True


def test_a_draft_may_have_gaps_but_is_not_sent_with_them() -> None:
    service = actions.draft_service(PUBLISHER, service_facts(), VersionFacts("v1", ""))
    with pytest.raises(NotComplete) as refused:
        actions.submit_version(PUBLISHER, service.code, "v1")
    assert set(refused.value.fields) == {"base_url", "openapi"}


@pytest.mark.parametrize(
    "base_url",
    [
        "https://localhost/",
        "https://127.0.0.1:8000",
        "https://[::1]",
        "https://169.254.169.254/latest",
        "https://2130706433/",
        "http://api.agencia.cl",
    ],
)
def test_an_address_inside_is_no_providers(base_url: str) -> None:
    with pytest.raises(Invalid) as refused:
        queries.prepare_version("v1", base_url, None)
    assert list(refused.value.fields) == ["base_url"]
    assert session().scalars(select(AuditEvent)).all() == []


def test_a_providers_name_is_looked_up_before_anything_is_locked(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[bool, bool]] = []

    def note(_host: str, _port: int) -> list[str]:
        seen.append((in_action(), session().in_transaction()))
        return ["192.0.43.8"]

    service = a_service()
    monkeypatch.setattr(outbound, "_resolve", note)
    queries.own(service.code, PUBLISHER)
    actions.edit_version(PUBLISHER, service.code, "v1", version_facts())
    actions.new_version(PUBLISHER, service.code, version_facts("v2"))
    actions.put_service(PUBLISHER, service.code, service_facts(), version_facts("v3"))
    assert seen == [(False, False)] * 3


def test_a_new_version_leaves_the_published_one_alone() -> None:
    service = a_published_service()
    with pytest.raises(VersionTaken):
        actions.new_version(PUBLISHER, service.code, version_facts("v1"))
    with pytest.raises(NotInThisState):
        actions.edit_version(PUBLISHER, service.code, "v1", version_facts())
    actions.new_version(PUBLISHER, service.code, version_facts("v2"))
    found = queries.find(service.code, NOBODY)
    assert [version.version for version in queries.visible_versions(found, NOBODY)] == ["v1"]
    assert [version.version for version in queries.visible_versions(found, PUBLISHER)] == ["v1", "v2"]
    assert [version.version for version in queries.visible_versions(found, REVIEWER)] == ["v1"]


def test_a_machine_changes_a_draft_and_begins_the_next_version() -> None:
    service = a_service()
    actions.put_service(PUBLISHER, service.code, service_facts(name="Permisos"), version_facts("v1"))
    actions.put_service(PUBLISHER, service.code, service_facts(name="Permisos"), version_facts("v2"))
    assert [version.version for version in queries.own(service.code, PUBLISHER).versions] == ["v1", "v2"]
    assert service.name == "Permisos"


@pytest.mark.parametrize(
    "words",
    [
        "permisos",
        "permiso",
        "circulacion",
        "circulación",
        "CIRCULACIONES",
        "vehiculo",
        "vehículos vigentes",
        "permiso vehiculo",
        '"permisos de circulación"',
    ],
)
def test_a_service_is_found_by_words_in_spanish(words: str) -> None:
    service = a_published_service()
    a_published_service(name="Registro de cementerios", description="Consulta de sepulturas.")
    assert codes(words) == [service.code]


def test_a_service_is_found_by_its_code_kind_and_owner() -> None:
    service = a_published_service()
    other = a_published_service(AUTHORITY, kind="data", name="Nómina de feriados", description="Los feriados legales.")
    assert codes(service.code) == [service.code]
    assert codes(kind="data") == [other.code]
    assert codes(owner=OWNER.code) == [service.code]
    assert codes("feriado", owner=OWNER.code) == []
    assert queries.owners() == [AUTHORITY.code, OWNER.code]


def test_the_name_counts_more_than_the_description() -> None:
    mention = a_published_service(name="Firma", description="Sirve también para becas.")
    becas = a_published_service(name="Becas de estudio", description="Postulación y pago.")
    assert codes("becas") == [becas.code, mention.code]


@pytest.mark.parametrize("words", ["'", '"', "a & | ! b", "\\", "%", "or", "-", "x" * 5000, "\x00", "\ud800", "; DROP"])
def test_no_search_breaks(words: str) -> None:
    a_published_service()
    assert codes(words) in ([], codes())


def test_a_list_goes_on_with_its_cursor() -> None:
    made = [a_published_service(name=f"Permiso número {number}").code for number in range(5)]
    for words in ("", "permiso"):
        seen: list[str] = []
        cursor: str | None = None
        while True:
            page = queries.search(words, limit=2, cursor=cursor)
            seen += [service.code for service in page.items]
            cursor = page.next
            if cursor is None:
                break
        assert sorted(seen) == sorted(made)
    assert codes() == made[::-1]


@pytest.mark.parametrize("cursor", ["x", "W10", "AAAA", "WyJhIiwgImIiXQ", "e30"])
@pytest.mark.parametrize("words", ["", "permiso"])
def test_a_cursor_of_ones_own_making_is_refused(cursor: str, words: str) -> None:
    with pytest.raises(Invalid):
        queries.search(words, cursor=cursor)


def test_the_document_is_kept_as_it_came_and_drafts_documents_are_hidden() -> None:
    service = a_service()
    media_type, text = queries.openapi_document(service.code, "v1", PUBLISHER)
    assert (media_type, text[:12]) == ("application/json", '{"openapi": ')
    a_published = a_published_service()
    actions.new_version(PUBLISHER, a_published.code, version_facts("v2"))
    assert queries.openapi_document(a_published.code, "v1", NOBODY)
    for code, version in ((service.code, "v1"), (a_published.code, "v2"), (a_published.code, "v9")):
        with pytest.raises(NotFound):
            queries.openapi_document(code, version, NOBODY)


@pytest.mark.parametrize(
    "code", ["", "SRV-1", "SRV-999999", "srv-000001", "SRV-000001\x00", "SRV-000001\n", "' OR 1=1"]
)
def test_a_code_that_is_none_is_not_found(code: str) -> None:
    with pytest.raises(NotFound):
        queries.find(code, NOBODY)
