"""The front door: what Cordillera is for, and the way in for each kind of reader."""

from __future__ import annotations

from flask import Blueprint, Flask, render_template
from flask_babel import lazy_gettext as _

from kernel.jobs.access import public
from kernel.pages.layout import add_footer_link

blueprint = Blueprint("home", __name__, template_folder="templates")


@blueprint.get("/")
@public("the front door")
def home() -> str:
    return render_template("portal/home.html")


@blueprint.get("/about")
@public("what this site is")
def about() -> str:
    return render_template("portal/about.html")


@blueprint.get("/help")
@public("whoever is stuck may be unable to sign in")
def show_help() -> str:
    """Show whom to ask, and what to try first."""
    return render_template("portal/help.html")


def install_home(app: Flask) -> None:
    """The home page, the page about the site, the help for people, and their links in the footer."""
    app.register_blueprint(blueprint)
    add_footer_link(app, _("About Cordillera"), "home.about", order=10)
    add_footer_link(app, _("Help"), "home.show_help", order=20)
