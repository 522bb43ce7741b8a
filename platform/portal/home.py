"""The front door: what Cordillera is for, and the way in for each kind of reader."""

from __future__ import annotations

from flask import Blueprint, Flask, render_template
from flask_babel import lazy_gettext as _

from kernel.access import public
from kernel.layout import add_footer_link

blueprint = Blueprint("home", __name__, template_folder="templates")


@blueprint.get("/")
@public("the front door")
def home() -> str:
    return render_template("portal/home.html")


@blueprint.get("/about")
@public("what this site is")
def about() -> str:
    return render_template("portal/about.html")


def install_home(app: Flask) -> None:
    """The home page, the page about the site, and the links to both kinds of reading in the footer."""
    app.register_blueprint(blueprint)
    add_footer_link(app, _("About Cordillera"), "home.about", order=10)
    if "problems.every_kind" in app.view_functions:
        add_footer_link(app, _("Problems and what to do"), "problems.every_kind", order=90)
