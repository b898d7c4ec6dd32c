"""Chooses versions anew and writes the lock files: names and versions only, no addresses, no hashes of one index.

Run by `make lock`, with any Python that Penstock supports; needs the network, and changes nothing but the two files.
"""

import subprocess
import sys
import tempfile
import tomllib
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
DEVELOPMENT_EXTRAS = {"bench", "otel", "quantize"}
"""what no run needs, some of it a quarter of a gigabyte: locked with what developers have, through the group `dev`"""
HEADER = "# Made by `make lock`. Names and versions only: where they come from is the installer's to know.\n"


def frozen(python: Path, requirements: list[str]) -> list[str]:
    """What an environment holds after `requirements` were installed into it."""
    subprocess.run([python, "-m", "pip", "install", "--quiet", "--upgrade", *requirements], check=True)
    listed = subprocess.run([python, "-m", "pip", "freeze"], check=True, capture_output=True, text=True).stdout
    return [line for line in listed.splitlines() if "==" in line]


def main() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    with tempfile.TemporaryDirectory() as folder:
        venv.create(folder, with_pip=True)
        python = Path(folder) / "bin" / "python"
        optional = project["project"]["optional-dependencies"]
        extras = [name for extra, names in optional.items() if extra not in DEVELOPMENT_EXTRAS for name in names]
        runtime = frozen(python, [*project["project"]["dependencies"], *extras])
        development = frozen(python, [*project["dependency-groups"]["dev"], *runtime])
    (ROOT / "requirements.lock").write_text(HEADER + "\n".join(runtime) + "\n", encoding="utf-8")
    only = [line for line in development if line not in runtime]
    (ROOT / "requirements-dev.lock").write_text(HEADER + "\n".join(only) + "\n", encoding="utf-8")
    print(f"{len(runtime)} packages to run, {len(only)} more to develop", file=sys.stderr)


if __name__ == "__main__":
    main()
