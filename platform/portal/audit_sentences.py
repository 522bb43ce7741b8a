"""The audit in sentences: a tag is for programs, and people read what happened."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask_babel import lazy_gettext as _

KERNEL = {
    "access:refused": _("Tried to open something not meant for them, and was refused"),
    "kernel:key:created": _("A signing key was created and published"),
    "kernel:key:retired": _("A signing key was given the day on which it is no longer published"),
    "kernel:partition:dropped": _("A month of old records was deleted at the end of its retention period"),
    "kernel:job:replayed": _("Ran a failed job again"),
    "kernel:delivery:replayed": _("Sent a notice to a server once more"),
    "kernel:subscription:created": _("Subscribed a server to events"),
    "kernel:subscription:changed": _("Changed a subscription to events"),
    "kernel:subscription:secret-rotated": _("Created a new secret for a subscription"),
    "kernel:subscription:paused": _("Paused a subscription to events"),
    "kernel:subscription:resumed": _("Resumed a subscription to events"),
    "kernel:subscription:disabled": _("A subscription was disabled because its server does not take anything"),
    "kernel:subscription:failing": _("A subscribed server began to fail"),
    "kernel:subscription:recovered": _("A subscribed server receives again"),
    "kernel:subscription:tested": _("Sent a test to a subscribed server"),
    "kernel:subscription:replayed": _("Sent everything of a time to a server again"),
    "kernel:subscription:deleted": _("Deleted a subscription to events"),
}
IDENTITY = {
    "identity:person:registered": _("A person was given a digital identity"),
    "identity:person:notices-chosen": _("Chose how to be told of things"),
    "identity:person:language-chosen": _("Chose the language of our e-mails"),
    "identity:person:password-changed": _("Changed the password"),
    "identity:person:password-rehashed": _("The stored form of a password was renewed"),
    "identity:sign-in:refused": _(
        "Could not sign in: the RUN, the password or the code was not correct, or it was too soon"
    ),
    "identity:sign-in:code-wanted": _("Entered the password, and was asked for the code"),
    "identity:session:started": _("Signed in to Cordillera"),
    "identity:session:raised": _("Confirmed the session with a code"),
    "identity:session:ended": _("Ended a session"),
    "identity:session:agency-chosen": _("Chose whom to act for"),
    "identity:session:expired": _("Sessions expired"),
    "identity:session:swept": _("Old sessions were deleted"),
    "identity:second-factor:begun": _("Began to set up the second step"),
    "identity:second-factor:confirmed": _("Finished setting up the second step"),
    "identity:second-factor:use-chosen": _("Chose when the second step is asked for"),
    "identity:second-factor:refused": _("Entered a wrong code"),
    "identity:second-factor:recovery-used": _("Used a recovery code"),
    "identity:second-factor:codes-renewed": _("Created new recovery codes"),
    "identity:second-factor:removed": _("The second step was removed"),
    "identity:agency:created": _("Registered an agency"),
    "identity:agency:renamed": _("Changed an agency's name"),
    "identity:agency:kind-changed": _("Changed an agency's kind"),
    "identity:agency:moved": _("Moved an agency to another place in the state"),
    "identity:agency:validity-changed": _("Changed an agency's first or last day"),
    "identity:agency:change-took-effect": _("A change of an agency noted before took effect"),
    "identity:agency:tree-imported": _("Imported a file of agencies"),
    "identity:membership:granted": _("Appointed a person to a function at an agency"),
    "identity:membership:revoked": _("Ended a person's function at an agency"),
    "identity:client:created": _("Registered an application or a system"),
    "identity:client:updated": _("Changed an application's registration"),
    "identity:client:owner-warned": _("The owners were told that a secret or key expires soon"),
    "identity:client:keys-seen": _("The keys that a client publishes were read again"),
    "identity:client:keys-unreachable": _("The keys that a client publishes could not be found"),
    "identity:client:secret-withdrawn": _("Ended one of two secrets"),
    "identity:client:secret-rotated": _("Created a new secret"),
    "identity:client:revoked": _("Closed an application or a system for good"),
    "identity:client:environment-asked": _("Asked for an application to leave the sandbox"),
    "identity:client:environment-approved": _("Approved an application for its next stage"),
    "identity:client:environment-returned": _("Returned an application for correction"),
    "identity:client:review-overdue": _("Noticed that a request has waited too long for the authority"),
    "identity:client:change-asked": _("Asked for a change to an application in use"),
    "identity:client:change-approved": _("Approved a change to an application in use"),
    "identity:client:change-returned": _("Returned a change for correction"),
    "identity:client:request-withdrawn": _("Withdrew a request to the authority"),
    "identity:logo:stored": _("Stored a picture for an application"),
    "identity:logo:swept": _("Pictures no longer in use were deleted"),
    "identity:client:adoption-offered": _("Offered an application to an agency"),
    "identity:client:adoption-withdrawn": _("Withdrew an application offered to an agency"),
    "identity:client:adoption-expired": _("Ended an offer of an application that nobody answered"),
    "identity:client:adoption-declined": _("Declined an application that a developer offered"),
    "identity:client:adopted": _("Took over an application from a developer"),
    "identity:client:swept": _("An application that nobody used was removed"),
    "identity:initial-token:created": _("Let programs register applications"),
    "identity:initial-token:revoked": _("No longer lets a program register applications"),
    "identity:consent:given": _("Agreed to share data with an application"),
    "identity:consent:denied": _("Did not agree to share data with an application"),
    "identity:consent:withdrawn": _("Stopped sharing data with an application"),
    "identity:application:entered": _("Entered an application"),
    "identity:code:redeemed": _("An application completed a sign-in"),
    "identity:code:replayed": _("A sign-in was presented twice; what it gave was taken back"),
    "identity:refresh:replayed": _("An old token was presented again; its session was ended"),
    "identity:machine-token:issued": _("A system was given access"),
    "identity:exchange:asked": _("Asked to call another client on behalf of people"),
    "identity:exchange:refused": _("Refused a request to call a client on behalf of people"),
    "identity:exchange:allowed": _("Allowed a client to call another on behalf of people"),
    "identity:exchange:forbidden": _("Ended a client's permission to call another on behalf of people"),
    "identity:token:exchanged": _("A client was given access to another on a person's behalf"),
    "identity:token:revoked": _("An application gave its access back"),
    "identity:logout:told": _("An application was told that a session ended"),
}
SANDBOX = {
    "sandbox:developer:signed-up": _("A developer came for the first time"),
    "sandbox:developer:signed-in": _("A developer signed in"),
    "sandbox:developer:signed-out": _("A developer signed out"),
}
CATALOGUE = {
    "catalogue:service:drafted": _("Described a new service"),
    "catalogue:service:edited": _("Changed the description of a service"),
    "catalogue:version:drafted": _("Started a version of a service"),
    "catalogue:version:edited": _("Changed a version of a service"),
    "catalogue:version:submitted": _("Sent a version to the authority"),
    "catalogue:version:published": _("Approved and published a version"),
    "catalogue:version:returned": _("Returned a version for correction"),
    "catalogue:agreement:requested": _("Asked for an agreement"),
    "catalogue:agreement:answer-overdue": _("Noticed that a request for an agreement is unanswered past its term"),
    "catalogue:agreement:approved": _("Approved an agreement"),
    "catalogue:agreement:refused": _("Refused an agreement"),
    "catalogue:agreement:suspended": _("Suspended an agreement"),
    "catalogue:agreement:resumed": _("Resumed an agreement"),
    "catalogue:agreement:ended": _("Ended an agreement"),
    "catalogue:agreement:credentials-issued": _("Created credentials for an agreement"),
}
INTEROPERABILITY = {
    "interoperability:key:registered": _("Registered a signing key"),
    "interoperability:key:revoked": _("Revoked a signing key"),
    "interoperability:communication:sent": _("Sent a communication"),
    "interoperability:communication:downloaded": _("Downloaded a document of a communication"),
    "interoperability:communication:acknowledged": _("Acknowledged receipt of a communication"),
    "interoperability:communication:rejected": _("Rejected a communication"),
}
SENTENCES: Mapping[str, Any] = {**KERNEL, **IDENTITY, **SANDBOX, **CATALOGUE, **INTEROPERABILITY}


def sentence_of(tag: str) -> Any:
    """Put an event into words; a tag without words, such as one of an older release, stays as it is."""
    return SENTENCES.get(tag, tag)
