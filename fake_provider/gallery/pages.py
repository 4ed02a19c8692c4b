"""The pages with an app's README and source, and with the documents that READMEs link to."""

from __future__ import annotations

import posixpath
from pathlib import Path
from urllib.parse import urlsplit

from flask import Blueprint, abort, render_template, send_file, url_for
from werkzeug.wrappers import Response

from .apps import GalleryApp, LearnGallery
from .markdown import render, title_of
from .source import read_files


def gallery_pages(gallery: LearnGallery) -> Blueprint:
    """Return the routes `/_read/PATH` and `/_source/FOLDER`."""
    routes = Blueprint("gallery", __name__)

    @routes.get("/_read/<path:path>")
    def document(path: str) -> Response | str:
        root = gallery.root() or abort(404)
        apps = gallery.listed_apps()
        readable = _readable(root, apps)
        if path not in readable:  # compared with a list of names, so that no path leads to another file
            abort(404)
        file = root / path
        if file.suffix == ".png":
            return send_file(file, mimetype="image/png", max_age=60)
        text = file.read_text("utf-8", "replace")
        app = next((app for app in apps if path == f"{app.folder}/README.md"), None)
        html = render(text, lambda link: _resolve(link, path, readable, apps))
        return render_template("read.html", title=title_of(text), html=html, app=app, **_neighbours(app, apps))

    @routes.get("/_source/<path:folder>")
    def source(folder: str) -> str:
        apps = gallery.listed_apps()
        app = next((app for app in apps if app.folder == folder), None) or abort(404)
        files = read_files(app.path, app.root / app.before if app.before else None, app.root)
        return render_template("source.html", app=app, files=files, **_neighbours(app, apps))

    return routes


def _readable(root: Path, apps: list[GalleryApp]) -> set[str]:
    """Return the paths of all files that may be read: documents, pictures, and the READMEs of the gallery's apps."""
    files = [root / "README.md", *root.glob("docs/*.md"), *root.glob("docs/pictures/*.png")]
    files += [app.path / "README.md" for app in apps]
    inside = [file for file in files if file.is_file() and file.resolve().is_relative_to(root)]
    return {file.relative_to(root).as_posix() for file in inside}


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


def _resolve(link: str, path: str, readable: set[str], apps: list[GalleryApp]) -> str | None:
    """Return the URL that a link of the document at `path` leads to, None when no page here shows its target."""
    parts = urlsplit(link)
    if parts.scheme in ("http", "https"):
        return link
    if parts.scheme or parts.netloc:
        return None
    fragment = f"#{parts.fragment}" if parts.fragment else ""
    if not parts.path:
        return fragment or None
    target = posixpath.normpath(posixpath.join(posixpath.dirname(path), parts.path))
    if target in readable:
        return url_for("gallery.document", path=target) + fragment
    folder = Path(target)
    found = next((app for app in apps if Path(app.folder) in (folder, folder.parent)), None)
    if found and folder.suffix == ".py":
        return url_for("gallery.source", folder=found.folder)
    if found and f"{found.folder}/README.md" in readable and folder.suffix == "":
        return url_for("gallery.document", path=f"{found.folder}/README.md")
    return None
