"""Headers, content security policy, forgery protection and rate limits: the same for every page."""

from __future__ import annotations

import secrets
from urllib.parse import urlsplit

from flask import Flask, Response, g, request
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address
from flask_wtf import CSRFProtect

from kernel.settings import Settings

DEFAULT_LIMIT = "6000 per minute"
"""Per address: far beyond a person, and beyond an office behind one address; what is dear has tighter limits of its
own.
"""

csrf = CSRFProtect()
limiter = Limiter(get_remote_address, default_limits=[DEFAULT_LIMIT], headers_enabled=True)


def allow_form_action(address: str) -> None:
    """Let a form of this page lead, through redirects, to the origin of `address`, which the caller has checked.

    Chromium applies `form-action` to the redirects that follow a form's POST as well.
    """
    parts = urlsplit(address)
    if parts.scheme in ("http", "https") and parts.netloc:
        g.setdefault("form_actions", []).append(f"{parts.scheme}://{parts.netloc}")


def install_security(app: Flask, settings: Settings) -> None:
    """Deny by default: no inline script or style, no frame, no guessing of types, nothing cached that is personal."""
    app.config.update(
        WTF_CSRF_TIME_LIMIT=4 * 3600,
        WTF_CSRF_SSL_STRICT=False,  # same-site cookies and the token do the work; proxies strip referrers
        RATELIMIT_STORAGE_URI=settings.rate_limit_storage,
        RATELIMIT_ENABLED=settings.environment != "test",
    )
    csrf.init_app(app)
    limiter.init_app(app)

    @app.before_request
    def make_nonce() -> None:
        g.csp_nonce = secrets.token_urlsafe(16)

    @app.after_request
    def protect(response: Response) -> Response:
        headers = response.headers
        headers.setdefault("Content-Security-Policy", _policy())
        headers.setdefault("X-Content-Type-Options", "nosniff")
        headers.setdefault("X-Frame-Options", "DENY")
        headers.setdefault("Referrer-Policy", "same-origin")
        headers.setdefault("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=()")
        headers.setdefault("Cross-Origin-Opener-Policy", "same-origin")
        if "/static/" not in request.path:
            headers.setdefault("Cache-Control", "no-store")
        if settings.is_secure:
            headers.setdefault("Strict-Transport-Security", "max-age=63072000; includeSubDomains")
        return response


def _policy() -> str:
    nonce = f"'nonce-{g.get('csp_nonce', '')}'"
    actions = " ".join(["'self'", *g.get("form_actions", [])])
    return (
        "default-src 'none'; base-uri 'none'; frame-ancestors 'none'; object-src 'none'; connect-src 'self'; "
        f"img-src 'self' data:; font-src 'self'; style-src 'self' {nonce}; script-src 'self' {nonce}; "
        f"form-action {actions}"
    )
