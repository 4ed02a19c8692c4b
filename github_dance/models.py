"""Who has an account here, and with which logins: an account has one or more, a login belongs to one account.

New since raw_requests: the two are tables of their own, and a session can be ended on the server.
"""

import secrets
import sys

from flask import abort
from flask_dance.consumer.storage.sqla import OAuthConsumerMixin
from flask_login import LoginManager, UserMixin, current_user
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

db = SQLAlchemy()
login_manager = LoginManager()


class User(UserMixin, db.Model):
    id = db.Column(db.Integer, primary_key=True)
    username = db.Column(db.String(250), nullable=False)  # what the page shows; two people can have the same
    # The session cookie has this instead of the id (Flask-Login's "alternative token"): a new one ends all sessions.
    alternative_id = db.Column(db.String(64), nullable=False, unique=True, default=secrets.token_urlsafe)
    logins = db.relationship("OAuth", back_populates="user", order_by="OAuth.id")
    # AUTOINCREMENT: SQLite would give a deleted user's id, and logins that were left over, to the next user.
    __table_args__ = {"sqlite_autoincrement": True}

    def get_id(self):
        return self.alternative_id


class OAuth(OAuthConsumerMixin, db.Model):  # the mixin has id, provider, created_at and token
    provider_user_id = db.Column(db.String(255), nullable=False)
    email = db.Column(db.String(250))
    user_id = db.Column(db.ForeignKey(User.id), nullable=False)  # every visitor could use a token without an owner
    user = db.relationship(User, back_populates="logins")
    __table_args__ = (
        # A user is identified by provider and id there: user names can be changed, and be taken by another user.
        db.UniqueConstraint("provider", "provider_user_id"),
        db.UniqueConstraint("provider", "user_id"),  # Flask-Dance looks a token up by provider and user
    )


@login_manager.user_loader
def load_user(alternative_id):
    return db.session.scalar(db.select(User).filter_by(alternative_id=alternative_id))


def find_or_create(provider, provider_user_id, token, email, username, linking):
    """Return this login, after it has been stored together with its account: in one transaction, or not at all."""
    for _ in range(2):
        login = db.session.scalar(db.select(OAuth).filter_by(provider=provider, provider_user_id=provider_user_id))
        check_account(login, linking)
        if login is None:
            login = OAuth(provider=provider, provider_user_id=provider_user_id, user=account_for_login(linking))
            db.session.add(login)
        login.token, login.email = token, email
        if not linking:
            login.user.username = username
        try:
            db.session.commit()
            return login
        except IntegrityError:  # another request has stored the same login since the query above
            db.session.rollback()
    abort(409, "Your account has another login at this provider already. Unlink it first.")


# What makes it safe: accounts


def check_account(login, linking):
    """Account takeover: a login that comes back to a logged-in user must be theirs, or asked for by the button Link."""
    if current_user.is_authenticated and login is None and not linking:
        abort(403, "You are logged in already. Log out first, or add this login with the button Link.")
    if current_user.is_authenticated and login is not None and login.user_id != current_user.id:
        abort(403, "This login belongs to another account.")


def account_for_login(linking):
    """Return the account that gets a new login: the current user's when they are linking it, else a new one."""
    if not linking:
        return User()
    user = db.session.get(User, current_user.id)
    end_sessions(user)
    return user


def end_sessions(user):
    """End all sessions of the account, because its ways to log in change (ASVS 7.4.3), and lock it until the commit.

    Race condition: two requests could unlink one login each, and leave none. The second waits here, and is refused.
    """
    unchanged = db.update(User).filter_by(id=user.id, alternative_id=user.alternative_id)
    if not db.session.execute(unchanged.values(alternative_id=secrets.token_urlsafe())).rowcount:
        abort(401)


# What makes it safe: the database


def create_tables():
    """Create the tables, or stop the app if the database cannot be used or has the tables of another app."""
    try:
        db.create_all()
        missing = missing_columns()
    except SQLAlchemyError as error:
        sys.exit(f"DATABASE_URL is a database that cannot be used: {reason(error).rstrip('.')}.")
    if missing:
        sys.exit(
            f"DATABASE_URL is a database of another app or of an older version, without {', '.join(missing)}: "
            f"set it to an empty one, or delete instance/users.db if you can do without its accounts."
        )


def missing_columns():
    """Return the columns of our tables that the database does not have; `create_all` changes no existing table."""
    inspector, tables = db.inspect(db.engine), db.metadata.sorted_tables
    found = {f"{table.name}.{column['name']}" for table in tables for column in inspector.get_columns(table.name)}
    return [str(column) for table in tables for column in table.columns if str(column) not in found]


def reason(error):
    """Return the first line of the driver's message: the others, and SQLAlchemy's own, have values, such as a token."""
    return f"{type(error).__name__}: {getattr(error, 'orig', None) or error}".splitlines()[0][:300]
