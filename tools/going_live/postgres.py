"""A PostgreSQL server for a test: in a temporary folder, at a free port, removed at the end."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fake_provider import free_port

USER = "postgres"  # the user of Debian's package; the server refuses to run as root


def initdb_names() -> list[str]:
    """Return the names under which `initdb` is looked for: on PATH, and in Debian's folders, the newest first."""
    return ["initdb", *sorted(map(str, Path("/usr/lib/postgresql").glob("*/bin/initdb")), reverse=True)]


@contextmanager
def run_postgres(initdb: str) -> Iterator[str]:
    """Run a server with the programs beside `initdb`, and yield its URL without the name of a database."""
    bin_folder = Path(initdb).resolve().parent
    home = Path(tempfile.mkdtemp(prefix="postgres-"))
    data, port = home / "data", free_port()
    as_user: dict[str, object] = {}
    if os.getuid() == 0:
        import pwd  # not there on Windows

        account = pwd.getpwnam(USER)
        shutil.chown(home, account.pw_uid, account.pw_gid)
        as_user = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}

    def run(program: str, *arguments: str) -> None:
        command = [str(bin_folder / program), "-D", str(data), *arguments]
        done = subprocess.run(command, cwd=home, capture_output=True, encoding="utf-8", timeout=60, **as_user)
        if done.returncode:
            raise RuntimeError(f"{program} failed: {done.stdout} {done.stderr}")

    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={home} -c fsync=off"
    try:
        run("initdb", "--username", USER, "--auth", "trust", "--encoding", "UTF8", "--no-locale", "--no-sync")
        run("pg_ctl", "--wait", "--log", str(home / "log"), "-o", options, "start")
        try:
            yield f"postgresql://{USER}@127.0.0.1:{port}"
        finally:
            run("pg_ctl", "--wait", "--mode", "immediate", "stop")
    finally:
        shutil.rmtree(home)
