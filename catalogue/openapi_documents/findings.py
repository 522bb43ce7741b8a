"""Findings about a document: a refusal or a warning, with its place and a sentence in the reader's language."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from flask_babel.speaklater import LazyString

from kernel.base.errors import Invalid, _

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
    "twice": _("“%(name)s” is here twice. Keep only one."),
    "not-finite": _("“%(value)s” is not a number in JSON. Leave it out, or write it in quotes."),
    "long-number": _("The number here has too many digits."),
    "json-name": _("A name in double quotes is expected here."),
    "json-value": _("A value is expected here: text in double quotes, a number, true, false, null, { or [."),
    "json-colon": _("A colon is expected between a name and its value."),
    "json-comma": _("A comma or a closing bracket is expected here."),
    "json-quotes": _("The text that begins here has no closing quotes."),
    "json-control": _("There is a line break or a tab inside a text. Write it as \\n or \\t."),
    "json-escape": _("After a backslash one of \" \\ / b f n r t u is expected."),
    "json-rest": _("The document continues after its end. Keep only one document."),
    "yaml-mapping": _("A colon is not expected here. Put the text in quotes, or correct the indentation."),
    "yaml-indent": _("This line does not fit the lines above it. Correct its indentation."),
    "yaml-colon": _("This name has no colon. Write a colon and a space after it."),
    "yaml-token": _("Text cannot begin with this character, nor a line with a tab. Use quotes, and spaces to indent."),
    "yaml-quotes": _("A text in quotes is not closed."),
    "yaml-bracket": _("A comma or a closing bracket is missing."),
    "yaml-escape": _("YAML does not allow this character after a backslash in double quotes."),
    "yaml-version": _("The document says that it uses a version of YAML other than 1.2."),
    "yaml-tag": _("JSON has nothing like the tag “%(tag)s”. Remove it, or write the value itself."),
    "yaml-value": _("“%(value)s” is not a value of the type that its tag names."),
    "yaml-key": _("A name has to be text, and this is a list or a mapping."),
    "yaml-anchor": _("“*%(name)s” refers to nothing. Write “&%(name)s” further up, where it is defined."),
    "yaml-circle": _("“*%(name)s” is inside what it refers to."),
    "yaml-aliases": _("The document becomes too large when its aliases (*name) are replaced by what they refer to."),
    "yaml-merge": _("“<<” only merges mappings. Write “<<: *name” with the name of a mapping."),
    "yaml-other": _("This is not valid YAML. Check this line and the one above it in an editor that supports YAML."),
    "too-many-operations": _("The document has more than %(count)s operations. Divide it into several services."),
    "too-large-converted": _("Once converted to OpenAPI 3, the document is too large. List fewer media types."),
    # What the document has to be.
    "not-openapi": _("The document does not name its standard: “openapi: 3.0.3”, 3.1, 3.2 or “swagger: 2.0”."),
    "unknown-version": _("“%(version)s” is not accepted. Use OpenAPI 3.0, 3.1 or 3.2, or Swagger 2.0."),
    "version-form": _("Write the full version in quotes, such as \"3.0.3\". This is %(version)s."),
    "missing": _("“%(name)s” is missing."),
    "missing-one": _("One of %(names)s is missing."),
    "unknown": _("“%(name)s” is not known here. Correct the spelling, or begin the name with “x-”."),
    "kind": _("Expected %(expected)s here, but this is %(actual)s."),
    "one-of": _("“%(value)s” is not allowed here. Use one of: %(allowed)s."),
    "name": _("The name “%(name)s” is not allowed here."),
    "component-name": _("“%(name)s” is not a valid component name: use letters, digits, “.”, “-” and “_”."),
    "component-name-3.0": _("“%(name)s” is not a valid component name: use letters, digits, “.”, “-” and “_”."),
    "path-name": _("“%(name)s” is not a path: a path begins with “/”."),
    "status-name": _("“%(name)s” is not a status such as 200, 4XX or default."),
    "method-name": _("“%(name)s” is not a method allowed here, or it has its own place next to this one."),
    "duplicate": _("“%(value)s” is in the list more than once."),
    "few": _("At least one is needed here."),
    "only-one": _("Exactly one is needed here."),
    "together": _("“%(one)s” and “%(other)s” cannot be used together."),
    "required-true": _("A parameter in the path must have “required: true”."),
    "below": _("A number of at least %(least)s is expected here."),
    "not-above": _("A number above 0 is expected here."),
    "not-here": _("“%(name)s” cannot be used together with “%(other)s”."),
    "parameter-twice": _("The parameter “%(name)s” (%(where)s) is here twice."),
    "form-and-body": _("An operation can have a body or form fields, but not both."),
    # References and paths.
    "elsewhere": _("This refers to “%(reference)s”, which is outside the document. Put everything into one file."),
    "dangling": _("This refers to “%(reference)s”, which is not in the document."),
    "circle": _("This refers to “%(reference)s”, which refers back to this."),
    "other-kind": _("This refers to “%(reference)s”, which is not the kind of thing expected here."),
    "same-path": _("“%(path)s” and “%(other)s” are the same path: only the names in braces differ."),
    "undeclared": _("The path has “{%(name)s}”, but no parameter of that name is described (in: path)."),
    "not-in-path": _("The parameter “%(name)s” is declared to be in the path, but the path has no “{%(name)s}”."),
    # Only ever warnings.
    "converted": _("This is Swagger 2.0. It was converted to OpenAPI 3.0, and that is what is published."),
    "left-out": _("Swagger 2.0 has no “%(name)s”, so it was left out."),
    "taken-over": _("Swagger 2.0 has no “%(name)s”. It was kept as in OpenAPI 3.0."),
    "renamed": _("“%(name)s” is now called “%(other)s”: OpenAPI 3 allows fewer characters in names."),
    "no-equal": _("“%(name)s: %(value)s” has no equivalent in OpenAPI 3.0. It was converted to the closest one."),
    "declared-now": _("The path has “{%(name)s}”, which was not described. A text parameter was added."),
    "pattern": _("“%(pattern)s” cannot be read as a regular expression of JavaScript (ECMA-262)."),
    "merged": _("“<<” is applied, but it is not part of YAML 1.2. Other programs may read the document differently."),
    "same-operation": _("The operationId “%(name)s” is also used by another operation."),
    "same-tag": _("The tag “%(name)s” is described twice."),
    "unknown-scheme": _("The security scheme “%(name)s” is not described in the document."),
    "nullable": _("OpenAPI 3.1 no longer has “nullable”. Write “type: [%(type)s, \"null\"]”."),
    "no-items": _("This is an array, but its “items” are not described."),
    "further": _("There are %(count)s further warnings."),
    "other-dialect": _("The schemas follow “%(dialect)s”, which is not checked here."),
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
    title = _("There is a mistake in the OpenAPI document")
    explanation = _(
        "The document cannot be read, or does not follow the OpenAPI standard. The line and the reason are shown."
    )
    remedy = _("Correct the document at the place shown, for example in an OpenAPI editor, and send it again.")

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
