"""Start a login that lacks one protection: `python workshop/broken_logins/run.py NAME`, while `python3 learn.py` runs.

Without a name it lists them. They are unsafe: attack them on this machine only, and copy nothing.
"""

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))  # this file is run by its path

from tools.places import ROOT  # noqa: E402

LOGINS = tomllib.loads((Path(__file__).parent / "logins.toml").read_text("utf-8"))
NOT_COPIED = shutil.ignore_patterns(".env", "__pycache__", "instance", "flask_session", "*.sqlite", "*.db")


def make(name, where):
    """Copy the app of this login to the folder `where`, remove its protection, and return the copy's folder."""
    login = LOGINS[name]
    home = where / login["app"]
    shutil.copytree(ROOT / login["app"], home, ignore=NOT_COPIED, dirs_exist_ok=True)
    for change in login["changes"]:
        file = home / change.get("file", "app.py")
        code = file.read_text("utf-8")
        if change["old"] not in code:
            raise ValueError(
                f"{name}: {file.name} of {login['app']} has changed; it no longer contains {change['old']!r}"
            )
        file.write_text(code.replace(change["old"], change["new"]), "utf-8")
    return home


def main(arguments):
    """List the logins, or start one of them; return the exit status."""
    if len(arguments) != 1 or arguments[0] not in LOGINS:
        print("Choose a login: python workshop/broken_logins/run.py NAME\n")
        for name, login in LOGINS.items():
            print(f"{name:<30}{login['flaw']}")
        return 0 if not arguments else 2
    login = LOGINS[arguments[0]]
    home = make(arguments[0], ROOT / ".learn" / "broken_logins" / arguments[0])
    print(f"UNSAFE on purpose. {login['flaw']}\nHow to attack it: {login['exploit']}")
    print(f"Attacks in docs/security.md that succeed: {', '.join(login['rows'])}")
    print(f"To fix it, change the code in {home.relative_to(ROOT)}, and run `python app.py` there.\n")
    try:
        return subprocess.run([sys.executable, "app.py"], cwd=home).returncode
    except KeyboardInterrupt:  # Ctrl-C has stopped the app too
        return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
