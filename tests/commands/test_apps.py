"""The list of apps that `learn.py`, the suite and the gallery share."""

from tools.apps import FOLDERS, app_folders, find_apps


def test_lists_the_apps_in_the_order_of_the_gallery():
    """The apps of FOLDERS come in that order, each with the next port."""
    apps = find_apps()

    assert [app.folder for app in apps][: len(FOLDERS)] == list(FOLDERS)
    assert [app.port for app in apps] == list(range(apps[0].port, apps[0].port + len(apps)))
    assert app_folders() == sorted(app.folder for app in apps)


def test_leaves_out_folders_that_are_no_apps_of_the_repository(tmp_path):
    """The reader's own exercises and the folders of the tools are not listed, even with an app.py in them."""
    for folder in ("fake_provider", "tests", "tools", "workshop", "my_login", "my_repairs", ".venv", "new_app"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "app.py").write_text('"""Shows a login."""\n', "utf-8")

    assert app_folders(tmp_path) == ["new_app"]
