"""Everything that attackers send in place of what was asked for: values, tokens, credentials, bodies."""

import base64
import json
from collections.abc import Iterable

FORM = "application/x-www-form-urlencoded"
MEGABYTE = b"x" * 1_000_000
DEEP = b"[" * 5_000


def urlsafe(octets: bytes) -> bytes:
    return base64.urlsafe_b64encode(octets).rstrip(b"=")


def a_token(header: object, claims: object = None, signature: bytes = b"AAAA") -> bytes:
    """A compact JWS with this header, signed by nobody."""
    said = {"iss": "x"} if claims is None else claims
    return b".".join([*(urlsafe(json.dumps(part).encode()) for part in (header, said)), signature])


HEADERS: list[object] = [
    {"alg": "none"},
    {"alg": "None"},
    {"alg": "HS256"},
    {"alg": ["ES256"]},
    {"alg": {"ES256": 1}},
    {"alg": 7},
    {"alg": None},
    {},
    {"alg": "ES256", "crit": ["x"]},
    {"alg": "ES256", "crit": "x"},
    {"alg": "ES256", "crit": ["b64"], "b64": False},
    {"alg": "ES256", "b64": False},
    {"alg": "ES256", "zip": "DEF"},
    {"alg": "ES256", "jwk": {}},
    {"alg": "ES256", "jwk": {"kty": "oct", "k": "AAAA"}},
    {"alg": "ES256", "jwk": {"kty": "EC", "crv": "P-256", "x": "A", "y": "A"}},
    {"alg": "ES256", "jwk": {"kty": "EC", "crv": ["P-256"], "x": 1, "y": None}},
    {"alg": "RS256", "jwk": {"kty": "RSA", "n": "AQAB", "e": "AQAB"}},
    {"alg": "ES256", "typ": "dpop+jwt", "jwk": {"kty": "OKP", "crv": "Ed25519", "x": "A" * 43}},
    {"alg": "ES256", "x5u": "http://127.0.0.1/"},
    {"alg": "ES256", "jku": "http://127.0.0.1/"},
    {"alg": "ES256", "x5c": ["AAAA"]},
    {"alg": "ES256", "kid": {"a": 1}},
    {"alg": "ES256", "kid": "\x00"},
    {"alg": "ES256", "kid": "x" * 10_000},
    {"alg": "ES256", "typ": ["JWT"]},
    {"alg": "dir", "enc": "A128GCM"},
    [],
    "x",
    1,
    None,
]
CLAIMS: list[object] = [
    [],
    "x",
    {"iss": ["x"], "sub": {"a": 1}, "aud": {"a": 1}, "exp": "soon", "iat": 1e400, "jti": []},
    {"iss": "x", "sub": "x", "exp": 10**400, "nbf": -(10**400), "iat": 10**30},
    {"iss": "\ud800", "sub": "\x00", "jti": "\x00", "htm": 1, "htu": []},
    {"htm": "POST", "htu": "http://[", "iat": True, "jti": "x"},
]
TOKENS: list[bytes] = [
    *map(a_token, HEADERS),
    *(a_token({"alg": "ES256"}, claims) for claims in CLAIMS),
    a_token({"alg": "ES256"}, signature=b""),
    a_token({"alg": "ES256"}, {"iss": "x" * 20_000}),
    a_token({"alg": "dir", "enc": "A128GCM"}) + b".AAAA.AAAA",
    urlsafe(b"\xff\xfe") + b".e30.AAAA",
    urlsafe(DEEP) + b".e30.AAAA",
    b"e30." + urlsafe(DEEP) + b".AAAA",
    b"..",
    b"....",
    b"." * 1_000,
    b"a.b",
    b"a.b.c.d.e.f",
]
TEXTS: list[bytes] = [
    b"",
    b" ",
    b"\x00",
    b"a\x00b",
    b"\r\nLocation: http://elsewhere.example/",
    b"\xff\xfe",
    b"\xed\xa0\x80",
    "ñ\u202e😀".encode(),
    b"%",
    b"%00",
    b"%ZZ",
    b"-1",
    b"0",
    b"NaN",
    b"1e400",
    b"9" * 400,
    b"x" * 10_000,
    b"null",
    b"[]",
    b"{}",
    b"[7]",
    DEEP,
    b'{"a":' * 5_000,
    b'{"id_token": {"acr": {"values": [null]}}}',
    b'{"userinfo": {"sub": {"value": "\\ud800"}, "email": {"value": {"a": 1}}}}',
    b'{"id_token": {"acr": {"essential": true, "values": ["\\u0000"]}}}',
    b'[{"type": {}}]',
    b'[{"type": "urn:cordillera:agreement", "identifier": "ACU-2026-000001\\u0000"}]',
    b'[{"type": "urn:cordillera:agreement", "identifier": "ACU-2026-000001\\n"}]',
    b"urn:ietf:params:oauth:request_uri:\x00",
    b"http://elsewhere.example/",
    b"//elsewhere.example/",
    b"/\\elsewhere.example/",
    b"http://127.0.0.1:9@elsewhere.example/",
    b"http://127.0.0.1:9/callback\x00",
    b"http://[",
    b"http://127.0.0.1:99999/",
    b"javascript:alert(1)",
    b"sign-in.1.1." + b"0" * 64,
    b"consent.99999999999.99999999999." + b"f" * 64,
    b"00000000-0000-0000-0000-000000000000",
]


