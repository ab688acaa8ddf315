"""Make the program's environment in ``.venv``: called by run.sh, test.sh and the .bat launchers with any Python ≥ 3.11.

1. Nothing to do (same requirements, same Python): returns at once, without the network.
2. Makes ``.venv``; where the distribution splits off venv (Debian: python3-venv), installs that package if it may
   (root with apt), else says which one is missing.
3. Installs the pinned requirements and, last, writes the stamp: an interrupted set-up is simply done again.

Only the standard library is used: this runs before anything is installed.
"""

import argparse
import ctypes
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
VENV = PROJECT / ".venv"
PYTHON = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
STAMP = VENV / "coxswain-requirements"


def fingerprint(files: list[Path]) -> str:
    """What the environment depends on: the pins and the Python that made it."""
    digest = hashlib.sha256(f"{sys.version_info[:2]}".encode())
    for file in files:
        digest.update(file.read_bytes().replace(b"\r\n", b"\n"))
    return digest.hexdigest()


def ready(wanted: list[str]) -> bool:
    """Whether every wanted fingerprint is in the stamp and the interpreter still starts."""
    if not (STAMP.exists() and PYTHON.exists()):
        return False
    have = STAMP.read_text(encoding="utf-8").split()
    return all(item in have for item in wanted)


def missing_system_packages() -> list[str]:
    """Debian packages that a bare Python lacks for us: venv's pip, and OpenMP's run-time library for LightGBM."""
    packages = []
    try:
        import ensurepip  # noqa: F401
    except ImportError:
        packages.append("python3-venv")
    if sys.platform.startswith("linux"):
        try:
            ctypes.CDLL("libgomp.so.1")
        except OSError:
            packages.append("libgomp1")
    return packages


def install_system_packages(packages: list[str]) -> None:
    """Install with apt as root; otherwise end with the command that a person must run."""
    names = " ".join(packages)
    apt = shutil.which("apt-get")
    if apt is None or not hasattr(os, "geteuid") or os.geteuid() != 0:
        raise SystemExit(f"This system lacks: {names}. Install, then start again:\n    sudo apt-get install -y {names}")
    print(f"Installing system packages: {names}", flush=True)
    quiet = dict(os.environ, DEBIAN_FRONTEND="noninteractive")
    subprocess.run([apt, "update", "-q"], check=False, env=quiet, stdout=subprocess.DEVNULL)
    if subprocess.run([apt, "install", "-y", "-q", "--no-install-recommends", *packages], env=quiet,
                      stdout=subprocess.DEVNULL).returncode:
        raise SystemExit(f"apt-get could not install: {names}. Install them by hand, then start again.")


def make_venv() -> None:
    """A fresh virtual environment with pip."""
    print("Making the environment in .venv", flush=True)
    if VENV.exists():
        shutil.rmtree(VENV)
    made = subprocess.run([sys.executable, "-m", "venv", str(VENV)], capture_output=True, text=True)
    if made.returncode:
        raise SystemExit(f"The environment could not be made:\n{made.stdout}{made.stderr}")


def install(file: Path) -> None:
    """Install one requirements file, with pip's own progress."""
    print(f"Installing {file.name} (a few minutes the first time)", flush=True)
    command = [str(PYTHON), "-m", "pip", "install", "--disable-pip-version-check", "-q", "-r", str(file)]
    if subprocess.run(command).returncode:
        raise SystemExit(f"pip could not install {file.name}: see its lines above. Is the network there? Then again.")


def main() -> int:
    """Entry: ``setup_env.py [--dev] [--run SCRIPT ARGUMENTS…]``."""
    parser = argparse.ArgumentParser(description="Make or renew the environment in .venv")
    parser.add_argument("--dev", action="store_true", help="also what the tests need")
    parser.add_argument("--run", nargs=argparse.REMAINDER, default=[], metavar="SCRIPT", help="then run this in it")
    options = parser.parse_args()
    make_environment(options.dev)
    if not options.run:
        return 0
    return subprocess.run([str(PYTHON), str(PROJECT / options.run[0]), *options.run[1:]], cwd=PROJECT).returncode


def make_environment(with_dev: bool) -> None:
    """Everything in the module's docstring; ends the process with a clear line where it cannot go on."""
    if sys.version_info < (3, 11):
        raise SystemExit(f"Python 3.11 or newer is needed; this is {sys.version.split()[0]} ({sys.executable}).")
    runtime, dev = PROJECT / "requirements.txt", PROJECT / "requirements-dev.txt"
    target = dev if with_dev else runtime
    wanted = [fingerprint([runtime, dev])] if with_dev else [fingerprint([runtime])]
    if ready(wanted):
        return
    packages = missing_system_packages()
    if packages:
        install_system_packages(packages)
    version = f'"{sys.version_info[0]}.{sys.version_info[1]}"'
    probe = f"import sys; sys.exit('%d.%d' % sys.version_info[:2] != {version})"
    if not PYTHON.exists() or subprocess.run([str(PYTHON), "-c", probe]).returncode:
        make_venv()
    install(target)
    marks = [fingerprint([runtime])] + ([fingerprint([runtime, dev])] if with_dev else [])
    STAMP.write_text("\n".join(marks) + "\n", encoding="utf-8")


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
