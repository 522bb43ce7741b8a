"""The application: a table of contents."""

from __future__ import annotations

from flask import Flask

from kernel import settings as kernel_settings
from kernel.access import refuse_bare_views
from kernel.db import install_db
from kernel.documents import install_documents
from kernel.forgery import install_forgery_protection
from kernel.http import Application, install_health, install_http
from kernel.i18n import install_i18n
from kernel.jobs import install_jobs
from kernel.keys import install_keys
from kernel.layout import install_layout
from kernel.logs import configure_logs
from kernel.metrics import install_metrics
from kernel.notices import install_notices
from kernel.observation import install_observation
from kernel.problems import install_errors
from kernel.refusals import install_refusals
from kernel.retention import install_retention
from kernel.security import install_security
from kernel.settings import Settings
from kernel.shortcuts import install_shortcuts
from kernel.submissions import install_submissions
from kernel.throttle import install_throttle
from portal import wiring


def create_app(settings: Settings | None = None) -> Flask:
    """The WSGI application with the blocks that `settings.blocks` names. Raises SettingsError."""
    settings = settings or kernel_settings.load()
    configure_logs(settings)
    app = Application("portal", root_path=str(wiring.HERE), static_folder=None)
    install_http(app, settings)
    install_refusals(app)
    install_observation(app)
    install_metrics(app)
    install_throttle(app, settings)
    install_security(app, settings)
    install_forgery_protection(app, settings)
    install_db(app, settings)
    install_notices(app)
    install_keys(app, settings)
    install_documents(app, settings)
    install_jobs(app)
    install_i18n(app, wiring.translations(settings))
    install_layout(app, settings)
    install_submissions(app)
    install_errors(app)
    install_health(app)
    wiring.install_blocks(app, settings)
    install_retention(app, settings)
    refuse_bare_views(app)
    install_shortcuts(app, settings)
    return app
