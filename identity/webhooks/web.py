"""Pages of subscriptions and deliveries, of one shape for an agency's administrators and for developers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, time
from typing import Any
from uuid import UUID

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import lazy_gettext as _
from werkzeug.wrappers import Response
from wtforms import DateField, RadioField, SelectField, SelectMultipleField, StringField
from wtforms.validators import InputRequired
from wtforms.widgets import CheckboxInput, ListWidget

from identity.clients.registry.queries import names_of
from identity.clients.registry.web import administrator
from identity.webhooks.queries import application_choices, parties_of
from identity.webhooks.rules import OUTCOMES, REASONS, STATES, STATUSES, is_of_client
from kernel.base.clock import SANTIAGO, local
from kernel.base.errors import Invalid, NotFound, Problem, Text
from kernel.base.parties import Party
from kernel.jobs.access import Rule, current_principal, requires
from kernel.outside import deliveries_lists, deliveries_subscriptions, deliveries_webhooks
from kernel.outside.deliveries_events import event_types
from kernel.outside.deliveries_subscriptions import NewSecret, NotActive, Subscription, prepare_subscription
from kernel.pages.forms import Form, explain
from kernel.pages.submissions import SECRET_SHOWN, once, submit_once

Page = str | Response | tuple[str, int]


class SubscriptionForm(Form):
    """A subscription as its owner describes it."""

    owner = SelectField(
        _("For"),
        validate_choice=False,
        description=_("Those of an application end with it, and are offered only what concerns it."),
    )
    name = StringField(
        _("Name"), validators=[InputRequired(_("Write a name."))], description=_("For whoever reads the list.")
    )
    url = StringField(
        _("Address of your server"),
        validators=[InputRequired(_("Write an address."))],
        description=_("A public https address. We send each event there with POST."),
    )
    types = SelectMultipleField(
        _("Events to send"),
        validators=[InputRequired(_("Choose one or more of the events."))],
        widget=ListWidget(prefix_label=False),
        option_widget=CheckboxInput(),
        validate_choice=False,
    )

    def offer(self, *, of_client: bool | None) -> None:
        """Offer the events of an agency or of a client; all of them where that is chosen in the form."""
        self.types.choices = [
            (one.name, f"{one.title} ({one.name})") for one in event_types().values() if one.of_clients or not of_client
        ]


class ReplayForm(Form):
    since = DateField(_("Since the day"), validators=[InputRequired(_("Write a day."))])
    which = RadioField(
        _("Send again"),
        choices=[("failed", _("What did not arrive")), ("all", _("Everything"))],
        default="failed",
    )


@dataclass(frozen=True)
class Place:
    """The owners whose pages they are.

    name: of the blueprint. rule: who may. owner: for whom they are. own: the choice of a
    subscription of their own, None for those who only have applications. home: where the pages hang.
    """

    name: str
    prefix: str
    rule: Rule
    owner: Callable[[], Party]
    own: Callable[[], str] | None
    home: Callable[[], tuple[Text, str]]


class SubscriptionPages:
    """The pages of one place."""

    def __init__(self, place: Place, import_name: str) -> None:
        self.place = place
        self.pages = Blueprint(place.name, import_name, url_prefix=place.prefix, template_folder="templates")
        one, delivery = "/<uuid:subscription_id>", "/deliveries/<uuid:delivery_id>"
        self._add("", self.list_subscriptions)
        self._add("/new", self.new)
        self._add("/new", once(SECRET_SHOWN)(self.create), "POST")
        self._add("/deliveries", self.deliveries)
        self._add(delivery, self.show_delivery)
        self._add(f"{delivery}/replay", self.replay_delivery, "POST")
        self._add(one, self.show)
        self._add(f"{one}/edit", self.edit)
        self._add(f"{one}/edit", once()(self.change), "POST")
        self._add(f"{one}/secret", once(SECRET_SHOWN)(self.rotate_secret), "POST")
        self._add(f"{one}/pause", self.pause, "POST")
        self._add(f"{one}/resume", self.resume, "POST")
        self._add(f"{one}/test", once()(self.send_test), "POST")
        self._add(f"{one}/replay", once()(self.replay), "POST")
        self._add(f"{one}/delete", self.confirm_deleting)
        self._add(f"{one}/delete", self.delete, "POST")

    def _add(self, path: str, view: Callable[..., Page], method: str = "GET") -> None:
        guarded = requires(self.place.rule)(view)
        self.pages.add_url_rule(path, view.__name__, guarded, methods=[method])

    def list_subscriptions(self) -> Page:
        """The subscriptions of whoever acts, and of their applications."""
        page = deliveries_subscriptions.subscriptions_page(self._owners(), cursor=request.args.get("cursor"))
        return self._render("list", page=page, names=self._names([one.owner for one in page.items]))

    def deliveries(self) -> Page:
        """Everything that was sent, the ends of sessions among it; of one application where the address names it."""
        party, status = request.args.get("of", ""), request.args.get("status", "")
        if status and status not in STATUSES:
            raise NotFound()
        owners: deliveries_lists.Owners = self._owners()
        if party:
            if party not in dict(self._choices()):
                raise NotFound(log=f"deliveries of {party[:80]!r}")
            owners = [party]
        page = deliveries_lists.deliveries_page(owners, status=status, cursor=request.args.get("cursor"))
        return self._render("deliveries", page=page, names=self._names([one.owner for one in page.items]), of=party)

    def new(self) -> Page:
        """Ask for a subscription."""
        return self._ask_new(self._new_form())

    def create(self) -> Page:
        """Subscribe, and show the secret, this once."""
        form = self._new_form()
        if form.validate_on_submit() and form.owner.data in dict(self._choices()):
            try:
                facts = self._facts(form, form.owner.data)
                made = submit_once(
                    lambda: deliveries_subscriptions.create_subscription(form.owner.data, facts),
                    lambda made: self.at("show", subscription_id=made.subscription.id),
                )
            except (Invalid, deliveries_subscriptions.TooManySubscriptions) as problem:
                explain(form, problem)
            else:
                return self._show_secret(made), 201
        return self._ask_new(form), 422

    def show(self, subscription_id: UUID) -> Page:
        """One subscription with what was last sent to it."""
        return self._show(self._subscription(subscription_id), ReplayForm())

    def edit(self, subscription_id: UUID) -> Page:
        """Ask what is to change."""
        subscription = self._subscription(subscription_id)
        return self._ask_change(
            subscription,
            self._form(subscription, name=subscription.name, url=subscription.url, types=subscription.types),
        )

    def change(self, subscription_id: UUID) -> Page:
        """Replace name, address and events."""
        subscription = self._subscription(subscription_id)
        form = self._form(subscription)
        if form.validate_on_submit():
            try:
                facts = self._facts(form, subscription.owner)
                submit_once(
                    lambda: deliveries_subscriptions.change_subscription(self._owners(), subscription.id, facts),
                    lambda _changed: self.at("show", subscription_id=subscription.id),
                )
            except Invalid as problem:
                explain(form, problem)
            else:
                return self._done(subscription.id, _("The changes are saved."))
        return self._ask_change(subscription, form), 422

    def rotate_secret(self, subscription_id: UUID) -> Page:
        """A new secret, shown this once."""
        made = submit_once(
            lambda: deliveries_subscriptions.rotate_secret(self._owners(), subscription_id),
            lambda _made: self.at("show", subscription_id=subscription_id),
        )
        return self._show_secret(made)

    def pause(self, subscription_id: UUID) -> Page:
        """Send nothing for a while."""
        deliveries_subscriptions.pause(self._owners(), subscription_id)
        return self._done(subscription_id, _("It is paused: nothing is sent."))

    def resume(self, subscription_id: UUID) -> Page:
        """Send what happens from now on."""
        deliveries_subscriptions.resume(self._owners(), subscription_id)
        return self._done(subscription_id, _("It is active again. What was not sent can be sent again below."))

    def send_test(self, subscription_id: UUID) -> Page:
        """Send a test event, and show how it fares."""
        try:
            sent = submit_once(
                lambda: deliveries_webhooks.send_test(self._owners(), subscription_id),
                lambda sent: self.at("show_delivery", delivery_id=sent.id),
            )
        except NotActive as problem:
            return self._refused(subscription_id, problem)
        flash(_("The test is being sent. Reload this page to see whether it arrived."), "success")
        return redirect(self.at("show_delivery", delivery_id=sent.id), 303)

    def replay(self, subscription_id: UUID) -> Page:
        """Send everything since a day again."""
        subscription, form = self._subscription(subscription_id), ReplayForm()
        if not form.validate_on_submit():
            return self._show(subscription, form), 422
        since = datetime.combine(form.since.data, time(), SANTIAGO)
        try:
            submit_once(
                lambda: deliveries_subscriptions.replay(
                    self._owners(), subscription_id, since, only_failed=form.which.data == "failed"
                ),
                lambda _done: self.at("show", subscription_id=subscription_id),
            )
        except NotActive as problem:
            return self._refused(subscription_id, problem)
        return self._done(subscription_id, _("It is being sent again. Reload this page to see how it goes."))

    def confirm_deleting(self, subscription_id: UUID) -> Page:
        """Ask once more."""
        return self._render("delete", subscription=self._subscription(subscription_id))

    def delete(self, subscription_id: UUID) -> Page:
        """End the subscription."""
        deliveries_subscriptions.delete_subscription(self._owners(), subscription_id)
        flash(_("The subscription is deleted. Nothing more is sent to its address."), "success")
        return redirect(self.at("list_subscriptions"), 303)

    def show_delivery(self, delivery_id: UUID) -> Page:
        """One delivery and each of its attempts."""
        delivery = deliveries_lists.get_delivery(self._owners(), delivery_id)
        return self._render(
            "delivery", delivery=delivery, attempts=deliveries_lists.attempts_of(delivery.id), outcomes=OUTCOMES
        )

    def replay_delivery(self, delivery_id: UUID) -> Page:
        """Send one delivery again."""
        try:
            deliveries_lists.replay(self._owners(), delivery_id)
        except deliveries_lists.StillSending as problem:
            flash(problem.title, "attention")
        else:
            flash(_("It is being sent again. Reload this page to see whether it arrived."), "success")
        return redirect(self.at("show_delivery", delivery_id=delivery_id), 303)

    def at(self, view: str, **values: Any) -> str:
        """The address of a page of this place."""
        return url_for(f"{self.place.name}.{view}", **values)

    def _owners(self) -> deliveries_lists.Owners:
        return parties_of(self.place.owner())

    def _choices(self) -> list[tuple[str, str]]:
        own = [(str(self.place.owner()), self.place.own())] if self.place.own else []
        return [*own, *application_choices(self.place.owner())]

    def _names(self, parties: list[str]) -> dict[str, str]:
        names = names_of([party.partition(":")[2] for party in parties if is_of_client(party)])
        own = {str(self.place.owner()): self.place.own()} if self.place.own else {}
        return own | {party: names.get(party.partition(":")[2], party) for party in parties if is_of_client(party)}

    def _subscription(self, subscription_id: UUID) -> Subscription:
        return deliveries_subscriptions.get_subscription(self._owners(), subscription_id)

    def _new_form(self) -> SubscriptionForm:
        form = SubscriptionForm(owner=request.args.get("of"))
        form.owner.choices = self._choices()
        form.offer(of_client=None if self.place.own else True)
        return form

    def _form(self, subscription: Subscription, **fields: Any) -> SubscriptionForm:
        form = SubscriptionForm(**fields)
        del form.owner
        form.offer(of_client=is_of_client(subscription.owner))
        return form

    def _facts(self, form: SubscriptionForm, owner: str) -> deliveries_subscriptions.SubscriptionFacts:
        return prepare_subscription(form.name.data, form.url.data, form.types.data or [], of_client=is_of_client(owner))

    def _ask_new(self, form: SubscriptionForm) -> str:
        return self._render("new", form=form)

    def _ask_change(self, subscription: Subscription, form: SubscriptionForm) -> str:
        return self._render("edit", form=form, subscription=subscription)

    def _show(self, subscription: Subscription, form: ReplayForm) -> str:
        if form.since.data is None:
            form.since.data = local(subscription.state_since).date()
        page = deliveries_lists.deliveries_page(
            [subscription.owner], subscription_id=subscription.id, cursor=request.args.get("cursor")
        )
        names = self._names([subscription.owner])
        return self._render("show", subscription=subscription, page=page, form=form, names=names, reasons=REASONS)

    def _show_secret(self, made: NewSecret) -> str:
        return self._render("secret", subscription=made.subscription, secret=made.secret)

    def _done(self, subscription_id: UUID, sentence: Text) -> Response:
        flash(sentence, "success")
        return redirect(self.at("show", subscription_id=subscription_id), 303)

    def _refused(self, subscription_id: UUID, problem: Problem) -> Response:
        flash(problem.remedy, "attention")
        return redirect(self.at("show", subscription_id=subscription_id), 303)

    def _render(self, template: str, **context: Any) -> str:
        return render_template(
            f"webhooks/{template}.html",
            at=self.at,
            home=self.place.home(),
            states=STATES,
            statuses=STATUSES,
            types=event_types(),
            **context,
        )


def _agency() -> Party:
    return Party.agency(current_principal().acting_agency.code)


AGENCY = Place(
    name="webhooks",
    prefix="/agency/webhooks",
    rule=administrator,
    owner=_agency,
    own=lambda: current_principal().acting_agency.name,
    home=lambda: (current_principal().acting_agency.name, url_for("acting.home")),
)
pages = SubscriptionPages(AGENCY, __name__).pages
