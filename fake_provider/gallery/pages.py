"""What can be read of an app without leaving the gallery: its README, its source, and the documents they link to."""

from __future__ import annotations

import posixpath
from pathlib import Path
from urllib.parse import urlsplit

from flask import Blueprint, abort, render_template, send_file, url_for
from werkzeug.wrappers import Response

from ..state.state import State
from .apps import GalleryApp, read_rows
from .markdown import render, title_of
from .source import ROOT, read_files


def gallery_pages(state: State) -> Blueprint:
    """Return the routes `/_read/PATH` and `/_source/FOLDER`."""
    routes = Blueprint("gallery", __name__)

    @routes.get("/_read/<path:path>")
    def document(path: str) -> Response | str:
        apps = read_rows(state.gallery)
        readable = _readable(apps)
        if path not in readable:  # a list of names, so that no name leads out of here
            abort(404)
        file = ROOT / path
        if file.suffix == ".png":
            return send_file(file, mimetype="image/png", max_age=60)
        text = file.read_text("utf-8", "replace")
        app = next((app for app in apps if path == f"{app.folder}/README.md"), None)
        html = render(text, lambda link: _target(link, path, readable, apps))
        return render_template("read.html", title=title_of(text), html=html, app=app, **_neighbours(app, apps))

    @routes.get("/_source/<path:folder>")
    def source(folder: str) -> str:
        apps = read_rows(state.gallery)
        app = next((app for app in apps if app.folder == folder), None) or abort(404)
        files = read_files(app.home, ROOT / app.before if app.before else None)
        return render_template("source.html", app=app, files=files, **_neighbours(app, apps))

    return routes


def _readable(apps: list[GalleryApp]) -> set[str]:
    """Return the names of all files that may be read: documents, pictures, and the READMEs of the gallery's apps."""
    files = [ROOT / "README.md", *ROOT.glob("docs/*.md"), *ROOT.glob("docs/pictures/*.png")]
    files += [app.home / "README.md" for app in apps]
    inside = [file for file in files if file.is_file() and file.resolve().is_relative_to(ROOT)]
    return {file.relative_to(ROOT).as_posix() for file in inside}


def _neighbours(app: GalleryApp | None, apps: list[GalleryApp]) -> dict[str, GalleryApp | int | None]:
    if app is None:
        return {"previous": None, "following": None, "place": None, "places": None}
    place = apps.index(app)
    following = apps[place + 1] if place + 1 < len(apps) else None
    return {
        "previous": apps[place - 1] if place else None,
        "following": following,
        "place": place + 1,
        "places": len(apps),
    }


def _target(link: str, path: str, readable: set[str], apps: list[GalleryApp]) -> str | None:
    """Return where a link of a document leads from here, or None when that cannot be shown."""
    address = urlsplit(link)
    if address.scheme in ("http", "https"):
        return link
    if address.scheme or address.netloc:
        return None
    fragment = f"#{address.fragment}" if address.fragment else ""
    if not address.path:
        return fragment or None
    wanted = posixpath.normpath(posixpath.join(posixpath.dirname(path), address.path))
    if wanted in readable:
        return url_for("gallery.document", path=wanted) + fragment
    folder = Path(wanted)
    found = next((app for app in apps if Path(app.folder) in (folder, folder.parent)), None)
    if found and folder.suffix == ".py":
        return url_for("gallery.source", folder=found.folder)
    if found and f"{found.folder}/README.md" in readable and folder.suffix == "":
        return url_for("gallery.document", path=f"{found.folder}/README.md")
    return None
