"""Debian's Apache, an instance of the test's own, which needs no root: with `mod_auth_openidc`, or as the proxy that
asks callers for their certificates.
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from builders.keys import Issued
from walking import wait_until_listening, wait_until_ready

MODULES = Path("/usr/lib/apache2/modules")
SITE = ("mpm_event", "authn_core", "authz_core", "authz_user", "auth_openidc", "include", "mime")
PROXY = ("mpm_event", "authz_core", "headers", "proxy", "proxy_http", "ssl")
PAGE = """<!doctype html><title>Trámite</title>
<p>REMOTE_USER=<!--#echo var="REMOTE_USER" --></p>
<p>name=<!--#echo var="OIDC_CLAIM_name" --></p>
<p>iss=<!--#echo var="OIDC_CLAIM_iss" --></p>
<p>acr=<!--#echo var="OIDC_CLAIM_acr" --></p>
"""
CONFIGURATION = """
ServerName localhost
ServerRoot {folder}
DefaultRuntimeDir {folder}
PidFile {folder}/apache.pid
ErrorLog {folder}/error.log
LogLevel warn
Listen 127.0.0.1:{port}
Mutex posixsem
{user}
{modules}
"""
PROTECTION = """
LogLevel auth_openidc:debug
DocumentRoot {folder}/site
TypesConfig /dev/null
AddType "text/html; charset=utf-8" .shtml
AddOutputFilter INCLUDES .shtml
<Directory {folder}/site>
  Options +Includes
  Require all granted
</Directory>
<Location /protected>
  AuthType openid-connect
  Require valid-user
</Location>
{directives}
"""
# As docs/operations.md asks for it: the headers are taken away from callers, and set to what TLS says.
MUTUAL_TLS = """
SSLEngine on
SSLCertificateFile {folder}/certificate.pem
SSLCertificateKeyFile {folder}/key.pem
SSLCACertificateFile {folder}/authority.pem
SSLVerifyClient optional_no_ca
RequestHeader set X-Client-Cert "expr=%{{escape:%{{SSL_CLIENT_CERT}}}}"
RequestHeader set X-Client-Verify "expr=%{{SSL_CLIENT_VERIFY}}"
RequestHeader set X-Forwarded-Proto https
ProxyPreserveHost On
ProxyPass / {behind}/
"""


@contextmanager
def apache(base_url: str, directives: Mapping[str, str]) -> Iterator[None]:
    """A site whose `/protected/` wants a sign-in by the directives of mod_auth_openidc; the rest is for everyone."""
    with _folder() as folder:
        protected = folder / "site" / "protected"
        protected.mkdir(parents=True)
        (protected / "page.shtml").write_text(PAGE, encoding="utf-8")
        (folder / "site" / "left.html").write_text("Hasta luego", encoding="utf-8")
        written = "\n".join(f'{name} "{value}"' for name, value in directives.items())
        with _running(folder, base_url, SITE, PROTECTION.format(folder=folder, directives=written)):
            wait_until_ready(f"{base_url}/left.html")
            yield


@contextmanager
def mutual_tls(base_url: str, behind: str, authority: Issued, server: Issued) -> Iterator[None]:
    """A proxy before the address `behind`, which asks for certificates and says whether the authority issued them."""
    with _folder() as folder:
        (folder / "authority.pem").write_bytes(authority.certificate_pem)
        (folder / "certificate.pem").write_bytes(server.certificate_pem)
        (folder / "key.pem").write_bytes(server.key_pem)
        with _running(folder, base_url, PROXY, MUTUAL_TLS.format(folder=folder, behind=behind)):
            wait_until_listening(base_url)
            yield


@contextmanager
def _folder() -> Iterator[Path]:
    """Below pytest's own folders Apache's user may not read."""
    with tempfile.TemporaryDirectory(prefix="cordillera-apache-") as temporary:
        folder = Path(temporary)
        folder.chmod(0o755)
        yield folder


@contextmanager
def _running(folder: Path, base_url: str, modules: Sequence[str], directives: str) -> Iterator[None]:
    program = shutil.which("apache2", path=f"{os.environ['PATH']}:/usr/sbin")
    missing = [name for name in modules if not (MODULES / f"mod_{name}.so").exists()]
    assert not missing, f"Apache lacks {missing}. On Debian: apt install libapache2-mod-auth-openidc"
    assert program, "There is no Apache. On Debian: apt install libapache2-mod-auth-openidc"
    configuration = CONFIGURATION.format(
        folder=folder,
        port=base_url.rpartition(":")[2],
        user="User www-data\nGroup www-data" if os.geteuid() == 0 else "",
        modules="\n".join(f"LoadModule {name}_module {MODULES}/mod_{name}.so" for name in modules),
    )
    (folder / "apache.conf").write_text(configuration + directives, encoding="utf-8")
    with subprocess.Popen([program, "-f", str(folder / "apache.conf"), "-DFOREGROUND"]) as process:
        try:
            yield
        except Exception as problem:
            problem.add_note((folder / "error.log").read_text(encoding="utf-8", errors="replace")[-6000:])
            raise
        finally:
            process.terminate()
            process.wait(15)
