"""The accounts, in a database: a user is known by (provider, subject), whatever the name and the e-mail address are.

New since step 3: an account outlives its session.
"""

import os
import sys
from pathlib import Path

from flask import abort
from flask_login import LoginManager, UserMixin
from flask_sqlalchemy import SQLAlchemy
from settings import optional
from sqlalchemy import inspect, make_url
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

db = SQLAlchemy()
login_manager = LoginManager()


class User(UserMixin, db.Model):
    id = db.Column(db.Integer, primary_key=True)
    provider = db.Column(db.String(50), nullable=False)
    subject = db.Column(db.String(255), nullable=False)
    name = db.Column(db.String(250), nullable=False)
    email = db.Column(db.String(250), nullable=False)
    # Account takeover: another user can have the same e-mail address or name, and the same subject at another provider.
    # AUTOINCREMENT: SQLite would give a deleted user's id, and with it their cookie, to the next user.
    __table_args__ = (db.UniqueConstraint("provider", "subject"), {"sqlite_autoincrement": True})


@login_manager.user_loader
def load_user(user_id):
    return db.session.get(User, int(user_id))


def find_or_create(provider, subject, name, email):
    for _ in range(2):
        user = db.session.scalar(db.select(User).filter_by(provider=provider, subject=subject))
        if user is None:
            user = User(provider=provider, subject=subject)
            db.session.add(user)
        user.name, user.email = name, email
        try:
            db.session.commit()
            return user
        except IntegrityError:  # a new user in two browsers at once: the other request inserted the row first
            db.session.rollback()
    abort(503, "Another login to this account is running at this moment. Please try again.")


# What makes it safe: the database


def connect(app):
    """Connect the app to its database, and stop it with a sentence if the database cannot be used."""
    keep_files_private(Path(app.instance_path))
    app.config["SQLALCHEMY_DATABASE_URI"] = database_url()
    app.config["SQLALCHEMY_ENGINE_OPTIONS"] = {"pool_pre_ping": True}  # reconnect after a database restart
    db.init_app(app)
    # No current_user in every template: the page that says that the database does not respond would query it.
    login_manager.init_app(app, add_context_processor=False)
    with app.app_context():
        create_tables()


def keep_files_private(folder):
    """The database file holds personal data: other users of this machine must not read it."""
    os.umask(0o077)
    if folder.exists():  # since an older version
        folder.chmod(0o700)


def database_url():
    """Return DATABASE_URL with the driver of requirements.txt; hosting platforms mostly write it without one."""
    try:
        url = make_url(optional("DATABASE_URL") or "sqlite:///db.sqlite")
        if url.drivername in ("postgres", "postgresql"):
            url = url.set(drivername="postgresql+psycopg")
        url.get_dialect().import_dbapi()
        return url
    except (SQLAlchemyError, ImportError, ValueError):  # their messages can have the password
        sys.exit(
            "DATABASE_URL cannot be used: it is no URL, or no driver for such a database is installed. "
            "Write postgresql://name:password@host/database, or leave it empty for a file of SQLite."
        )


def create_tables():
    """Create the tables, or stop the app if the database cannot be used or has the tables of another app."""
    try:
        db.create_all()
        found = {column["name"] for column in inspect(db.engine).get_columns(User.__tablename__)}
    except SQLAlchemyError as error:
        sys.exit(f"DATABASE_URL is a database that cannot be used: {reason(error).rstrip('.')}.")
    missing = [column.name for column in User.__table__.columns if column.name not in found]
    if missing:  # create_all changes no existing table
        sys.exit(
            f"DATABASE_URL is a database of another app or of an older version, without {', '.join(missing)}: "
            "set it to an empty one, or delete instance/db.sqlite if you can do without its accounts."
        )


def reason(error):
    """Return the first line of the driver's message: the others, and SQLAlchemy's own, have the users' data."""
    return f"{type(error).__name__}: {getattr(error, 'orig', None) or error}".splitlines()[0][:300]
