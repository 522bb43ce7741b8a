"""State that hundreds of applications in one process share, made for the first of them only."""

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import pytest
from argon2 import PasswordHasher
from jinja2.bccache import Bucket, BytecodeCache
from sqlalchemy import Engine, create_engine
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from werkzeug.routing import Rule

from identity.people import rules
from kernel.database import db
from kernel.http import i18n
from portal import wiring


class CompiledTemplates(BytecodeCache):
    """Templates, compiled once for all the applications that a run makes."""

    def __init__(self) -> None:
        self.compiled: dict[str, bytes] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        if bucket.key in self.compiled:
            bucket.bytecode_from_string(self.compiled[bucket.key])

    def dump_bytecode(self, bucket: Bucket) -> None:
        self.compiled[bucket.key] = bucket.bytecode_to_string()


@contextmanager
def made_once_for_all_applications() -> Iterator[None]:
    """While this lasts, translations are read and routes and statements compiled once: most of what a start costs."""
    with pytest.MonkeyPatch.context() as once:
        once.setattr(i18n, "_read", lru_cache(i18n._read))
        once.setattr(wiring, "capability_module", lru_cache(maxsize=None)(wiring.capability_module))
        once.setattr(Rule, "compile", _compiled_once(Rule.compile))
        once.setattr(db, "create_engine", _sharing_statements(create_engine))
        # Each engine has a dialect of its own, by which compiled statements are told apart.
        once.setattr(PGDialect_psycopg, "__eq__", lambda one, other: type(one) is type(other))
        once.setattr(PGDialect_psycopg, "__hash__", lambda one: hash(type(one)))
        yield


@contextmanager
def rarely_collecting() -> Iterator[None]:
    """While this lasts, garbage is looked for seldom, as all the modules are searched for it."""
    thresholds = gc.get_threshold()
    gc.set_threshold(50_000, 20, 20)
    yield
    gc.set_threshold(*thresholds)


@contextmanager
def cheap_passwords() -> Iterator[None]:
    """While this lasts, a password's hash costs as little as argon2id can; what it has to cost is a test of its own."""
    with pytest.MonkeyPatch.context() as cheap:
        cheap.setattr(rules, "_HASHER", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
        yield


def _compiled_once(compile_rule: Callable[[Rule], None]) -> Callable[[Rule], None]:
    """Werkzeug's reading of a route, which is the same for routes of one spelling."""
    compiled: dict[str, dict[str, Any]] = {}

    def compile_once(rule: Rule) -> None:
        spelling = repr((rule.rule, rule.subdomain, rule.host, rule.merge_slashes, rule.defaults))
        if spelling not in compiled:
            compile_rule(rule)
            names = ("_parts", "_trace", "_converters", "arguments", "_build", "_build_unknown")
            compiled[spelling] = {name: getattr(rule, name) for name in names}
        of_this_rule = compiled[spelling].copy()
        for name in ("_build", "_build_unknown"):
            of_this_rule[name] = of_this_rule[name].__func__.__get__(rule)
        vars(rule).update(of_this_rule)

    return compile_once


def _sharing_statements(make: Callable[..., Engine]) -> Callable[..., Engine]:
    """SQLAlchemy's function, whose engines keep compiled statements in one place."""
    compiled: dict[Any, Any] = {}

    def create(*given: Any, **named: Any) -> Engine:
        engine = make(*given, **named)
        engine.update_execution_options(compiled_cache=compiled)
        return engine

    return create
