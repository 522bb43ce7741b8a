"""Access to views: each declares `@requires(...)` or `@public("why")`; a bare view does not start.

Who the caller is comes from authenticators that the blocks bring (`kernel.composition`), and so do the roles and scopes
that there are; this module knows only the shape of the answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import wraps
from types import MappingProxyType
from typing import Any, ParamSpec, TypeVar

from flask import Flask, g, request

from kernel.base.errors import Forbidden, Problem, SignInRequired, Text
from kernel.base.slots import Slot

P = ParamSpec("P")
R = TypeVar("R")

ACTING_FOR = "acting_for"
"""The parameter of a link that says for which agency its page is, by the agency's code."""
NOTHING: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True)
class AgencyRef:
    """An agency as the other blocks know it: its state code and its name.

    is_active: whether it exists today. Of one that has ended the name is still told, but it does nothing any more.
    """

    code: str
    name: str
    is_authority: bool = False
    is_active: bool = True


@dataclass(frozen=True)
class Principal:
    """The caller of a request.

    kind: anonymous, person (signed in, acting for nobody), official (acting for `agency`), machine (an agency's
    system), system, or one that a block brings. id: the person's or client's identifier. roles: the functions that an
    official holds, and what follows from them, in words of the blocks. is_authority: whether they decide for the
    authority. scopes: of the access token that was brought. service_binding: what a machine's token is bound to.
    application: of a person who is not here themselves, the `client_id` of the one that brought their token; acr and
    authenticated_at: how surely and when they signed in to it. has_agencies: of a person signed in to our pages,
    whether they work for some agency.
    """

    kind: str = "anonymous"
    id: str = ""
    name: str = ""
    agency: AgencyRef | None = None
    roles: frozenset[str] = frozenset()
    is_authority: bool = False
    scopes: frozenset[str] = frozenset()
    service_binding: Mapping[str, str] = field(default_factory=lambda: NOTHING)
    application: str = ""
    acr: str = ""
    authenticated_at: datetime | None = None
    has_agencies: bool = False

    @property
    def acting_agency(self) -> AgencyRef:
        """The agency acted for. Raises Forbidden for those who act for none."""
        if self.agency is None:
            raise Forbidden(log=f"{self.kind} {self.id} acts for no agency")
        return self.agency


ANONYMOUS = Principal()
Authenticator = Callable[[], Principal | None]


@dataclass(frozen=True)
class Rule:
    """A named condition on the principal, with the page where a browser may come to fulfil it."""

    name: str
    allows: Callable[[Principal], bool]
    sign_in_endpoint: str = ""
    """Empty for where people sign in."""
    is_of_officials: bool = False
    """Whether it wants somebody who acts for an agency."""
    scopes: tuple[tuple[str, ...], ...] = ()
    """The sets of scopes with which an access token fulfils it."""
    refusal: Callable[[], Problem] | None = None
    """The problem to raise if the rule is not fulfilled, if not Forbidden."""


person = Rule("a person who has signed in", lambda p: p.kind in ("person", "official") and not p.application)
official = Rule("an official acting for an agency", lambda p: p.kind == "official", is_of_officials=True)
machine = Rule("an agency's system with an access token", lambda p: p.kind == "machine")
authority = Rule(
    "an official of the authority", lambda p: p.kind == "official" and p.is_authority, is_of_officials=True
)


def role(*names: str) -> Rule:
    """An official with at least one of the roles at the agency acted for."""
    return Rule(" or ".join(names), lambda p: p.kind == "official" and bool(p.roles & set(names)), is_of_officials=True)


def scope(*names: str) -> Rule:
    """A machine whose access token carries every scope named."""
    needed = " ".join(names)
    return Rule(
        f"an access token with {needed}", lambda p: p.kind == "machine" and p.scopes >= set(names), scopes=(names,)
    )


def person_scope(*names: str) -> Rule:
    """A person, through an application whose access token carries every scope named."""
    needed = " ".join(names)
    return Rule(
        f"a person's access token with {needed}",
        lambda p: p.kind == "person" and bool(p.application) and p.scopes >= set(names),
        scopes=(names,),
    )


