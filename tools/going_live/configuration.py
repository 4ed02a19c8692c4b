"""What is written before the programs start: certificates, configuration files, databases."""

from __future__ import annotations

import os
import secrets
import subprocess
from collections.abc import Iterable
from pathlib import Path

import psycopg
from jinja2 import Template
from psycopg import sql

from fake_provider.launcher import free_port

HERE = Path(__file__).parent
NEW_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "7")


def make_certificates(folder: Path) -> None:
    """Make a certificate for localhost, and the certificate authority that signs it."""
    authority = ("-subj", "/CN=Practice of going live", "-addext", "keyUsage=critical,keyCertSign")
    site = (
        "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
        "-addext", "basicConstraints=critical,CA:FALSE", "-addext", "keyUsage=critical,digitalSignature",
        "-addext", "extendedKeyUsage=serverAuth", "-CA", "ca.pem", "-CAkey", "ca.key",
    )  # fmt: skip
    for name, rest in (("ca", authority), ("site", site)):
        command = ["openssl", "req", "-x509", *NEW_KEY, *rest, "-keyout", f"{name}.key", "-out", f"{name}.pem"]
        subprocess.run(command, cwd=folder, check=True, capture_output=True)  # noqa: S603


def write_nginx(folder: Path, apps: Iterable[object], hsts: bool) -> None:
    """Write the configuration of nginx, and make its temporary folders."""
    for name in ("body", "proxy", "fastcgi", "uwsgi", "scgi"):
        (folder / "temp" / name).mkdir(parents=True)
    _fill_in(folder, "nginx.conf", apps=apps, hsts=hsts)


def write_redis(folder: Path) -> str:
    """Write the configuration of Redis, and return its URL, which contains the password."""
    port, password = free_port(), secrets.token_urlsafe(32)
    (folder / "redis").mkdir()
    _fill_in(folder, "redis.conf", port=port, password=password, data=folder / "redis")
    return f"redis://:{password}@127.0.0.1:{port}/0"


def make_database(postgres: str, name: str) -> str:
    """Make a database, and a role that cannot read other databases; return the URL for both."""
    password = secrets.token_urlsafe(32)
    with psycopg.connect(f"{postgres}/postgres", autocommit=True) as connection:
        role, word = sql.Identifier(name), sql.Literal(password)
        connection.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(role, word))
        connection.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(role, role))
    return f"postgresql://{name}:{password}@{postgres.rpartition('@')[2]}/{name}"


def write_private(file: Path, text: str) -> None:
    """Write a file that only its owner can read."""
    file.unlink(missing_ok=True)
    with open(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as output:
        output.write(text)


def _fill_in(folder: Path, name: str, **values: object) -> None:
    template = Template((HERE / f"{name}.jinja").read_text("utf-8"), trim_blocks=True)  # noqa: S701 - no HTML
    write_private(folder / name, template.render(**values))
