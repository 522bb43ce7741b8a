"""Debian's Apache with `mod_auth_openidc`, an instance of the test's own: it needs no root."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from walking import wait_until_ready

MODULES = Path("/usr/lib/apache2/modules")
LOADED = ("mpm_event", "authn_core", "authz_core", "authz_user", "auth_openidc", "include", "mime")
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
LogLevel warn auth_openidc:debug
Listen 127.0.0.1:{port}
Mutex posixsem
{user}
{modules}
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


@contextmanager
def apache(base_url: str, directives: Mapping[str, str]) -> Iterator[None]:
    """A site whose `/protected/` wants a sign-in by the directives of mod_auth_openidc; the rest is for everyone."""
    program = shutil.which("apache2", path=f"{os.environ['PATH']}:/usr/sbin")
    missing = [name for name in LOADED if not (MODULES / f"mod_{name}.so").exists()]
    assert not missing, f"Apache lacks {missing}. On Debian: apt install libapache2-mod-auth-openidc"
    assert program, "There is no Apache. On Debian: apt install libapache2-mod-auth-openidc"
    # Below pytest's own folders Apache's user may not read.
    with tempfile.TemporaryDirectory(prefix="cordillera-apache-") as temporary:
        folder = Path(temporary)
        folder.chmod(0o755)
        protected = folder / "site" / "protected"
        protected.mkdir(parents=True)
        (protected / "page.shtml").write_text(PAGE, encoding="utf-8")
        (folder / "site" / "left.html").write_text("Hasta luego", encoding="utf-8")
        (folder / "apache.conf").write_text(
            CONFIGURATION.format(
                folder=folder,
                port=base_url.rpartition(":")[2],
                user="User www-data\nGroup www-data" if os.geteuid() == 0 else "",
                modules="\n".join(f"LoadModule {name}_module {MODULES}/mod_{name}.so" for name in LOADED),
                directives="\n".join(f'{name} "{value}"' for name, value in directives.items()),
            ),
            encoding="utf-8",
        )
        with subprocess.Popen([program, "-f", str(folder / "apache.conf"), "-DFOREGROUND"]) as process:
            try:
                wait_until_ready(f"{base_url}/left.html")
                yield
            except Exception as problem:
                problem.add_note((folder / "error.log").read_text(encoding="utf-8", errors="replace")[-6000:])
                raise
            finally:
                process.terminate()
                process.wait(15)