def any_scope(*names: str) -> Rule:
    """A machine whose access token carries at least one of the scopes."""
    return Rule(
        f"an access token with {' or '.join(names)}",
        lambda p: p.kind == "machine" and bool(p.scopes & set(names)),
        scopes=tuple((name,) for name in names),
    )


def current_principal() -> Principal:
    """The caller of this request; anonymous outside one unless `act_as` named somebody."""
    if "principal" not in g:
        g.principal = g.came_as = _authenticate() if request else ANONYMOUS
    principal: Principal = g.principal
    return principal


def known_principal() -> Principal:
    """Return the caller of this request, if one was looked for, whatever has failed since. It is for the page that
    tells of the failure.
    """
    principal: Principal = g.get("came_as", ANONYMOUS)
    return principal


@dataclass(frozen=True)
class ProgramPaths:
    """A path below which everything is for programs: only tokens count there, and cookies for nothing.

    is_of_services: its tokens are for what lies behind it, which compares their audience itself, and never a person's.
    """

    prefix: str
    is_of_services: bool = False


AUTHENTICATORS: Slot[list[Authenticator]] = Slot("authenticators")
PROGRAM_PATHS: Slot[Mapping[str, ProgramPaths]] = Slot("program_paths", dict)
"""By their prefix, which begins and ends with a slash."""
SIGN_IN_ENDPOINT: Slot[str] = Slot("sign_in_endpoint", str)
"""The page where people sign in; empty where nobody can."""
MACHINE_SCOPES: Slot[Mapping[str, Text]] = Slot("machine_scopes", dict)
"""Scopes of the tokens of agencies' systems, and how an administrator reads them."""


def program_paths(path: str) -> ProgramPaths | None:
    """The paths of programs that this one is of; None for a page's."""
    return PROGRAM_PATHS().get(path[: path.find("/", 1) + 1])


def act_as(principal: Principal) -> None:
    """Name who acts in this application context (jobs, command line, tests, and a sign-in that just succeeded)."""
    g.principal = principal


@contextmanager
def acting_as(principal: Principal) -> Iterator[None]:
    """Let somebody act for a while, and then whoever did before."""
    before = current_principal()
    act_as(principal)
    try:
        yield
    finally:
        act_as(before)


def _authenticate() -> Principal:
    return next((principal for one in AUTHENTICATORS() if (principal := one()) is not None), ANONYMOUS)


def requires(*rules: Rule) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Only for principals that fulfil every rule. Raises SignInRequired when nobody is known, Forbidden otherwise."""

    def decorate(view: Callable[P, R]) -> Callable[P, R]:
        @wraps(view)
        def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
            check(*rules)
            return view(*args, **kwargs)

        _declare(guarded, " and ".join(rule.name for rule in rules), rules)
        return guarded

    return decorate


def check(*rules: Rule) -> None:
    """Raise unless the caller fulfils every rule."""
    principal = current_principal()
    for rule in rules:
        if rule.allows(principal):
            continue
        if principal.kind == "anonymous":
            problem = SignInRequired()
            problem.sign_in_endpoint = rule.sign_in_endpoint
            raise problem
        if rule.refusal is not None:
            raise rule.refusal()
        raise Forbidden(log=f"needs {rule.name}, is {principal.kind} {principal.id}")


def public(why: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Open to everyone, for the reason given."""

    def decorate(view: Callable[P, R]) -> Callable[P, R]:
        _declare(view, f"public: {why}")
        return view

    return decorate


def _declare(view: Any, access: str, rules: tuple[Rule, ...] = ()) -> None:
    view.declared_access, view.declared_rules = access, rules


def declared_access(view: Any) -> str | None:
    """Return the view's declaration, None for a bare view."""
    access: str | None = getattr(view, "declared_access", None)
    return access


def declared_rules(view: Any) -> tuple[Rule, ...]:
    """The rules that the view declared; none for a public one."""
    rules: tuple[Rule, ...] = getattr(view, "declared_rules", ())
    return rules


def refuse_bare_views(app: Flask) -> None:
    """Raise at start if any route declares no access. Call after every route is registered."""
    bare = sorted(
        rule.endpoint for rule in app.url_map.iter_rules() if declared_access(app.view_functions[rule.endpoint]) is None
    )
    if bare:
        raise RuntimeError(f"views without declared access: {', '.join(bare)}")
