"""Problems of a password that is not right."""

from __future__ import annotations

from kernel.base.errors import Problem, _


class WrongCredentials(Problem):
    """Equal for an unknown person and a wrong password, so that nobody learns who has an account."""

    kind = "wrong-credentials"
    status = 422
    title = _("The RUN or the password is not correct")
    explanation = _("No person has this RUN with this password.")
    remedy = _("Check both and try again. Capital and small letters are different in a password.")
    oauth_error = "access_denied"
