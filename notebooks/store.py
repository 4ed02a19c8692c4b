"""Runs the notebooks and stores what they show, for whoever has changed one: `python notebooks/store.py [FILE …]`.

JupyterLab would store who has run them, with which Python and when; this stores none of it. Look at the diff
afterwards: the suite only checks that the same happens again.
"""

import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient

HERE = Path(__file__).parent
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


def main(files):
    """Run each file, or all."""
    for file in map(Path, files or sorted(HERE.glob("*.ipynb"))):
        notebook = nbformat.read(file, 4)
        client = NotebookClient(
            notebook, timeout=300, resources={"metadata": {"path": HERE}}, record_timing=False, coalesce_streams=True
        )
        client.execute()
        notebook.metadata = METADATA
        for cell in notebook.cells:
            cell.metadata = {name: value for name, value in cell.metadata.items() if name == "tags"}
        nbformat.write(notebook, file)
        print(f"{file.name}: {len(notebook.cells)} cells")


if __name__ == "__main__":
    main(sys.argv[1:])
