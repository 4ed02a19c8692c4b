"""Article 5: a guard before every page of a blueprint, and sessions that are kept on the server.

New since raw_requests: a page asks for the login, the cookie is only a number, and settings alone change the provider.
"""

from flask import Flask, redirect, render_template, request, session
from flask_session import Session
from home import blueprint as home
from oauth import blueprint as oauth
from redis import RedisError
from settings import HOST, OAUTH, PORT, SECRET_KEY, SESSION, URL
from werkzeug.exceptions import HTTPException, ServiceUnavailable

app = Flask(__name__)
app.config.update(SESSION, SECRET_KEY=SECRET_KEY)
app.config["TRUSTED_HOSTS"] = [HOST]  # our address is ours to say, not the Host header's
Session(app)
app.register_blueprint(home)
app.register_blueprint(oauth)


@app.get("/")
def index():
    return render_template("index.html", user=session.get("user"), provider=OAUTH["PROVIDER_NAME"])


@app.post("/logout")
def logout():
    # A form on another site comes here without the cookie. Clearing what is empty would delete it all the same.
    if session:
        session.clear()  # what is empty is also removed from the server
    return redirect("/")


@app.errorhandler(HTTPException)
def problem(error):
    if isinstance(getattr(error, "original_exception", None), OSError | RedisError):
        error = ServiceUnavailable("This app cannot reach its sessions at the moment.")
    title = "Login failed" if request.path == "/oauth/callback" else error.name
    sentence = "Use the button Log out." if error.code == 405 else error.description
    return render_template("problem.html", title=title, sentence=sentence, url=URL), error.code


@app.after_request
def keep_private(response):
    response.headers["Cache-Control"] = "no-store"  # after a log out the back button shows nothing
    response.headers["Referrer-Policy"] = "no-referrer"  # the code in our address goes to no other site
    return response


if __name__ == "__main__":
    app.run(host="localhost", port=PORT)
