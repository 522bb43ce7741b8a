"""The duties of every request are done behind both doors."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask, Response

from kernel.http.doors import DIRECT_DOORS
from kernel.jobs.access import declared_access, declared_rules


def hooks_of_one_door(app: Flask) -> Iterator[str]:
    """The hooks that Flask runs for the endpoints which have a direct door, and of which nobody said why only there."""
    behind_doors = {door.name.partition(".")[0] for door in DIRECT_DOORS.of(app).values()}
    kinds = (app.before_request_funcs, app.after_request_funcs, app.teardown_request_funcs, app.url_value_preprocessors)
    for kind in kinds:
        for blueprint in (None, *behind_doors):
            for hook in kind.get(blueprint, ()):
                if not getattr(hook, "only_behind_flask", ""):
                    yield f"{hook.__module__}.{hook.__qualname__}"


def test_no_hook_is_run_by_one_door_only(app: Flask) -> None:
    assert DIRECT_DOORS.of(app)
    assert list(hooks_of_one_door(app)) == []


def _as_before(app: Flask) -> None:
    @app.before_request
    def forgotten() -> None: ...


def _as_after(app: Flask) -> None:
    @app.after_request
    def forgotten(response: Response) -> Response:
        return response


def _as_teardown(app: Flask) -> None:
    @app.teardown_request
    def forgotten(_: Any) -> None: ...


def _of_the_blueprint(app: Flask) -> None:
    app.before_request_funcs.setdefault("openid", []).append(lambda: None)


@pytest.mark.parametrize("add", [_as_before, _as_after, _as_teardown, _of_the_blueprint])
def test_a_hook_that_only_flask_runs_is_found(app: Flask, add: Callable[[Flask], None]) -> None:
    add(app)
    assert len(list(hooks_of_one_door(app))) == 1


def test_every_direct_door_is_of_a_view_that_is_open_to_all(app: Flask) -> None:
    for door in DIRECT_DOORS.of(app).values():
        view: Any = app.view_functions[door.name]
        assert (declared_access(view) or "").startswith("public: "), door.name
        assert declared_rules(view) == (), door.name
        assert view.is_open_to_other_sites, door.name
