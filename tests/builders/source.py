"""The repository's own files, for the rules of the house that read them."""

import ast
import subprocess
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@cache
def source_files(ending: str) -> tuple[Path, ...]:
    """Return the files of the repository with this ending, those not yet committed among them."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", f"*{ending}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return tuple(ROOT / name for name in listed.stdout.splitlines() if (ROOT / name).exists())


def is_below(path: Path, *folders: str) -> bool:
    """Whether the file is in one of these folders of the repository."""
    return any(path.is_relative_to(ROOT / folder) for folder in folders)


@cache
def syntax_of(path: Path) -> ast.Module:
    """Parse a file, once for all the rules that look at it."""
    return ast.parse(path.read_text(encoding="utf-8"))


def product_files() -> list[Path]:
    """Return the Python files of the product."""
    return [path for path in source_files(".py") if not is_below(path, "tests", "benchmarks")]


def syntax_trees() -> dict[Path, ast.Module]:
    """Parse the whole product."""
    return {path: syntax_of(path) for path in product_files()}
