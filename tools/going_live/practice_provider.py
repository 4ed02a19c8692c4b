"""The fake provider over https, with the apps that a file registers.

It replaces the real providers while you practise going live; an app that goes live has no need of it.
"""

import sys
from functools import partial
from pathlib import Path

from granian import Granian
from granian.constants import Interfaces

sys.path.insert(0, str(Path(__file__).parent.parent.parent))

from fake_provider.app import create_app  # noqa: E402


def main(port: str, folder: str) -> None:
    """Serve at this port, with the certificate and the registered apps of this folder."""
    home = Path(folder)
    Granian(
        "the fake provider",
        "127.0.0.1",
        int(port),
        interface=Interfaces.WSGI,
        blocking_threads=32,
        log_enabled=False,
        ssl_cert=home / "site.pem",
        ssl_key=home / "site.key",
    ).serve(target_loader=partial(create_app, home / "clients.json"), wrap_loader=False)


if __name__ == "__main__":
    main(*sys.argv[1:])
