"""Settings: read once from `CORDILLERA_*`, frozen, refused at start when wrong."""

from __future__ import annotations

import ast
import base64
import binascii
import inspect
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from environs import Env, EnvError

LOCAL_TIMESTAMPS = "local"
DEVELOPMENT_KEY = base64.b64encode(b"cordillera-development-only-key!").decode()
ENVIRONMENTS = ("development", "test", "production")
ALL_BLOCKS = ("all",)
S = TypeVar("S")


class SettingsError(Exception):
    """A setting is missing or wrong; the message names it and says what is expected."""


@dataclass(frozen=True)
class Settings:
    """Everything an operator can set. Each field is `CORDILLERA_` and its name in capitals."""

    environment: str = "development"
    """development, test or production. Production refuses development secrets and plain http."""
    blocks: tuple[str, ...] = ALL_BLOCKS
    """The blocks deployed here, separated by commas, or `all` of them."""
    base_url: str = "http://localhost:8000"
    """The address at which people and systems reach this installation; the issuer's name begins with it."""
    database_url: str = ""
    """PostgreSQL 15 or newer, as `postgresql+psycopg://user:password@host/database`."""
    data_dir: Path = field(default_factory=lambda: Path("var"))
    """Documents and mail of this node, where neither a bucket nor an SMTP server takes them."""
    documents_url: str = ""
    """The store of documents: `s3://bucket/prefix`, or empty for `<data_dir>/documents`."""
    master_key: bytes = b""
    """32 bytes in base64; encrypts what must come back (keys, seeds)."""
    key_store: str = "database"
    """The store in which signing keys are made: `database` or `files` (`<data_dir>/keys`), sealed under the master key,
    or `pkcs11`.
    """
    key_rotation_days: int = 90
    """Signing keys older than this are replaced, without a signature that fails."""
    pkcs11_library: str = ""
    """The HSM's PKCS#11 library, such as `/usr/lib/softhsm/libsofthsm2.so`."""
    pkcs11_token: str = ""
    """Label of the HSM's token."""
    pkcs11_pin: str = ""
    """PIN of the token's user."""
    timestamp_url: str = ""
    """The authority that dates seals (RFC 3161): an https address, or `local` for one of our own, which proves nothing.
    Empty means `local` in development, and none in production.
    """
    timestamp_certificates: str = ""
    """A PEM file with the authority's certificate, or with those of who issued it, and of earlier authorities."""
    secret_key: str = ""
    """Signs the browser's short-lived cookies."""
    trusted_proxies: int = 0
    """The number of reverse proxies in front that are to be believed about the caller's address."""
    client_certificate_header: str = ""
    """Header in which the trusted proxy hands over the caller's TLS certificate, as escaped PEM or by RFC 9440."""
    client_certificate_verified_header: str = ""
    """Header in which it says SUCCESS where an authority that it trusts issued the certificate."""
    mtls_base_url: str = ""
    """A second address of this installation, such as `https://mtls.id.example`, whose proxy asks for certificates."""
    rate_limit_storage: str = "memory://"
    """The store in which rate limits are counted: `memory://`, or `valkey://host:6379` for several nodes."""
    outbound_allowed: frozenset[str] = frozenset()
    """`host:port` that outward calls may reach although the address is private, separated by commas."""
    web_threads: int = 16
    """Threads of each web process, at least 4; what gunicorn is told by `--threads` goes before it."""
    outward_percent: int = 60
    """Of a web process's threads, how many per cent may wait for other systems: providers, clients' keys."""
    destination_percent: int = 60
    """Of the threads that may wait for other systems, how many per cent may wait for the same one."""
    slow_client_percent: int = 25
    """Of a web process's threads, how many per cent may wait for slow clients: long bodies, and readers of answers."""
    smtp_url: str = ""
    """`smtp://user:password@host:port`; empty writes mail to `<data_dir>/mail`."""
    mail_from: str = "no-responder@cordillera.example"
    """The sender of every mail: an address, or `Name <address>`."""
    sms_url: str = ""
    """https address of the gateway that sends SMS. Empty writes them to `<data_dir>/sms`, and none in production."""
    sms_token: str = ""
    """The secret by which the gateway knows us (`Authorization: Bearer`)."""
    help_email: str = ""
    """The address to which people write who cannot go on; the help page and the sign-in page show it."""
    help_phone: str = ""
    """The telephone that they may call, with its hours, such as `600 000 0000, Monday to Friday from 9 to 18`."""
    audit_kept_months: int = 240
    """The months for which the audit is kept before a whole month of it is dropped."""
    deliveries_kept_months: int = 3
    """The months for which it can be read what was sent to others' servers, and be sent again."""
    pool_size: int = 8
    """Database connections kept by each worker process."""
    log_level: str = "INFO"
    """DEBUG, INFO, WARNING or ERROR."""
    of_blocks: Mapping[type, Any] = field(default_factory=dict)

    def of(self, kind: type[S]) -> S:
        """Return the settings that a capability declares in its `settings.py`, a frozen dataclass like this one."""
        settings: S | None = self.of_blocks.get(kind)
        return settings if settings is not None else kind()

    @property
    def addresses(self) -> tuple[str, ...]:
        """All addresses at which this installation is reached, the one that it is known by first."""
        return (self.base_url, self.mtls_base_url) if self.mtls_base_url else (self.base_url,)

    @property
    def outward_calls(self) -> int:
        """The number of threads of a web process that may wait for other systems at one time."""
        return self.web_threads * self.outward_percent // 100

    @property
    def timestamp_authority(self) -> str:
        """The address of the authority, `local`, or nothing."""
        return self.timestamp_url or ("" if self.is_production else LOCAL_TIMESTAMPS)

    @property
    def is_production(self) -> bool:
        return self.environment == "production"

    @property
    def is_secure(self) -> bool:
        return self.base_url.startswith("https://")


