"""A state's tree as a file: read as spreadsheets write it, shown before it changes anything, all of it or nothing."""

import io
import json
from contextlib import suppress
from datetime import date
from pathlib import Path

import pytest
from builders.identity import an_agency, an_official, sign_in_for
from click.testing import CliRunner, Result
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st

from identity.agencies.queries import agency_on, find_agency, tree_on
from identity.agency_imports import actions, queries
from identity.agency_imports.rules import MAX_LINES, FileRefused, read_rows
from kernel.base import clock
from portal.cli import context
from portal.cli.registry import agency as agency_commands

HEADER = "code,name,kind,parent,valid_from,valid_until,norm"
STATE = f"""{HEADER}
AE011,Dirección de Aguas,service,AE010,2010-05-01,,Ley 2
AE010,Ministerio del Ñandú,ministry,,2000-01-01,,Ley 1
"""
IN_SPANISH = (
    "sep=;\r\nCódigo;Nombre;Tipo;Depende de;Vigente desde;Vigente hasta;Norma\r\n"
    "AE011;Dirección de Aguas;Servicio;AE010;01-05-2010;;Ley 2\r\n"
    "AE010;Ministerio del Ñandú;Ministerio;;1/1/2000;;Ley 1\r\n;;;;;;\r\n"
)


@pytest.mark.parametrize("content", [
    STATE.encode(),
    b"\xef\xbb\xbf" + STATE.encode(),
    STATE.encode("utf-16"),
    STATE.encode("cp1252"),
    STATE.replace(",", "\t").encode(),
    STATE.replace(",", ";").replace("\n", "\r\n").encode("cp1252"),
])  # fmt: skip
def test_a_file_is_read_as_spreadsheets_write_it(content: bytes) -> None:
    rows = read_rows(content)
    assert [(row.line, row.code, row.name, row.parent, row.valid_from) for row in rows] == [
        (2, "AE011", "Dirección de Aguas", "AE010", date(2010, 5, 1)),
        (3, "AE010", "Ministerio del Ñandú", None, date(2000, 1, 1)),
    ]


def test_a_file_in_spanish_says_the_same() -> None:
    ours = [(row.code, row.name, row.kind, row.valid_from, row.norm) for row in read_rows(STATE.encode())]
    assert [
        (row.code, row.name, row.kind, row.valid_from, row.norm) for row in read_rows(IN_SPANISH.encode("cp1252"))
    ] == ours


@pytest.mark.parametrize(
    ("lines", "line", "column"),
    [
        ("", 1, ""),
        ("code,name", 1, "kind"),
        ("code,name,kind,color", 1, "color"),
        ("code,name,kind,kind", 1, "kind"),
        (f"{HEADER}\nAE1,Uno,service", 2, "code"),
        (f"{HEADER}\nAE001,,service", 2, "name"),
        (f"{HEADER}\nAE001,Uno,kingdom", 2, "kind"),
        (f"{HEADER}\nAE001,Uno,service,x", 2, "parent"),
        (f"{HEADER}\nAE001,Uno,service,,2026-02-30", 2, "valid_from"),
        (f"{HEADER}\nAE001,Uno,service,,2026-01-01,31-12-2025", 2, "valid_until"),
        (f"{HEADER}\nAE001,Uno,service,,,,,more", 2, ""),
        (f'{HEADER}\n"Dos\nlíneas",Uno,service\nAE001,Uno,none', 2, "code"),
        (f"{HEADER}\nAE001,Uno,service\n\nAE001,Dos,service", 4, "code"),
        (f'{HEADER}\nAE001,"Uno"x,service', 2, ""),
        (f"{HEADER}\nAE001,U\x00no,service", 1, ""),
    ],
)
def test_what_is_wrong_is_told_with_its_line_and_column(lines: str, line: int, column: str) -> None:
    with pytest.raises(FileRefused) as refused:
        read_rows(lines.encode())
    assert (refused.value.faults[0].line, refused.value.faults[0].column) == (line, column)


def test_a_file_has_a_longest_length() -> None:
    line = "AE{:05},Servicio,service"
    many = [HEADER, *(line.format(number) for number in range(MAX_LINES))]
    assert len(read_rows("\n".join(many).encode())) == MAX_LINES
    with pytest.raises(FileRefused):
        read_rows("\n".join([*many, line.format(99_999)]).encode())


@given(st.binary(max_size=300) | st.text(max_size=300).map(lambda text: f"{HEADER}\n{text}".encode(errors="replace")))
def test_no_file_breaks_the_reader(content: bytes) -> None:
    with suppress(FileRefused):
        read_rows(content)


