"""Changes of the catalogue: an agency describes a service, the authority decides about it."""

from __future__ import annotations

from sqlalchemy import select

from catalogue.services.models import SERVICE_NUMBER, Service, ServiceVersion
from catalogue.services.queries import own, version_to_review
from catalogue.services.rules import (
    NotInThisState,
    ServiceFacts,
    Status,
    Transition,
    UnderReview,
    VersionFacts,
    VersionTaken,
    checked_reasons,
    refuse_incomplete,
    service_code,
)
from kernel.base.errors import NotFound
from kernel.base.lifecycles import TransitionRule
from kernel.jobs.access import Principal
from kernel.recording import lifecycle
from kernel.recording.work import Work, action


@action
def draft_service(work: Work, publisher: Principal, facts: ServiceFacts, version: VersionFacts) -> Service:
    """Describe a new service and its first version; only the publisher's agency sees it."""
    number = work.session.scalars(select(SERVICE_NUMBER.next_value())).one()
    service = Service(code=service_code(number), owner=publisher.acting_agency.code, created_at=work.now, versions=[])
    service.describe(facts)
    work.add(service)
    work.record("catalogue:service:drafted", service, name=service.name)
    _draft_version(work, service, version)
    return service


@action
def edit_service(work: Work, publisher: Principal, code: str, facts: ServiceFacts) -> Service:
    """Change what is said of a service. Raises NotFound, NotYours, UnderReview."""
    service = _own_locked(work, publisher, code)
    if service.is_under_review:
        raise UnderReview(log=code)
    service.describe(facts)
    work.record("catalogue:service:edited", service, name=service.name)
    return service


@action
def new_version(work: Work, publisher: Principal, code: str, facts: VersionFacts) -> ServiceVersion:
    """Begin another version of a service. Raises NotFound, NotYours, VersionTaken."""
    return _draft_version(work, _own_locked(work, publisher, code), facts)


@action
def edit_version(work: Work, publisher: Principal, code: str, name: str, facts: VersionFacts) -> ServiceVersion:
    """Change a version that is not under review nor published. Raises NotFound, NotYours, NotInThisState."""
    version = _version(_own_locked(work, publisher, code), name)
    rule = lifecycle.rule(version, Transition.EDIT)
    _describe(version, facts)
    lifecycle.transition(work, version, rule, base_url=version.base_url)
    return version


@action
def put_service(work: Work, publisher: Principal, code: str, facts: ServiceFacts, version: VersionFacts) -> Service:
    """Replace the description of a service and of one of its versions, or add that version: a machine's one call.

    Raises as `edit_service`, `edit_version` and `new_version` do.
    """
    service = edit_service(publisher, code, facts)
    if service.version(version.version) is None:
        _draft_version(work, service, version)
    else:
        edit_version(publisher, code, version.version, version)
    return service


@action
def submit_version(work: Work, publisher: Principal, code: str, name: str) -> ServiceVersion:
    """Send a version to the authority. Raises NotFound, NotYours, NotComplete, NotInThisState."""
    version = _version(_own_locked(work, publisher, code), name)
    rule = lifecycle.rule(version, Transition.SUBMIT)
    refuse_incomplete(version.base_url, version.openapi_type)
    version.submitted_at, version.reasons = work.now, ""
    lifecycle.transition(work, version, rule)
    return version


@action
def approve_version(work: Work, authority: Principal, code: str, name: str, seen: str = "") -> ServiceVersion:
    """Publish a version. The authority may approve its own: the record says so.

    seen: when the version was submitted, as the decider saw it; another submission since then is NotInThisState.
    Raises NotFound, NotInThisState.
    """
    version, rule = _submitted(work, code, name, seen, Transition.APPROVE)
    version.service.published_at = version.service.published_at or work.now
    _decide(work, authority, version, rule)
    return version


@action
def return_version(
    work: Work, authority: Principal, code: str, name: str, reasons: str, seen: str = ""
) -> ServiceVersion:
    """Give a version back to its owner with reasons. Raises NotFound, Invalid, NotInThisState."""
    reasons = checked_reasons(reasons)
    version, rule = _submitted(work, code, name, seen, Transition.RETURN)
    version.reasons = reasons
    _decide(work, authority, version, rule)
    return version


def _own_locked(work: Work, publisher: Principal, code: str) -> Service:
    """The service, locked, so that two who change it come one after the other."""
    service = own(code, publisher)
    _lock(work, service)
    return service


def _lock(work: Work, service: Service) -> None:
    work.session.refresh(service, with_for_update=True)
    for version in service.versions:
        work.session.refresh(version)


def _version(service: Service, name: str) -> ServiceVersion:
    version = service.version(name)
    if version is None:
        raise NotFound(log=f"{service.code} has no such version")
    return version


def _submitted(
    work: Work, code: str, name: str, seen: str, step: Transition
) -> tuple[ServiceVersion, TransitionRule[Status]]:
    """The version to be decided, locked, and the rule that allows the decision."""
    version = version_to_review(code, name)
    _lock(work, version.service)
    if seen and version.submitted_at is not None and version.submitted_at.isoformat() != seen:
        raise NotInThisState(log=f"{version.code} was submitted again")
    return version, lifecycle.rule(version, step)


def _decide(work: Work, authority: Principal, version: ServiceVersion, rule: TransitionRule[Status]) -> None:
    owner = version.service.owner
    version.decided_at = work.now
    own_agency = authority.acting_agency.code == owner
    lifecycle.transition(work, version, rule, owner=owner, own_agency=own_agency)


def _draft_version(work: Work, service: Service, facts: VersionFacts) -> ServiceVersion:
    if service.version(facts.version) is not None:
        raise VersionTaken(fields={"version": [VersionTaken.title]})
    version = ServiceVersion(
        version=facts.version,
        status=str(Status.DRAFT),
        base_url="",
        reasons="",
        created_at=work.now,
    )
    version.attach(None)
    service.versions.append(version)
    _describe(version, facts)
    work.session.flush()
    work.record("catalogue:version:drafted", version, base_url=version.base_url)
    return version


def _describe(version: ServiceVersion, facts: VersionFacts) -> None:
    version.base_url = facts.base_url
    if facts.document is not None:
        version.attach(facts.document)
