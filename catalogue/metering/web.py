"""The page of an agreement's use: both agencies see the same numbers."""

from __future__ import annotations

from flask import Blueprint, render_template
from flask_babel import format_date

from catalogue.agreements.queries import find
from catalogue.gateway.queries import calls_today, last_failures
from catalogue.metering.queries import DAYS, by_day
from catalogue.ports import agency_name
from kernel.jobs.access import current_principal, official, requires

pages = Blueprint("usage", __name__, template_folder="templates")
CHART_WIDTH, CHART_HEIGHT, GAP = 720, 160, 4


@pages.get("/agency/agreements/<code>/usage")
@requires(official)
def show(code: str) -> str:
    principal = current_principal()
    agreement = find(code, principal)
    days = by_day(agreement.code)
    return render_template(
        "metering/show.html",
        agreement=agreement,
        side=agreement.side_of(principal.acting_agency.code),
        days=days,
        bars=_bars([day.calls for day in days]),
        calls=sum(day.calls for day in days),
        failed=sum(day.failed for day in days),
        unfinished=sum(day.unfinished for day in days),
        today=calls_today(agreement.code),
        failures=last_failures(agreement.code),
        format_date=format_date,
        agency_name=agency_name,
        width=CHART_WIDTH,
        height=CHART_HEIGHT,
    )


def _bars(calls: list[int]) -> list[tuple[float, float, float, float]]:
    """x, y, width and height of each day's bar; the highest fills the chart, and a day with a call is always seen."""
    highest = max(calls, default=0) or 1
    step = CHART_WIDTH / DAYS
    heights = [max(count / highest * CHART_HEIGHT, 2.0 if count else 0.0) for count in calls]
    return [
        (round(place * step + GAP / 2, 1), round(CHART_HEIGHT - height, 1), round(step - GAP, 1), round(height, 1))
        for place, height in enumerate(heights)
    ]
