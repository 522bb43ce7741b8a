"""Changes of how a person is told."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

from identity.inbox.queries import preferences_of
from kernel.base.errors import Invalid, _
from kernel.outside.notice_preferences import save_choice
from kernel.recording.work import Work, action


@action
def choose(work: Work, person_id: UUID, wanted: Mapping[str, Mapping[str, str]]) -> None:
    """Tell a person of these kinds of notices, on these channels, as soon as they want; the others stay as they are.

    wanted: timings by channel, by kind. Raises Invalid for a kind, a channel or a timing that is not offered to them.
    """
    preferences = {one.template.kind: one for one in preferences_of(person_id)}
    changed = []
    for kind, timings in sorted(wanted.items()):
        offered = preferences[kind].offered if kind in preferences else {}
        if wrong := [name for name, timing in timings.items() if timing not in offered.get(name, ())]:
            raise Invalid(fields={f"{kind}.{name}": [_("Choose one of the options offered.")] for name in wrong})
        if not offered:
            raise Invalid(fields={kind: [_("There is no such kind of notice, or it does not concern you.")]})
        before = preferences[kind].timings
        if any(before[name] != timing for name, timing in timings.items()):
            save_choice(work, person_id, kind, {**before, **timings})
            changed.append(kind)
    if changed:
        work.record("identity:person:notices-chosen", f"person:{person_id}", kinds=changed)