def load(declared: Iterable[type] = ()) -> Settings:
    """Read the environment. Raises SettingsError with one sentence that names the setting.

    declared: what blocks declare beside `Settings`.
    """
    env = Env(prefix="CORDILLERA_")
    defaults = Settings()
    try:
        settings = Settings(
            environment=env.str("ENVIRONMENT", defaults.environment),
            blocks=tuple(env.list("BLOCKS", list(defaults.blocks))),
            base_url=env.str("BASE_URL", defaults.base_url).rstrip("/"),
            database_url=_with_driver(env.str("DATABASE_URL", "")),
            data_dir=Path(env.str("DATA_DIR", str(defaults.data_dir))).absolute(),
            documents_url=env.str("DOCUMENTS_URL", ""),
            master_key=_key(env.str("MASTER_KEY", DEVELOPMENT_KEY)),
            key_store=_key_store(env.str("KEY_STORE", defaults.key_store)),
            key_rotation_days=env.int("KEY_ROTATION_DAYS", defaults.key_rotation_days),
            pkcs11_library=env.str("PKCS11_LIBRARY", ""),
            pkcs11_token=env.str("PKCS11_TOKEN", ""),
            pkcs11_pin=env.str("PKCS11_PIN", ""),
            timestamp_url=env.str("TIMESTAMP_URL", ""),
            timestamp_certificates=env.str("TIMESTAMP_CERTIFICATES", ""),
            secret_key=env.str("SECRET_KEY", DEVELOPMENT_KEY),
            trusted_proxies=env.int("TRUSTED_PROXIES", defaults.trusted_proxies),
            client_certificate_header=env.str("CLIENT_CERTIFICATE_HEADER", ""),
            client_certificate_verified_header=env.str("CLIENT_CERTIFICATE_VERIFIED_HEADER", ""),
            mtls_base_url=env.str("MTLS_BASE_URL", "").rstrip("/"),
            rate_limit_storage=env.str("RATE_LIMIT_STORAGE", defaults.rate_limit_storage),
            outbound_allowed=frozenset(map(str.strip, env.list("OUTBOUND_ALLOWED", []))),
            web_threads=env.int("WEB_THREADS", defaults.web_threads),
            outward_percent=env.int("OUTWARD_PERCENT", defaults.outward_percent),
            destination_percent=env.int("DESTINATION_PERCENT", defaults.destination_percent),
            slow_client_percent=env.int("SLOW_CLIENT_PERCENT", defaults.slow_client_percent),
            smtp_url=env.str("SMTP_URL", ""),
            mail_from=env.str("MAIL_FROM", defaults.mail_from),
            sms_url=env.str("SMS_URL", ""),
            sms_token=env.str("SMS_TOKEN", ""),
            help_email=env.str("HELP_EMAIL", ""),
            help_phone=env.str("HELP_PHONE", ""),
            audit_kept_months=env.int("AUDIT_KEPT_MONTHS", defaults.audit_kept_months),
            deliveries_kept_months=env.int("DELIVERIES_KEPT_MONTHS", defaults.deliveries_kept_months),
            pool_size=env.int("POOL_SIZE", defaults.pool_size),
            log_level=env.str("LOG_LEVEL", defaults.log_level).upper(),
            of_blocks={kind: _read(env, kind) for kind in declared},
        )
    except EnvError as error:
        raise SettingsError(str(error)) from error
    _refuse_what_is_wrong(settings)
    return settings


