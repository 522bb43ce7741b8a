"""The order in which tests run: any will do, for none may depend on where in a run it stands."""

from random import Random

import pytest

AS_THEY_STAND = 0


def shuffled(tests: list[pytest.Item], seed: int) -> list[pytest.Item]:
    """The files in an order that the seed gives, and in each its tests, those of a class together.

    Of any two the same comes first in a part of the run as in the whole, so that a failure can be looked for in a part.
    """

    def place(test: pytest.Item) -> list[float]:
        file, name = test.nodeid.split("::", 1)
        parts = (file, f"{file}::{name.split('::')[0]}", test.nodeid)
        return [Random(f"{seed} {part}").random() for part in parts]

    return tests if seed == AS_THEY_STAND else sorted(tests, key=place)
