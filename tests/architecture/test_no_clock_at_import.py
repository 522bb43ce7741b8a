"""No test depends on when in the run it stands: whatever reads the clock does so while the test runs."""

import ast
from collections.abc import Iterator
from pathlib import Path

TESTS = Path(__file__).parents[1]
READS_THE_CLOCK = {"time", "now", "today", "utcnow", "monotonic", "local"}
SHARED = ("module", "package", "session", "class")


def _read_early(node: ast.AST) -> Iterator[ast.Call]:
    """Calls that read the clock when a module is imported, or in a fixture that several tests share."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            early: list[ast.AST] = [*child.decorator_list, child.args]
            if any(_is_shared(each) for each in child.decorator_list):
                early += child.body
            for each in early:
                yield from _reads(each)
        elif not isinstance(child, ast.Lambda):
            if isinstance(child, ast.Call) and _is_reading(child):
                yield child
            yield from _read_early(child)


def _reads(node: ast.AST) -> Iterator[ast.Call]:
    return (each for each in ast.walk(node) if isinstance(each, ast.Call) and _is_reading(each))


def _is_reading(call: ast.Call) -> bool:
    named = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    return named in READS_THE_CLOCK


def _is_shared(decorator: ast.expr) -> bool:
    if not isinstance(decorator, ast.Call):
        return False
    return any(
        keyword.arg == "scope" and isinstance(keyword.value, ast.Constant) and keyword.value.value in SHARED
        for keyword in decorator.keywords
    )


def found_in(source: str) -> list[int]:
    return [call.lineno for call in _read_early(ast.parse(source))]


def test_the_clock_is_read_while_a_test_runs() -> None:
    early = {str(path.relative_to(TESTS)): found_in(path.read_text()) for path in TESTS.rglob("*.py")}
    assert {path: lines for path, lines in early.items() if lines} == {}


EARLY = """
CASES = [{"exp": int(time()) + 600}]
@pytest.mark.parametrize("at", [datetime.now()])
def test_it(at=clock.now()): time()
@pytest.fixture(scope="session")
def token(): return signed(exp=time.time())
def later(): return lambda: time()
LATER = lambda: time()
"""


def test_what_is_read_too_early_is_found() -> None:
    assert found_in(EARLY) == [2, 3, 4, 6]
