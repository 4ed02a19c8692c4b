"""Who has an account here, and with which logins: an account has one or more, a login belongs to one account."""

from flask_dance.consumer.storage.sqla import OAuthConsumerMixin
from flask_login import LoginManager, UserMixin
from flask_sqlalchemy import SQLAlchemy

db = SQLAlchemy()
login_manager = LoginManager()


class User(UserMixin, db.Model):
    id = db.Column(db.Integer, primary_key=True)
    username = db.Column(db.String(250), nullable=False)  # what the page calls them; two people can have the same
    logins = db.relationship("OAuth", back_populates="user", order_by="OAuth.id")
    # AUTOINCREMENT: SQLite would give a deleted user's id, and with it their cookie, to the next one.
    __table_args__ = {"sqlite_autoincrement": True}


class OAuth(OAuthConsumerMixin, db.Model):  # the mixin has id, provider, created_at and token
    provider_user_id = db.Column(db.String(255), nullable=False)
    email = db.Column(db.String(250))
    user_id = db.Column(db.ForeignKey(User.id), nullable=False)  # a token without an owner would be everybody's
    user = db.relationship(User, back_populates="logins")
    __table_args__ = (
        # Who somebody is, is (provider, id there). User names change hands, and differ from provider to provider.
        db.UniqueConstraint("provider", "provider_user_id"),
        db.UniqueConstraint("provider", "user_id"),  # Flask-Dance asks for the user's token at a provider: one
    )


@login_manager.user_loader
def load_user(user_id):
    return db.session.get(User, int(user_id))
