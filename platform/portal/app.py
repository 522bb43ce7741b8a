"""The application: a table of contents."""

from __future__ import annotations

from flask import Flask

from kernel.base.logs import configure_logs
from kernel.base.settings import Settings
from kernel.database.change_feed import install_change_feed
from kernel.database.db import install_db
from kernel.http.application import Application, believe_proxies, install_health, install_http
from kernel.http.csrf import install_csrf_protection
from kernel.http.doors import install_direct_doors
from kernel.http.duties import install_duties
from kernel.http.i18n import install_i18n
from kernel.http.problems import install_errors
from kernel.http.rate_limit import install_rate_limit
from kernel.http.security import install_security
from kernel.jobs.access import refuse_bare_views
from kernel.jobs.jobs import install_jobs
from kernel.keys.signatures import install_keys
from kernel.outside.deliveries_lists import install_deliveries
from kernel.outside.documents import install_documents
from kernel.outside.timestamp_authorities import install_timestamps
from kernel.pages.layout import install_layout
from kernel.pages.submissions import install_submissions
from kernel.recording.metrics import install_metrics
from kernel.recording.retention import install_retention
from portal import wiring


def create_app(settings: Settings | None = None) -> Flask:
    """The WSGI application with the blocks that `settings.blocks` names. Raises SettingsError."""
    settings = settings or wiring.load_settings()
    configure_logs(settings)
    app = Application("portal", root_path=str(wiring.HERE), static_folder=None)
    install_http(app, settings)
    install_duties(app)
    install_metrics(app)
    install_rate_limit(app, settings)
    install_security(app, settings)
    install_csrf_protection(app, settings)
    install_db(app, settings)
    install_change_feed(app)
    install_keys(app, settings)
    install_timestamps(app, settings)
    install_documents(app, settings)
    install_deliveries(app)
    install_jobs(app)
    install_i18n(app, wiring.translations(settings))
    install_layout(app, settings)
    install_submissions(app)
    install_errors(app)
    install_health(app)
    wiring.install_blocks(app, settings)
    install_retention(app, settings)
    refuse_bare_views(app)
    install_direct_doors(app)
    believe_proxies(app, settings)
    return app
