"""Start a login that lacks one protection: `python workshop/broken_logins/run.py NAME`, beside `python3 learn.py`.

Without a name it lists them. They are for breaking in, on this machine; nothing here may be copied.
"""

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))  # this file is run by its path

from tools.places import ROOT  # noqa: E402

LOGINS = tomllib.loads((Path(__file__).parent / "logins.toml").read_text("utf-8"))
LEAVE_BEHIND = shutil.ignore_patterns(".env", "__pycache__", "instance", "flask_session", "*.sqlite", "*.db")


def make(name, where):
    """Copy the app of this login to a folder and take its protection out. Returns the app's folder there."""
    login = LOGINS[name]
    home = where / login["app"]
    shutil.copytree(ROOT / login["app"], home, ignore=LEAVE_BEHIND, dirs_exist_ok=True)
    for change in login["changes"]:
        file = home / change.get("file", "app.py")
        code = file.read_text("utf-8")
        if change["old"] not in code:
            raise ValueError(f"{name}: {file.name} of {login['app']} has changed; it has no {change['old']!r} any more")
        file.write_text(code.replace(change["old"], change["new"]), "utf-8")
    return home


def main(arguments):
    """List the logins, or start one."""
    if len(arguments) != 1 or arguments[0] not in LOGINS:
        print("Choose one: python workshop/broken_logins/run.py NAME\n")
        for name, login in LOGINS.items():
            print(f"{name:<30}{login['says']}")
        return 0 if not arguments else 2
    login = LOGINS[arguments[0]]
    home = make(arguments[0], ROOT / ".learn" / "vulnerable" / arguments[0])
    print(f"UNSAFE, on purpose: {login['says']}\nTo break in: {login['try']}")
    print(f"It breaks {', '.join(login['rows'])} of docs/security.md. The code is in {home.relative_to(ROOT)}.\n")
    try:
        return subprocess.run([sys.executable, "app.py"], cwd=home).returncode
    except KeyboardInterrupt:  # Ctrl-C has ended the app as well
        return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
