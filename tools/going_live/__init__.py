"""The login apps run as on a server: gunicorn behind nginx with TLS, PostgreSQL and Redis, all on this machine."""
