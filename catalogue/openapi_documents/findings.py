"""Findings about a document: a refusal or a warning, with its place and a sentence in the reader's language."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from flask_babel.speaklater import LazyString

from kernel.errors import Invalid, _

Place = tuple[str, ...]
"""The names and numbers that lead from the top of a document to a part of it."""
LONGEST_VALUE = 120
MOST_WARNINGS = 100

SENTENCES = {
    # Text that cannot be read.
    "too-large": _("The document is larger than 1 MB."),
    "empty": _("The document is empty: there is nothing in it."),
    "not-text": _("The document is not text in UTF-8. Save it as UTF-8 and send it again."),
    "null-character": _("There is a null character here: this is not text."),
    "character": _("There is a character here that cannot be shown. Remove it."),
    "too-deep": _("The document is nested too deeply: at most %(count)s levels."),
    "twice": _("“%(name)s” stands here twice. Keep one of them."),
    "not-finite": _("“%(value)s” is no number that JSON knows. Leave it out, or write it in quotes."),
    "long-number": _("The number here has too many digits."),
    "json-name": _("A name in double quotes is expected here."),
    "json-value": _("A value is expected here: text in double quotes, a number, true, false, null, { or [."),
    "json-colon": _("A colon is expected between a name and its value."),
    "json-comma": _("A comma or a closing bracket is expected here."),
    "json-quotes": _("A text begins here whose closing quotes are missing."),
    "json-control": _("There is a line break or a tab inside a text. Write it as \\n or \\t."),
    "json-escape": _("After a backslash one of \" \\ / b f n r t u is expected."),
    "json-rest": _("The document goes on after its end. Keep one document only."),
    "yaml-mapping": _("A colon is not expected here. Put the text in quotes, or correct the indentation."),
    "yaml-indent": _("This line does not fit those above it. Correct its indentation."),
    "yaml-colon": _("A name without its colon. Write a colon and a space after it."),
    "yaml-token": _("No text begins with this character, and no line with a tab. Use quotes, and spaces to indent."),
    "yaml-quotes": _("A text in quotes is not closed."),
    "yaml-bracket": _("A comma or a closing bracket is missing."),
    "yaml-escape": _("After a backslash in double quotes comes a character that YAML does not know there."),
    "yaml-version": _("The document says that it is of a version of YAML other than 1.2."),
    "yaml-tag": _("The tag “%(tag)s” is not one that JSON knows. Remove it, or write the value itself."),
    "yaml-value": _("“%(value)s” is not a value of the kind that its tag names."),
    "yaml-key": _("A name has to be text, and this is a list or a mapping."),
    "yaml-anchor": _("“*%(name)s” refers to nothing: write “&%(name)s” where it is defined, above."),
    "yaml-circle": _("“*%(name)s” stands inside of what it refers to."),
    "yaml-aliases": _("The aliases (*name) make the document too large when they are replaced by what they refer to."),
    "yaml-merge": _("“<<” merges mappings only. Write “<<: *name”, where the name is that of a mapping."),
    "yaml-other": _("This is not YAML. Look at the line and the one above it, in an editor that knows YAML."),
    "too-many-operations": _("The document has more than %(count)s operations. Divide it into several services."),
    "too-large-converted": _("Converted to OpenAPI 3 the document grows too large. Name fewer media types in it."),
    # What the document has to be.
    "not-openapi": _("The document does not say what it follows: “openapi: 3.0.3”, 3.1, 3.2 or “swagger: 2.0”."),
    "unknown-version": _("“%(version)s” is not accepted: OpenAPI 3.0, 3.1 and 3.2 and Swagger 2.0 are."),
    "version-form": _("Write the whole version, in quotes, such as \"3.0.3\"; this is %(version)s."),
    "missing": _("“%(name)s” is missing."),
    "missing-one": _("One of %(names)s is missing."),
    "unknown": _("“%(name)s” is not known here. Correct its spelling, or begin it with “x-”."),
    "kind": _("Here %(expected)s is expected, and this is %(actual)s."),
    "one-of": _("“%(value)s” is not expected here, but one of: %(allowed)s."),
    "name": _("“%(name)s” is not a name that may stand here."),
    "component-name": _("“%(name)s” is not a component's name: letters, digits, “.”, “-” and “_”."),
    "component-name-3.0": _("“%(name)s” is not a component's name: letters, digits, “.”, “-” and “_”."),
    "path-name": _("“%(name)s” is not a path: it begins with “/”."),
    "status-name": _("“%(name)s” is not a status such as 200, 4XX or default."),
    "method-name": _("“%(name)s” is not a method that may stand here, or has a place of its own beside this one."),
    "duplicate": _("“%(value)s” stands in the list more than once."),
    "few": _("There has to be at least one here."),
    "only-one": _("There has to be exactly one here."),
    "together": _("“%(one)s” and “%(other)s” exclude each other."),
    "required-true": _("A parameter in the path has “required: true”."),
    "below": _("A number of at least %(least)s is expected here."),
    "not-above": _("A number above 0 is expected here."),
    "not-here": _("“%(name)s” does not go with “%(other)s”."),
    "parameter-twice": _("The parameter “%(name)s” (%(where)s) stands here twice."),
    "form-and-body": _("An operation has a body or form fields, not both."),
    # References and paths.
    "elsewhere": _("This refers to “%(reference)s”, outside of the document: bring everything into one file."),
    "dangling": _("This refers to “%(reference)s”, which the document does not have."),
    "circle": _("This refers to “%(reference)s”, which leads back here."),
    "other-kind": _("This refers to “%(reference)s”, which is not of the kind that belongs here."),
    "same-path": _("“%(path)s” and “%(other)s” are the same path: only the names in braces differ."),
    "undeclared": _("The path has “{%(name)s}”, and no parameter of that name is described (in: path)."),
    "not-in-path": _("The parameter “%(name)s” is said to be in the path, which has no “{%(name)s}”."),
    # Only ever warnings.
    "converted": _("This is Swagger 2.0. It was converted to OpenAPI 3.0, and that is what is published."),
    "left-out": _("“%(name)s” is not known to Swagger 2.0 and was left out."),
    "taken-over": _("“%(name)s” is not known to Swagger 2.0 and was taken over as OpenAPI 3.0 has it."),
    "renamed": _("“%(name)s” is called “%(other)s” now: OpenAPI 3 allows fewer characters in names."),
    "no-equal": _("“%(name)s: %(value)s” has no equal in OpenAPI 3.0; it was converted to the nearest."),
    "declared-now": _("The path has “{%(name)s}”, which nothing described: a parameter was added, as text."),
    "pattern": _("“%(pattern)s” cannot be read as a regular expression of JavaScript (ECMA-262)."),
    "merged": _("“<<” is applied, but YAML 1.2 does not know it: other programs may read something else."),
    "same-operation": _("The operationId “%(name)s” stands at another operation as well."),
    "same-tag": _("The tag “%(name)s” is described twice."),
    "unknown-scheme": _("The security scheme “%(name)s” is not described in the document."),
    "nullable": _("OpenAPI 3.1 no longer knows “nullable”: write “type: [%(type)s, \"null\"]”."),
    "no-items": _("An array whose “items” are not described."),
    "further": _("There are %(count)s further warnings."),
    "other-dialect": _("The schemas follow “%(dialect)s”, which is not looked at here."),
}  # fmt: skip
"""Every sentence by the code that programs read. Of a warning the code, the place and the values are stored."""

KINDS = {
    "text": _("text"),
    "flag": _("true or false"),
    "number": _("a number"),
    "whole": _("a whole number"),
    "list": _("a list"),
    "mapping": _("a mapping"),
    "nothing": _("nothing (null)"),
    "schema": _("a schema (a mapping, true or false)"),
}


class Fault(Exception):
    """The document is not what it should be. Raised where it is found and turned into a refusal by the reader.

    line: where the text itself is at fault; otherwise the place leads to it.
    """

    def __init__(self, code: str, place: Place = (), line: int | None = None, **values: object) -> None:
        super().__init__(code)
        self.code, self.place, self.line = code, place, line
        self.values = {name: shortened(value) for name, value in values.items()}


@dataclass(frozen=True)
class Finding:
    """One warning: its code, its line in the document as it came, its place there, and what its sentence names."""

    code: str
    line: int
    place: Place = ()
    values: Mapping[str, str] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        return {"code": self.code, "line": self.line, "place": list(self.place), "values": dict(self.values)}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Finding:
        return cls(stored["code"], stored["line"], tuple(stored["place"]), stored["values"])

    @property
    def pointer(self) -> str:
        """The place as a JSON Pointer (RFC 6901)."""
        return pointer(self.place)

    @property
    def sentence(self) -> Any:
        """The sentence, in the language of whoever reads it when it is shown."""
        return sentence(self.code, self.values)


class DocumentRefused(Invalid):
    """The OpenAPI document does not parse, or is not one."""

    kind = "openapi-document-refused"
    title = _("The OpenAPI document has a mistake")
    explanation = _(
        "The document does not parse, or does not say what the OpenAPI standard asks for. "
        "The line and the reason are given."
    )
    remedy = _("Correct the document at the place named, for example in an OpenAPI editor, and send it again.")

    def __init__(self, fault: Fault, line: int) -> None:
        reason = sentence(fault.code, fault.values)
        if fault.place:
            where = " › ".join(shortened(step) for step in fault.place)
            reason = _("Line %(line)s, at %(place)s: %(reason)s", line=line, place=where, reason=reason)
        elif fault.code not in WITHOUT_LINE:
            reason = _("Line %(line)s: %(reason)s", line=line, reason=reason)
        super().__init__(reason, fields={"openapi": [reason]})


WITHOUT_LINE = ("too-large", "empty", "too-many-operations", "too-large-converted")


def sentence(code: str, values: Mapping[str, str]) -> Any:
    """The sentence of a code, filled in when it is shown."""
    return LazyString(lambda: str(SENTENCES[code]) % {name: _in_words(value) for name, value in values.items()})


def _in_words(value: str) -> str:
    """The name of a kind in the reader's language; everything else stands in the document as it is."""
    kind = value.removeprefix("kind:")
    return str(KINDS[kind]) if kind != value and kind in KINDS else value


def pointer(place: Place) -> str:
    return "".join("/" + step.replace("~", "~0").replace("/", "~1") for step in place)


def shortened(value: object) -> str:
    """A part of the document that a sentence repeats: one line that can be shown and stored, of bearable length."""
    text = " ".join(str(value).replace("\x00", "").encode(errors="replace").decode().split())
    return text if len(text) <= LONGEST_VALUE else f"{text[: LONGEST_VALUE - 1]}…"
