"""The sandbox's test persons: who they are and what each one is good for.

All are invented. Their numbers lie from 40 million up, where the Registro Civil has issued none to a person, so that no
test person stands in a citizen's way.
"""

from __future__ import annotations

from dataclasses import dataclass

from kernel.base.errors import _

PASSWORD = "testing"
PUBLISHED_SECRET = "CORDILLERAESPACIODEPRUEBASCODIGO"
"""In base 32: what the app of the test person with a second factor would have, for everybody to compute codes with."""


@dataclass(frozen=True)
class Persona:
    """A test person, with the case that they put to the test."""

    run: str
    given_names: tuple[str, ...]
    family_names: tuple[str, ...]
    email: str | None
    shows: object
    has_second_factor: bool = False

    @property
    def name(self) -> str:
        return " ".join([*self.given_names, *self.family_names])


PERSONAS = (
    Persona(
        "44.444.444-4",
        ("María", "Carmen"),
        ("Del Río", "González"),
        "maria.delrio@example.cl",
        _("The person in the documentation: two given names and a surname of two words."),
    ),
    Persona(
        "55.555.555-5",
        ("José", "Ignacio"),
        ("Muñoz", "Sepúlveda"),
        "jose.munoz@example.cl",
        _("An ñ and accents: check your columns and your sorting."),
    ),
    Persona(
        "88.888.888-8",
        ("Catalina",),
        ("Rojas", "Fuentes"),
        "catalina.rojas@example.cl",
        _("A single given name."),
    ),
    Persona("99.999.999-9", ("Pedro", "Pablo"), ("Soto", "Vera"), None, _("No e-mail: the claim is missing.")),
    Persona(
        "45.100.204-K",
        ("Kimey", "Rayén"),
        ("Painemal", "Huenchumil"),
        "kimey.painemal@example.cl",
        _("A RUN that ends in K: do not store it as a number."),
    ),
    Persona(
        "46.123.456-9",
        ("Nguyen",),
        ("Tran",),
        "nguyen.tran@example.cl",
        _("A foreign resident with one surname: do not ask for two."),
    ),
    Persona(
        "40.000.001-8",
        ("Rosa", "Ester"),
        ("Valdés", "Viuda de Órdenes"),
        None,
        _("An older woman with her late husband's surname and no e-mail."),
    ),
    Persona(
        "47.654.321-5",
        ("Maximiliano", "Bernardo Alejandro", "de la Santísima Trinidad"),
        ("Fernández de la Reguera", "Ruiz-Tagle Errázuriz"),
        "maximiliano.fernandez@example.cl",
        _("Very long names: check that they fit."),
    ),
    Persona(
        "43.000.008-K",
        ("Íngrid", "Zoë"),
        ("O’Higgins", "Würth"),
        "ingrid.ohiggins@example.cl",
        _("An apostrophe, a diaeresis and an accented capital."),
    ),
    Persona(
        "48.000.100-1",
        ("Ana",),
        (),
        "ana@example.cl",
        _("No surname at all: the list is empty."),
    ),
    Persona(
        "42.200.300-2",
        ("Elena", "Isabel"),
        ("Quispe", "Mamani"),
        "elena.quispe@example.cl",
        _("A second step: enters a code when your application asks for it (acr_values)."),
        has_second_factor=True,
    ),
)
WITH_SECOND_FACTOR = next(persona for persona in PERSONAS if persona.has_second_factor)