def _read(env: Env, kind: Any) -> Any:
    """A capability's settings: each is a number or a text, as its default is."""
    defaults: dict[str, Any] = {one.name: one.default for one in fields(kind)}
    values = {
        name: (env.int if isinstance(default, int) else env.str)(name.upper(), default)
        for name, default in defaults.items()
    }
    return kind(**values)


def _with_driver(url: str) -> str:
    """Accept the common spellings of a PostgreSQL address; SQLAlchemy needs the driver's name in it."""
    for spelling in ("postgresql://", "postgres://"):
        if url.startswith(spelling):
            return "postgresql+psycopg://" + url.removeprefix(spelling)
    return url


def _key_store(name: str) -> str:
    """The store as it is called now: earlier versions called it `file`."""
    return "files" if name == "file" else name


def _key(text: str) -> bytes:
    try:
        key = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise SettingsError("CORDILLERA_MASTER_KEY is not base64") from error
    if len(key) != 32:
        raise SettingsError(
            "CORDILLERA_MASTER_KEY must be 32 bytes in base64, such as `openssl rand -base64 32` prints"
        )
    return key


def _refuse_what_is_wrong(settings: Settings) -> None:
    if settings.environment not in ENVIRONMENTS:
        raise SettingsError(f"CORDILLERA_ENVIRONMENT must be one of {', '.join(ENVIRONMENTS)}")
    if settings.client_certificate_header and settings.trusted_proxies < 1:
        raise SettingsError("CORDILLERA_CLIENT_CERTIFICATE_HEADER needs CORDILLERA_TRUSTED_PROXIES of at least 1")
    url = urlsplit(settings.base_url)
    if url.scheme not in ("http", "https") or not url.netloc or url.path:
        raise SettingsError("CORDILLERA_BASE_URL must be an address such as https://id.example, with no path")
    if settings.mtls_base_url:
        mtls = urlsplit(settings.mtls_base_url)
        if mtls.scheme != "https" or not mtls.netloc or mtls.path:
            raise SettingsError("CORDILLERA_MTLS_BASE_URL must be an address such as https://mtls.id.example")
        if not settings.client_certificate_header:
            raise SettingsError("CORDILLERA_MTLS_BASE_URL needs CORDILLERA_CLIENT_CERTIFICATE_HEADER")
    if not settings.database_url.startswith("postgresql+psycopg://"):
        raise SettingsError(
            "CORDILLERA_DATABASE_URL must name a PostgreSQL database; `cordillera run` starts one of its own"
        )
    if settings.key_store not in ("database", "files", "pkcs11"):
        raise SettingsError("CORDILLERA_KEY_STORE must be database, files or pkcs11")
    if settings.key_store == "pkcs11" and not (settings.pkcs11_library and settings.pkcs11_token):
        raise SettingsError("CORDILLERA_KEY_STORE is pkcs11: CORDILLERA_PKCS11_LIBRARY and _TOKEN must name the HSM")
    if settings.key_rotation_days < 1:
        raise SettingsError("CORDILLERA_KEY_ROTATION_DAYS must be at least 1")
    if settings.timestamp_url not in ("", LOCAL_TIMESTAMPS):
        if not settings.timestamp_url.startswith("https://"):
            raise SettingsError("CORDILLERA_TIMESTAMP_URL must be an https address, or local")
        if not settings.timestamp_certificates:
            raise SettingsError("CORDILLERA_TIMESTAMP_URL needs CORDILLERA_TIMESTAMP_CERTIFICATES")
    if settings.sms_url:
        if not re.fullmatch(r"https?://[^/?#\s]+[!-~]*", settings.sms_url):
            raise SettingsError("CORDILLERA_SMS_URL must be an address such as https://sms.example/messages")
        if not re.fullmatch(r"[!-~]+", settings.sms_token):
            raise SettingsError("CORDILLERA_SMS_URL needs CORDILLERA_SMS_TOKEN, in plain characters without spaces")
    if settings.audit_kept_months < 1:
        raise SettingsError("CORDILLERA_AUDIT_KEPT_MONTHS must be at least 1")
    if settings.deliveries_kept_months < 1:
        raise SettingsError("CORDILLERA_DELIVERIES_KEPT_MONTHS must be at least 1")
    if settings.help_email and not re.fullmatch(r"[^@\s]+@[^@\s]+", settings.help_email):
        raise SettingsError("CORDILLERA_HELP_EMAIL must be an e-mail address such as ayuda@id.example")
    if settings.web_threads < 4:
        raise SettingsError("CORDILLERA_WEB_THREADS must be at least 4: some wait for others, the rest must not")
    if settings.outward_percent + settings.slow_client_percent > 90:
        raise SettingsError("CORDILLERA_OUTWARD_PERCENT and CORDILLERA_SLOW_CLIENT_PERCENT may be 90 together")
    for name, most in (("outward_percent", 75), ("destination_percent", 100), ("slow_client_percent", 75)):
        if not 10 <= getattr(settings, name) <= most:
            raise SettingsError(f"CORDILLERA_{name.upper()} must be from 10 to {most}")
    if settings.log_level not in ("DEBUG", "INFO", "WARNING", "ERROR"):
        raise SettingsError("CORDILLERA_LOG_LEVEL must be DEBUG, INFO, WARNING or ERROR")
    if settings.is_production:
        for name in ("MASTER_KEY", "SECRET_KEY"):
            if os.environ.get(f"CORDILLERA_{name}", DEVELOPMENT_KEY) == DEVELOPMENT_KEY:
                raise SettingsError(f"CORDILLERA_{name} is the development one; production needs a secret of its own")
        if not settings.is_secure:
            raise SettingsError("CORDILLERA_BASE_URL must be https in production")


def manual(kind: type = Settings) -> list[tuple[str, str, str]]:
    """Every setting's variable, default and meaning, out of its declaration."""
    declared = ast.parse(inspect.getsource(kind)).body[0]
    body = declared.body if isinstance(declared, ast.ClassDef) else []
    defaults = kind()
    return [
        (f"CORDILLERA_{field.target.id.upper()}", _shown(getattr(defaults, field.target.id)), docstring.value.value)
        for field, docstring in pairwise(body)
        if isinstance(field, ast.AnnAssign)
        and isinstance(field.target, ast.Name)
        and isinstance(docstring, ast.Expr)
        and isinstance(docstring.value, ast.Constant)
        and isinstance(docstring.value.value, str)
    ]


def _shown(default: object) -> str:
    if isinstance(default, tuple | frozenset):
        return ",".join(sorted(default))
    return "" if isinstance(default, bytes) else str(default)