@pytest.mark.usefixtures("context")
class TestImport:
    def test_parents_may_stand_after_their_children(self) -> None:
        steps = actions.import_tree(read_rows(STATE.encode()), clock.today())
        assert [(step.row.code, step.is_new) for step in steps] == [("AE011", True), ("AE010", True)]
        assert [(one.code, one.parent) for one in tree_on(clock.today())] == [("AE011", "AE010"), ("AE010", None)]

    def test_the_same_file_again_changes_nothing(self) -> None:
        actions.import_tree(read_rows(STATE.encode()), clock.today())
        assert actions.import_tree(read_rows(STATE.encode()), clock.today()) == []
        exported = queries.tree_as_csv(clock.today())
        assert queries.plan(read_rows(exported.encode()), clock.today()) == []

    def test_what_would_change_is_told_and_nothing_else_changes(self) -> None:
        actions.import_tree(read_rows(STATE.encode()), clock.today())
        rows = read_rows(f"{HEADER}\nAE011,Dirección General de Aguas,service,,,,Ley 3".encode())
        (step,) = queries.plan(rows, clock.today())
        assert step.before == {"name": "Dirección de Aguas", "parent": "AE010"}
        assert step.after == {"name": "Dirección General de Aguas", "parent": None}
        assert agency_on("AE011", clock.today()).parent == "AE010"
        actions.import_tree(rows, date(2020, 1, 1))
        assert agency_on("AE011", clock.today()).parent is None
        assert agency_on("AE011", date(2019, 12, 31)).parent == "AE010"
        assert agency_on("AE011", date(2019, 12, 31)).valid_from == date(2010, 5, 1), "what is not said stays"

    @pytest.mark.parametrize(
        ("lines", "line"),
        [
            ("AE020,Uno,service,AE021\nAE021,Dos,service,AE020", 2),
            ("AE020,Uno,service\nAE021,Dos,service,AE999", 3),
            ("AE020,Uno,service,,2020-01-01\nAE021,Dos,service,AE020,2010-01-01", 3),
        ],
    )
    def test_a_tree_that_cannot_be_is_refused_as_a_whole(self, lines: str, line: int) -> None:
        with pytest.raises(FileRefused) as refused:
            actions.import_tree(read_rows(f"{HEADER}\n{lines}".encode()), clock.today())
        assert (refused.value.faults[0].line, refused.value.faults[0].column) == (line, "parent")
        assert find_agency("AE020") is None

    def test_one_bad_line_leaves_all_the_others_out(self) -> None:
        an_agency("AE900", is_authority=True)
        ends = f"{HEADER}\nAE020,Uno,service\nAE900,Servicio de Prueba,service,,,{clock.today()}"
        with pytest.raises(FileRefused) as refused:
            actions.import_tree(read_rows(ends.encode()), clock.today())
        assert refused.value.faults[0].line == 3
        assert find_agency("AE020") is None


class TestPages:
    def test_the_authority_sees_what_would_change_and_imports_it(self, app: Flask, client: FlaskClient) -> None:
        with app.app_context():
            authority = an_official(an_agency("AE900", is_authority=True))
        sign_in_for(client, authority, "AE900")
        address = "/authority/agencies/import"
        shown = client.post(address, data={"file": (io.BytesIO(STATE.encode("cp1252")), "estado.csv")})
        assert shown.status_code == 200
        assert "Dirección de Aguas" in shown.text
        assert "Dirección de Aguas" not in client.get("/agencies").text
        content = shown.text.split('name="content" value="')[1].split('"')[0]
        assert client.post(address, data={"content": content, "apply": "yes"}).location == "/authority/agencies"
        assert "Dirección de Aguas" in client.get("/agencies?q=aguas").text
        exported = client.get("/agencies.csv")
        assert exported.data.startswith(b"\xef\xbb\xbfcode,name")

    @pytest.mark.parametrize("data", [{}, {"content": "%%", "apply": "yes"}, {"content": "AAAA", "apply": "yes"}])
    def test_no_file_is_told(self, app: Flask, client: FlaskClient, data: dict[str, str]) -> None:
        with app.app_context():
            authority = an_official(an_agency("AE900", is_authority=True))
        sign_in_for(client, authority, "AE900")
        refused = client.post("/authority/agencies/import", data=data)
        assert refused.status_code == 422
        assert 'id="file-error"' in refused.text

    def test_only_the_authority_imports(self, app: Flask, client: FlaskClient) -> None:
        with app.app_context():
            official = an_official(an_agency("AE001"))
        sign_in_for(client, official, "AE001")
        assert client.get("/authority/agencies/import").status_code == 403
        assert client.get("/agencies").status_code == 200


def test_the_operator_looks_and_then_imports(app: Flask, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(context, "quiet_application", lambda: app)
    file = tmp_path / "estado.csv"
    file.write_text(STATE, encoding="cp1252")

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(agency_commands, arguments)

    assert "2 agencies would be" in run("import", str(file)).stdout
    assert run("tree").stdout == ""
    done = json.loads(run("import", str(file), "--apply", "--json").stdout)
    assert [one["code"] for one in done["changes"]] == ["AE011", "AE010"]
    assert run("tree").stdout == "AE010 Ministerio del Ñandú (ministry)\n  AE011 Dirección de Aguas (service)\n"
    assert run("tree", "--on", "2009-01-01").stdout == "AE010 Ministerio del Ñandú (ministry)\n"
    assert run("export").stdout.startswith("\ufeffcode,name")
    file.write_text(f"{HEADER}\nAE011,x,none")
    refused = run("import", str(file), "--apply")
    assert refused.exit_code == 1
    assert "kind" in refused.stderr
