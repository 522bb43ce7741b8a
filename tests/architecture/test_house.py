"""The rules of the house that no import contract can say."""

import ast
import platform
import re
import sysconfig
from collections.abc import Iterator
from pathlib import Path

from builders.audit_tags import documented_tags
from builders.source import ROOT, is_below, source_files, syntax_trees
from flask import Flask

from kernel.jobs.access import declared_access
from portal import capabilities as installation

BLOCKS = ("identity", "catalogue", "interoperability", "platform/sandbox")
FURNITURE = {
    "__init__.py",
    "rules.py",
    "models.py",
    "queries.py",
    "actions.py",
    "schemas.py",
    "api.py",
    "web.py",
    "reactions.py",
    "composition.py",
    "settings.py",
}
# The contracts `protocol` and `interface-documents` of import-linter name every room of theirs.
ROOMS_OF_THEIR_OWN = {"openid", "demonstration", "openapi_documents"}
LONGEST_FILE = 500


def capabilities(floor: Path | None = None) -> Iterator[Path]:
    """Every folder of furniture, also in the wings, which have none themselves."""
    for parent in [floor] if floor else [ROOT / block for block in BLOCKS]:
        for folder in sorted(parent.iterdir()):
            if folder.is_dir() and folder.name not in ("translations", "__pycache__"):
                yield from capabilities(folder) if is_wing(folder) else [folder]


def is_wing(folder: Path) -> bool:
    return folder.name not in ROOMS_OF_THEIR_OWN and not any(
        piece.name in FURNITURE - {"__init__.py"} for piece in folder.iterdir()
    )


def has_tables_or_jobs(folder: Path) -> bool:
    return (folder / "models.py").exists() or (folder / "actions.py").exists()


def test_the_standard_library_keeps_its_platform() -> None:
    assert not (ROOT / "platform" / "__init__.py").exists()
    assert Path(str(platform.__file__)).is_relative_to(sysconfig.get_paths()["stdlib"])


def test_every_route_declares_who_may_use_it(app: Flask) -> None:
    bare = [rule.rule for rule in app.url_map.iter_rules() if not declared_access(app.view_functions[rule.endpoint])]
    assert bare == []


def test_every_capability_has_only_known_furniture() -> None:
    strange = []
    for folder in capabilities():
        if folder.name not in ROOMS_OF_THEIR_OWN:
            allowed = FURNITURE | {"templates", "__pycache__"}
            strange += [str(piece.relative_to(ROOT)) for piece in folder.iterdir() if piece.name not in allowed]
    assert strange == []


def test_every_capability_is_furnished_by_the_portal() -> None:
    # What the portal does not name has its tables and jobs only where somebody else happens to import them.
    furnished = {dotted(folder) for folder in capabilities() if has_tables_or_jobs(folder)}
    assert furnished <= {name for block in installation.blocks() for name in installation.capabilities(block)}


def dotted(folder: Path) -> str:
    return folder.relative_to(ROOT).as_posix().removeprefix("platform/").replace("/", ".")


def test_no_file_outgrows_a_few_screens() -> None:
    long = {
        str(path.relative_to(ROOT)): lines
        for ending in (".py", ".html", ".css", ".js")
        for path in source_files(ending)
        if (lines := len(path.read_text(encoding="utf-8").splitlines())) > LONGEST_FILE
    }
    assert long == {}


def recorded_tags() -> Iterator[tuple[str, str]]:
    """Every literal tag given to `record(...)` or named as a problem's `audit_tag`, with its place."""
    for path, tree in syntax_trees().items():
        for node in ast.walk(tree):
            place = f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 0)}"
            for constant in _tags(node):
                yield constant, place


def _tags(node: ast.AST) -> Iterator[str]:
    names = {getattr(node.func, "attr", ""), getattr(node.func, "id", "")} if isinstance(node, ast.Call) else set()
    if isinstance(node, ast.Call) and names & {"record", "recorded"} and node.args:
        yield from _strings(node.args[0])
    if isinstance(node, ast.Assign) and any(getattr(one, "id", "") == "audit_tag" for one in node.targets):
        yield from _strings(node.value)


def _strings(node: ast.AST) -> Iterator[str]:
    for part in ast.walk(node):
        if isinstance(part, ast.Constant) and isinstance(part.value, str):
            yield part.value


def test_every_audit_tag_is_documented() -> None:
    documented = documented_tags()
    undocumented = [f"{tag} at {place}" for tag, place in recorded_tags() if tag not in documented]
    assert undocumented == []


def test_every_documented_audit_tag_is_recorded() -> None:
    # As a literal where it is recorded, or in a table of the same block from which the tag is taken.
    literal = {tag for tag, _ in recorded_tags()}
    elsewhere = documented_tags() - literal
    in_tables = {tag for tree in syntax_trees().values() for tag in _strings(tree) if tag in elsewhere}
    assert sorted(elsewhere - in_tables) == []


ASKS_WHO_CALLS = ("platform/kernel/http", "platform/kernel/pages", "identity/openid/endpoints")
"""Rooms of views."""
KNOWS_WHO_CALLS = {
    "platform/kernel/jobs/access.py",
    "platform/kernel/recording/work.py",  # `Work.by`
    "platform/kernel/recording/audit.py",  # records that a prepared write makes by itself, without a Work
    "platform/kernel/outside/documents.py",  # an answer that goes on after its request
    "platform/portal/authority.py",  # views
    "platform/portal/pending.py",
}


def test_nothing_below_the_views_asks_who_calls() -> None:
    asking = {
        str(path.relative_to(ROOT))
        for path, tree in syntax_trees().items()
        if path.name not in ("web.py", "api.py") and not is_below(path, *ASKS_WHO_CALLS, "tests")
        for node in ast.walk(tree)
        if "current_principal" in (getattr(node, "id", ""), getattr(node, "attr", ""), getattr(node, "name", ""))
    }
    assert asking == KNOWS_WHO_CALLS


def test_nothing_committed_names_a_package_registry() -> None:
    registry = re.compile(r"pypi\.org|pythonhosted|npmjs|registry\.")
    locks = [*source_files(".txt"), *source_files(".toml"), *source_files(".json")]
    assert [str(path) for path in locks if registry.search(path.read_text(encoding="utf-8"))] == []


OWN_THREADS = {"platform/kernel/jobs/loops.py": "each loop runs in one"}


def test_threads_are_begun_by_loops_only() -> None:
    """A thread by hand ends with its first failure, and nobody hears of it: `kernel.jobs.loops`."""
    begun = {
        str(path.relative_to(ROOT))
        for path in source_files(".py")
        if re.search(r"\b(Thread|Timer|start_new_thread)\(", path.read_text(encoding="utf-8"))
        and path.relative_to(ROOT).parts[0] not in ("tests", "benchmarks")
    }
    assert begun == set(OWN_THREADS)
