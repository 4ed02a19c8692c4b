"""The pages for users who are logged in: the guard is on the blueprint, so that no page is forgotten."""

from flask import Blueprint, render_template, session
from oauth import check_session

blueprint = Blueprint("front_home", __name__)


@blueprint.before_request
def auth():
    return check_session()


@blueprint.get("/private")
def private():
    return render_template("private.html", user=session["user"])
