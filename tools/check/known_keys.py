"""Keys that sign session cookies in documentation, tutorials and templates: anyone can forge a session with them."""

from __future__ import annotations

KNOWN_KEYS = (
    "", "dev", "secret", "key", "x", "SECRET", "SECRET_KEY", "secret_key", "secret-key", "secretkey", "secret key",
    "Secret", "supersecret", "super secret", "super-secret", "supersecretkey", "super secret key", "super-secret-key",
    "super_secret_key", "mysecret", "my_secret", "my secret", "my-secret", "mysecretkey", "my secret key",
    "my-secret-key", "my_secret_key", "topsecret", "top secret", "top secret!", "top-secret", "!secret", "s3cr3t",
    "s3cret", "secret123", "thisisasecret", "this is a secret", "thisismysecret", "this is my secret",
    "thisisasecretkey", "this-is-a-secret-key", "not-so-secret", "not a secret", "changeme", "change-me", "change_me",
    "change me", "CHANGEME", "CHANGE_ME", "changethis", "change-this", "replace-me", "replaceme", "your secret",
    "your-secret", "your_secret", "your secret key", "your-secret-key", "your_secret_key", "yoursecretkey",
    "YOUR_SECRET_KEY", "YOUR-SECRET-KEY", "YOUR_SECRET", "your-256-bit-secret", "your-session-secret",
    "your-super-secret-key", "insert-your-secret-key", "some-random-string", "some random string", "random string",
    "a random string", "a-random-string", "a very secret key", "a secret key", "a really long secret",
    "you-will-never-guess", "you will never guess", "hard to guess string", "hard-to-guess-string", "BAD_SECRET_KEY",
    "development", "development key", "dev-secret", "dev-secret-key", "dev_secret", "dev_secret_key", "dev key",
    "dev-key", "test", "testing", "test-secret", "test_secret", "test key", "testkey", "default", "default-secret",
    "session", "session secret", "session-secret", "session_secret", "sessionsecret", "cookie", "cookie secret",
    "cookie-secret", "cookie_secret", "jwt-secret", "jwt_secret", "jwtsecret", "app-secret", "app_secret", "flask",
    "flask-secret", "flask-secret-key", "django-insecure", "starlette", "fastapi", "fastapi-secret", "express",
    "password", "passw0rd", "letmein", "admin", "foo", "bar", "foobar", "abc", "abc123", "123", "1234", "12345",
    "123456", "12345678", "123456789", "1234567890", "0000", "xxx", "xxxx", "xxxxx", "none", "None", "null",
    "undefined",
    "{{ LONG_RANDOM_STRING }}", "<your-secret-key>", "<secret>", "<your secret key>", "...", "*****",
    # Express: the documentation of express-session, cookie-session and cookie-parser, and of jsonwebtoken
    "keyboard cat", "key1", "key2", "tobo!", "cats", "shhhhh", "shhhh, very secret", "ssshhhhh",
    # Flask's documentation, then FastAPI's
    '_5#y2L"F4Q8z\n\xec]/', "_5#y2L\"F4Q8z\\n\\xec]/", "A0Zr98j/3yX R~XHH!jmN]LWX/,?RT",
    "192b9bdd22ab9ed4d12e236c78afcb9a393ec15f71bbf5dc987d54727823bcbf",
    "09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7",
)  # fmt: skip
