"""``bot.py doctor``: what is wrong, and how to mend it. Looks, and changes nothing.

Exit code 1 if anything is bad; 0 if all is well or only worth a thought.
"""

import asyncio
import json
import os
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed

from pydantic import SecretStr

from config import doctor_net, doctor_state
from config.finding import Finding
from config.reference import groups
from config.settings import Settings, SettingsError, dotenv_files, load_settings, origins
from config.sources import env_name
from modules.strategies.scalper.beside import apart, apart_words
from utils.paths import PROJECT, Paths
from utils.redact import redact
from utils.version import describe, version

_SIGNS = {"ok": "ok  ", "warn": "WARN", "bad": "BAD "}


def command(paths: Paths, as_json: bool) -> int:
    """Examine and print; returns the exit code."""
    findings = examine(paths)
    bad = sum(1 for finding in findings if finding.verdict == "bad")
    if as_json:
        report = {"ok": not bad, "version": version(), "findings": [
            {"what": f.what, "verdict": f.verdict, "text": redact(f.text), "mend": redact(f.mend)} for f in findings]}
        sys.stdout.write(json.dumps(report, ensure_ascii=False) + "\n")
    else:
        sys.stdout.write("".join(_line(finding) for finding in findings))
        warned = sum(1 for finding in findings if finding.verdict == "warn")
        sys.stdout.write(f"\n{describe()}: {bad} bad, {warned} worth a thought, {len(findings)} looked at.\n")
    return 1 if bad else 0


def examine(paths: Paths) -> list[Finding]:
    """Every finding. Without usable settings, only what does not depend on them."""
    found = [*_packages(), *doctor_state.disk(paths)]
    try:
        settings = load_settings(paths)
    except SettingsError as errors:
        explained = "docs/SETTINGS.md explains every setting"
        found += [Finding("settings", "bad", line, explained) for line in errors.problems]
        found += doctor_state.files(paths)
        return found
    found.append(Finding("settings", "ok", _summary(settings)))
    if apart(settings.feed.venue, settings.futures.name):
        words = apart_words(settings.feed.venue, settings.futures.name)
        found.append(Finding("settings", "warn", f"{words['what']}. {words['why']}", words["todo"]))
    found += _sources(paths)
    found += doctor_state.files(paths)
    found += doctor_state.models(paths)
    found += doctor_state.processes(paths, settings)
    found += asyncio.run(doctor_net.examine(paths, settings))
    return found


def _summary(settings: Settings) -> str:
    telegram = f"Telegram with {len(settings.telegram.owners)} owner(s)" if settings.telegram.owners else "console only"
    return f"exchange {settings.exchange.name}, {telegram}, reports in {settings.report.timezone}"


def _sources(paths: Paths) -> Iterator[Finding]:
    """What is set, and from where; secrets kept where others can read them."""
    origin = origins(paths)
    told = [f"{group}.{field} ({where})" for (group, field), where in sorted(origin.items())]
    yield Finding("settings", "ok", f"set: {', '.join(told)}" if told else "all at their defaults")
    for group, model in groups():
        for field, info in model.model_fields.items():
            if info.annotation is SecretStr and origin.get((group, field), "").endswith(".yaml"):
                yield Finding("settings", "warn", f"the secret {group}.{field} stands in {origin[(group, field)]}",
                              f"Move it to .env as {env_name(group, field, info)}")
    for file in dotenv_files(paths):
        if os.name != "nt" and file.exists() and file.stat().st_mode & 0o077:
            yield Finding("settings", "warn", f"{file} can be read by other users", f"chmod 600 {file}")


def _packages() -> Iterator[Finding]:
    """Whether what is installed is what was tested."""
    other = []
    pins = (PROJECT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    for line in pins:
        name, sign, pin = line.partition("==")
        if not sign or line.startswith("#"):
            continue
        try:
            have = installed(name)
        except PackageNotFoundError:
            yield Finding("packages", "bad", f"{name} is not installed", "Start by scripts/run.sh or the .bat files")
            continue
        if have != pin.strip():
            other.append(f"{name} {have} (tested with {pin.strip()})")
    if other:
        yield Finding("packages", "warn", ", ".join(other), "scripts/run.sh installs the tested ones")
    else:
        yield Finding("packages", "ok", "as tested")


def _line(finding: Finding) -> str:
    mend = f"\n       → {finding.mend}" if finding.mend else ""
    return redact(f"{_SIGNS[finding.verdict]} {finding.what}: {finding.text}{mend}\n")
