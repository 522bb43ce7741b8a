"""Every form of our pages that makes something has one effect, however often it is sent."""

from __future__ import annotations

import ast
import inspect
import re
from pathlib import Path
from textwrap import dedent
from typing import Any

from flask import Flask

ROOT = Path(__file__).resolve().parents[2]
ENDED = "a second one finds it ended"
THE_SAME = "a second one says what is said already"
WITH_A_CODE = "what was typed works once (RFC 6238 5.2), so a second one is refused"
SIGNS_IN = "who comes in has no form yet; what they typed opens one session each time, and is slowed down"
EXCEPTIONS = {
    "acting.choose": THE_SAME,
    "acting.leave": THE_SAME,
    "officials.end_appointment": ENDED,
    "officials.end_appointment_at": ENDED,
    "client_reviews.withdraw": ENDED,
    "authority.replay_job": "a job that waits already goes on waiting",
    "registry.revoke": ENDED,
    "registry.revoke_secret": ENDED,
    "communications.acknowledge": "the same answer by the same agency is one",
    "communications.reject": "the same answer by the same agency is one",
    "webhooks.delete": ENDED,
    "webhooks.pause": THE_SAME,
    "webhooks.resume": THE_SAME,
    "webhooks.replay_delivery": "what is being sent already is not sent again",
    "sandbox_webhooks.delete": ENDED,
    "sandbox_webhooks.pause": THE_SAME,
    "sandbox_webhooks.resume": THE_SAME,
    "sandbox_webhooks.replay_delivery": "what is being sent already is not sent again",
    "account.change_password": WITH_A_CODE,
    "account.choose_language": THE_SAME,
    "account.end_other_sessions": ENDED,
    "account.end_session": ENDED,
    "inbox.choose": THE_SAME,
    "inbox.confirm_phone": WITH_A_CODE,
    "inbox.mark_all_read": THE_SAME,
    "inbox.open_notice": THE_SAME,
    "inbox.remove_phone": ENDED,
    "inbox.send_phone_code": "a second code within a minute is refused",
    "dynamic_registration.revoke_token": ENDED,
    "sandbox_accounts.confirm_link": "the link works once",
    "sandbox_accounts.send_first_link": SIGNS_IN,
    "sandbox_accounts.send_link": SIGNS_IN,
    "sandbox_accounts.sign_out": ENDED,
    "sandbox_applications.change_application": THE_SAME,
    "sandbox_applications.delete_application": ENDED,
    "sandbox_applications.take_offer_back": ENDED,
    "sandbox_exchanges.end": ENDED,
    "one_time_codes.enroll": "a person has one secret to confirm, which a second one replaces",
    "one_time_codes.choose_use": THE_SAME,
    "one_time_codes.activate": WITH_A_CODE,
    "one_time_codes.remove": ENDED,
    "one_time_codes.renew_recovery_codes": WITH_A_CODE,
    "services.edit": THE_SAME,
    "services.edit_version": THE_SAME,
    "signin.authenticate": SIGNS_IN,
    "signin.authenticate_with_code": SIGNS_IN,
    "sessions.sign_out": ENDED,
}
"""Pages that take a POST without `once`, and why a second one does no harm."""
FOR_PROGRAMS = ("/api/", "/gateway/")
PROVIDER = "openid."
"""Its protocols say what becomes of a request that comes twice: codes, consents and device codes are used up."""


def takes_forms(app: Flask) -> dict[str, Any]:
    """The views of pages that take a POST, by endpoint."""
    return {
        rule.endpoint: app.view_functions[rule.endpoint]
        for rule in app.url_map.iter_rules()
        if "POST" in (rule.methods or ())
        and not rule.rule.startswith(FOR_PROGRAMS)
        and not rule.endpoint.startswith(PROVIDER)
    }


def test_a_form_has_one_effect_or_says_why_two_do_no_harm(app: Flask) -> None:
    bare = {name for name, view in takes_forms(app).items() if not getattr(view, "has_one_effect", False)}
    assert bare - EXCEPTIONS.keys() == set(), "mark it `@once()`, and make what it makes in `submit_once`"
    assert EXCEPTIONS.keys() - bare == set(), "these are no exceptions any more"


def test_what_is_marked_once_is_made_once(app: Flask) -> None:
    marked = [view for view in takes_forms(app).values() if getattr(view, "has_one_effect", False)]
    assert len(marked) > 20
    assert [view.__name__ for view in marked if not reaches_submit_once(inspect.unwrap(view))] == []


def reaches_submit_once(view: Any) -> bool:
    """Whether the view, or a function or action that it calls, does what it does in `submit_once`."""
    module: Any = inspect.getmodule(view)
    called = {
        ast.unparse(node.func)
        for node in ast.walk(ast.parse(dedent(inspect.getsource(view))))
        if isinstance(node, ast.Call)
    }
    if "submit_once" in called:
        return True
    names = [name for name in called if name.removeprefix("actions.").isidentifier()]
    found = [getattr(module.actions if "." in name else module, name.split(".")[-1], None) for name in names]
    ours = [one for one in found if inspect.isfunction(one) and not one.__module__.startswith(("kernel", "flask"))]
    return any("submit_once(" in inspect.getsource(inspect.unwrap(one)) for one in ours)


def test_every_form_of_a_template_carries_its_tokens() -> None:
    by_hand = re.compile(r'<form\b[^>]*method="post"[^>]*>(.*?)</form>', re.DOTALL)
    bare = []
    for path in sorted(ROOT.rglob("templates/**/*.html")):
        if ".venv" in path.parts or "demonstration" in path.parts:
            continue
        for body in by_hand.findall(path.read_text(encoding="utf-8")):
            if "tokens()" not in body and "hidden_fields(" not in body and "csrf_token()" not in body:
                bare.append(str(path.relative_to(ROOT)))
    assert bare == ["identity/openid/templates/openid/form_post.html"], "which is sent to applications, not to us"
