"""State that hundreds of applications in one process share, made for the first of them only."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import pytest
from jinja2.bccache import Bucket, BytecodeCache
from werkzeug.routing import Rule

from kernel.http import i18n


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
    """While this lasts, translations are read and functions of routes compiled once: most of what a start costs."""
    with pytest.MonkeyPatch.context() as once:
        once.setattr(i18n, "_read", lru_cache(i18n._read))
        once.setattr(Rule, "_compile_builder", _compiled_once(Rule._compile_builder))
        yield


def _compiled_once(compile_builder: Callable[[Rule, bool], Any]) -> Callable[[Rule, bool], Any]:
    """Werkzeug's function that writes an address, which is the same for routes of one spelling."""
    compiled: dict[str, Any] = {}

    def compile_builder_once(rule: Rule, append_unknown: bool = True) -> Any:
        spelling = repr((rule.rule, rule._trace, rule.defaults, append_unknown))
        if spelling not in compiled:
            compiled[spelling] = compile_builder(rule, append_unknown)
        return compiled[spelling]

    return compile_builder_once
