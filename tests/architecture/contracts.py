"""Import contracts made of the one list of capabilities, so that none can be forgotten (see `pyproject.toml`)."""

from __future__ import annotations

from typing import Any

from grimp import ImportGraph
from importlinter import Contract, ContractCheck, output
from importlinter.contracts.layers import LayersContract

from portal.capabilities import LAYERS, PECULIAR, blocks, capabilities

PIECES = (
    "(composition)",
    "(api) | (web) | (reactions)",
    "(actions)",
    "(queries)",
    "(models) | (schemas)",
    "(rules) | (settings)",
)
WITH_PORTS = ("catalogue", "identity", "interoperability")


class WingContract(LayersContract):
    """The capabilities and wings of a block or wing each know only those below them; every folder is in the list."""

    type_name = "wing"

    def __init__(self, name: str, session_options: dict[str, Any], contract_options: dict[str, Any]) -> None:
        (wing,) = contract_options["containers"]
        layers = [*LAYERS[wing], *(["ports"] if wing in WITH_PORTS else [])]
        super().__init__(name, session_options, {**contract_options, "layers": layers, "exhaustive": "true"})


class PiecesContract(LayersContract):
    """Every capability has the same pieces and no other."""

    type_name = "pieces"

    def __init__(self, name: str, session_options: dict[str, Any], contract_options: dict[str, Any]) -> None:
        every = {capability for block in blocks() for capability in capabilities(block)}
        own = {"containers": sorted(every - PECULIAR), "layers": PIECES, "exhaustive": "true"}
        super().__init__(name, session_options, {**contract_options, **own})


class OwnModelsContract(Contract):
    """A capability's tables are touched by its own queries and actions; a peculiar one's by any piece of it."""

    type_name = "own-models"

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:
        """Look at whoever imports a module called `models`."""
        strangers = sorted(
            (importer, models)
            for models in graph.modules
            if models.endswith(".models")
            for importer in graph.find_modules_that_directly_import(models)
            if not _is_own(importer, models.removesuffix(".models"))
        )
        return ContractCheck(kept=not strangers, metadata={"strangers": strangers})

    def render_broken_contract(self, check: ContractCheck) -> None:
        """Tell who imports which models."""
        for importer, models in check.metadata["strangers"]:
            output.print_error(f"{importer} imports {models}", bold=False)


def _is_own(importer: str, capability: str) -> bool:
    if capability in PECULIAR:
        return importer.startswith(f"{capability}.")
    return importer in (f"{capability}.queries", f"{capability}.actions")