def _basic(text: bytes) -> bytes:
    return b"Basic " + base64.b64encode(text)


AUTHORIZATIONS: list[bytes] = [
    b"",
    b" ",
    b"Basic",
    b"Basic ",
    b"Basic =",
    b"Basic \xff\xfe",
    b"Basic ????",
    b"Basic YQ",
    _basic(b""),
    _basic(b":"),
    _basic(b"no colon"),
    _basic(b"a:b:c"),
    _basic(b"\xff\xfe:\xff"),
    _basic(b"\x00:\x00"),
    _basic(b"%00:%00"),
    _basic(b"%:%ZZ"),
    _basic(b"%FF%FE:%ED%A0%80"),
    _basic(b"x" * 10_000 + b":x"),
    _basic(b"x:" + b"y" * 50_000),
    b"basic " * 500,
    b"Bearer",
    b"Bearer \x01",
    b"Bearer a b",
    b"Bearer " + b"x" * 60_000,
    b"DPoP",
    b"DPoP x",
    b"Digest username=x",
    b"Negotiate " + b"A" * 9_000,
    b", ,",
    *(b"Bearer " + token for token in TOKENS[:12]),
    *(b"DPoP " + token for token in TOKENS[12:24]),
]
CERTIFICATES: list[bytes] = [
    b"x",
    b"::",
    b":AAAA:",
    b":\xff:",
    b":" + b"A" * 40_000 + b":",
    b"-----BEGIN CERTIFICATE-----",
    b"-----BEGIN CERTIFICATE-----AAAA-----END CERTIFICATE-----",
    b"-----BEGIN%20CERTIFICATE-----%0AAAAA%0A-----END%20CERTIFICATE-----",
    b"%ZZ%00%FF",
    b"(null)",
]
BODIES: list[tuple[str, bytes]] = [
    ("", b"x"),
    ("application/json", b'{"grant_type": "client_credentials"}'),
    ("application/json", b"\xff"),
    ("application/json", DEEP),
    ("application/json", b'{"a":' * 5_000),
    ("application/json", b"[]"),
    ("application/json", b"null"),
    ("application/json", b"7"),
    ("application/json", b"[7]"),
    ("application/json", b'{"redirect_uris": [null, {"a": 1}], "jwks": {"keys": [{"kty": []}, 7, null]}}'),
    ("application/json", b'{"redirect_uris": "x", "client_name": {"a": 1}, "default_max_age": 1e400}'),
    ("application/json", b'{"client_name": "\\ud800\\u0000", "redirect_uris": ["http://["]}'),
    ("application/json; charset=utf-16", b"\xff\xfe{\x00}\x00"),
    ("multipart/form-data", b"x"),
    ("multipart/form-data; boundary=x", b"--x\r\nbroken"),
    ("multipart/form-data; boundary=x", b'--x\r\nContent-Disposition: form-data; name="code"; filename="x"\r\n\r\nx'),
    ("text/plain", b"grant_type=client_credentials"),
    ("application/jwt", TOKENS[0]),
    (f"{FORM}; charset=utf-16", b"\xff\xfe"),
    (f"{FORM}; charset=unheard-of", b"a=b"),
    (FORM, b"&" * 10_000),
    (FORM, b"=" * 10_000),
    (FORM, b"\xff\xfe=\xff&\x00=\x00&%=%"),
    (FORM, b"&".join(b"p%d=x" % number for number in range(3_000))),
    (FORM, MEGABYTE),
    (FORM, b"x=" + MEGABYTE * 3),
    ("\xff", b"x"),
]  # fmt: skip


def header_value(octets: bytes) -> str:
    """Octets as a header, which has no line ends."""
    return octets.replace(b"\r", b"").replace(b"\n", b"").decode("latin-1")


def escaped(pairs: Iterable[tuple[str, bytes]]) -> str:
    """A form or query with every octet written as %XX."""
    return "&".join(f"{name}=" + "".join(f"%{octet:02X}" for octet in value) for name, value in pairs)


def raw(pairs: Iterable[tuple[str, bytes]]) -> bytes:
    """A form or query with the octets as they are, but for those that would end them."""
    return b"&".join(
        name.encode() + b"=" + value.replace(b"&", b"%26").replace(b" ", b"+").replace(b"#", b"%23")
        for name, value in pairs
    )
