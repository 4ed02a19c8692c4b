"""The files in which session_guard and okta_oidc keep their sessions."""


def session_files(app):
    """Return the files of sessions, without the one in which CacheLib counts them."""
    files = sorted((app.home / "flask_session" / "sessions").iterdir())
    return [file for file in files if file.read_bytes()[4:].startswith(b"{")]
