"""Proofs that clients make with keys of their own: who they are (RFC 7523, 8705), that a token is theirs (RFC 9449)."""
