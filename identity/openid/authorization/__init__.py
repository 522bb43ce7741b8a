"""Authorization: the way of a person to an application by a request, its checks, their consent and a code."""
