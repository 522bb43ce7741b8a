"""The repository explains itself: its papers are readable in a terminal, and name only what is there."""

import re
from collections.abc import Iterator
from pathlib import Path

from builders.source import ROOT, source_files

LONGEST_LINE = 120
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
NAMED = re.compile(r"`((?:docs|tests|platform|identity|catalogue|interoperability|benchmarks|deploy)/[\w./-]+\.\w+)`")
PYTHON = re.compile(r"```python\n(.*?)```", re.DOTALL)
SIGNATURE = re.compile(r"^ *(def .*:)(?: \.\.\.)?$", re.MULTILINE)
ELSEWHERE = re.compile(r"\.\./shared|\b(?:DESIGN|NAMES|STYLE)\.md\b")


def lines() -> Iterator[tuple[str, str]]:
    for paper in source_files(".md"):
        for number, line in enumerate(paper.read_text(encoding="utf-8").splitlines(), start=1):
            yield f"{paper.relative_to(ROOT)}:{number}", line


def test_prose_fits_a_terminal() -> None:
    # A row of a table is one line in Markdown, however long.
    long = [place for place, line in lines() if len(line) > LONGEST_LINE and not line.startswith("|")]
    assert long == []


def test_no_link_of_a_paper_is_dead() -> None:
    dead = [
        f"{paper.relative_to(ROOT)} {link}"
        for paper in source_files(".md")
        for link in LINK.findall(paper.read_text(encoding="utf-8"))
        if "://" not in link and not link.startswith("mailto:") and not (paper.parent / link).exists()
    ]
    assert dead == []


def test_every_file_that_a_paper_names_is_there() -> None:
    missing = [
        f"{place} {name}" for place, line in lines() for name in NAMED.findall(line) if not (ROOT / name).exists()
    ]
    assert missing == []


def test_the_examples_of_the_architecture_are_in_the_code() -> None:
    code = {
        line.strip()
        for path in source_files(".py")
        for line in path.read_text(encoding="utf-8").splitlines()
        if "def " in line
    }
    invented = [
        f"{paper.name}: {signature}"
        for paper in source_files(".md")
        if paper.parent.name == "architecture"
        for block in PYTHON.findall(paper.read_text(encoding="utf-8"))
        for signature in SIGNATURE.findall(block)
        if signature not in code
    ]
    assert invented == []


def test_nothing_refers_to_a_paper_that_is_not_here() -> None:
    here = Path(__file__)
    strangers = [
        str(path.relative_to(ROOT))
        for ending in (".py", ".md", ".html", ".toml", ".po", "Makefile")
        for path in source_files(ending)
        if path != here and ELSEWHERE.search(path.read_text(encoding="utf-8"))
    ]
    assert strangers == []
