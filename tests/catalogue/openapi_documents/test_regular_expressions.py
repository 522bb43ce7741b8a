"""Patterns as documents have them: what JavaScript reads passes, what it does not is noticed."""

import pytest

from catalogue.openapi_documents.regular_expressions import is_regular_expression

JAVASCRIPT = [
    r"^[a-z]+$",
    r"(?<y>\d{4})-\k<y>",
    r"\p{L}+",
    r"[\w-\.]",
    "[]",
    "[^]",
    "[[a]",
    r"é\x41\u{1F600}",
    r"(?<=a+)b",
    r"^\/x$",
    "[&&]",
    "[a-z&|~]",
    "x{99999999999}",
    "(?i:a)(?=a)(?!b)(?<!c)(?:d)",
    "[+*?]+",
    "a+?",
    r"^[^\s@]+@[^\s@]+\.[^\s@]+$",
    "{",
    "]",
    "(" * 2_000 + ")" * 2_000,
]


@pytest.mark.parametrize("pattern", JAVASCRIPT, ids=lambda pattern: pattern[:30])
def test_what_javascript_reads_passes(pattern: str) -> None:
    assert is_regular_expression(pattern)


@pytest.mark.parametrize(
    "pattern", ["[", "(", ")", "a{2,1}", "*", "(?i)abc", "a++", "(?>a)", "[z-a]", "(?P<x>a)", "\\"]
)
def test_what_javascript_does_not_read_is_noticed(pattern: str) -> None:
    assert not is_regular_expression(pattern)
