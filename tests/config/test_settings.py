"""Settings: precedence, every error at once, no secret in any error."""

from pathlib import Path

import pytest

from config.reference import env_example, settings_page
from config.settings import Settings, SettingsError, load_settings, origins, secrets
from config.sources import names
from utils.paths import PROJECT, Paths
from utils.redact import redact

TOKEN = "123456789:AAFabcdefghijklmnopqrstuvwxyz012345"


def home(folder: Path, **files: str) -> Paths:
    """A state folder with config files: yaml, local, env."""
    paths = Paths(folder)
    paths.config.mkdir(exist_ok=True)
    for name, text in files.items():
        file = {"yaml": "config.yaml", "local": "config.local.yaml", "env": ".env"}[name]
        (paths.config / file).write_text(text, encoding="utf-8")
    return paths


def problems(paths: Paths, **variables: str) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        load_settings(paths, variables)
    assert str(caught.value) == "\n".join(caught.value.problems)
    return caught.value.problems


def test_nothing_set_is_the_simulated_exchange_and_no_telegram(tmp_path: Path) -> None:
    settings = load_settings(Paths(tmp_path), {})
    assert settings.exchange.name == "simulated" and not settings.telegram.token.get_secret_value()
    assert settings == Settings() and origins(Paths(tmp_path), {}) == {}


def test_environment_over_env_file_over_local_over_yaml(tmp_path: Path) -> None:
    paths = home(tmp_path,
                 yaml="hype:\n  trade_usdt: 1\n  max_open_trades: 11\n  max_token_usdt: 21\n  max_exposure_usdt: 31\n",
                 local="hype:\n  trade_usdt: 2\n  max_open_trades: 12\n  max_token_usdt: 22\n",
                 env="HYPE_TRADE_USDT=3\nexport HYPE_MAX_OPEN_TRADES='13'  # comment\n")
    hype = load_settings(paths, {"HYPE_TRADE_USDT": "4"}).hype
    assert (hype.trade_usdt, hype.max_open_trades, hype.max_token_usdt, hype.max_exposure_usdt) == (4, 13, 22, 31)
    assert origins(paths, {"HYPE_TRADE_USDT": "4"})[("hype", "trade_usdt")] == "environment"
    assert origins(paths, {})[("hype", "max_token_usdt")] == "config.local.yaml"
    (tmp_path / ".env").write_text("HYPE_TRADE_USDT=5\n", encoding="utf-8")
    assert load_settings(paths, {}).hype.trade_usdt == 5
    assert origins(paths, {})[("hype", "trade_usdt")] == ".env"
    assert origins(paths, {})[("hype", "max_open_trades")] == "config/.env"


def test_every_error_of_every_source_is_named_at_once(tmp_path: Path) -> None:
    paths = home(tmp_path, yaml="hype:\n  trade_usdtt: 5\n  max_open_trades: none\nhipe:\n  x: 1\n",
                 local="- a list\n", env="HYPE_MIN_PRICE=-1\nTELEGRAM_TOKN=x\nrubbish\n")
    found = "\n".join(problems(paths, EXCHANGE="binanse", HYPE_MAX_EXPOSURE_USDTT="9", TELEGRM_OWNERS="1",
                               REPORT_TIMEZONE="Mars/Olympus"))
    for part in ("config.yaml: hype.trade_usdtt is not a setting. Did you mean hype.trade_usdt?",
                 "config.yaml: hype.max_open_trades is 'none'",
                 "config.yaml: hipe is not a group of settings.",
                 "config.local.yaml: must hold groups of settings",
                 "config/.env: HYPE_MIN_PRICE is '-1'",
                 "config/.env: TELEGRAM_TOKN is not a setting. Did you mean TELEGRAM_TOKEN?",
                 "config/.env: line 3 is not NAME=VALUE",
                 "environment: EXCHANGE is 'binanse'",
                 "environment: HYPE_MAX_EXPOSURE_USDTT is not a setting. Did you mean HYPE_MAX_EXPOSURE_USDT?",
                 "environment: TELEGRM_OWNERS is not a setting. Did you mean TELEGRAM_OWNERS?",
                 "environment: REPORT_TIMEZONE is 'Mars/Olympus': no such time zone"):
        assert part in found


@pytest.mark.parametrize("value", ["nan", "inf", "-inf", "Infinity", "1e999"])
def test_figures_are_finite(tmp_path: Path, value: str) -> None:
    [problem] = problems(Paths(tmp_path), HYPE_MAX_EXPOSURE_USDT=value)
    assert problem.startswith("environment: HYPE_MAX_EXPOSURE_USDT is ")


@pytest.mark.parametrize(("variables", "part"), [
    ({"EXCHANGE_BASE_URL": "localhost:8900"}, "EXCHANGE_BASE_URL is not an address"),
    ({"HEARTBEAT_URL": "ftp://x"}, "HEARTBEAT_URL is not an address"),
    ({"TELEGRAM_API_BASE": "http://"}, "TELEGRAM_API_BASE is not an address"),
    ({"REPORT_WEBHOOK_URL": "https://"}, "REPORT_WEBHOOK_URL is not an address"),
    ({"EXCHANGE_PROXY": "http://host:99999"}, "EXCHANGE_PROXY is not an address"),
    ({"REPORT_SMTP_URL": "smtp://mail.example.org"}, "REPORT_EMAIL_TO is empty"),
    ({"REPORT_EMAIL_TO": "me@example.org"}, "REPORT_SMTP_URL is empty"),
    ({"TELEGRAM_TOKEN": TOKEN}, "settings: TELEGRAM_OWNERS is empty, but a token is set: nobody would be served"),
    ({"TELEGRAM_TOKEN": "hello", "TELEGRAM_OWNERS": "1"}, "TELEGRAM_TOKEN is no bot token"),
    ({"TELEGRAM_TOKEN": TOKEN, "TELEGRAM_OWNERS": "1,-100123"}, "TELEGRAM_OWNERS holds -100123"),
    ({"TELEGRAM_TOKEN": TOKEN, "TELEGRAM_OWNERS": "5,@me"}, "TELEGRAM_OWNERS is '@me': must be a whole number"),
    ({"EXCHANGE_API_KEY": "mx0key"}, "EXCHANGE_API_SECRET is empty"),
    ({"DB_URL": "oracle://u:p@h/d"}, "DB_URL is no address of a database that Coxswain knows"),
    ({"HYPE_TRADE_USDT": "600"}, "HYPE_TRADE_USDT is 600, more than hype.max_exposure_usdt (500): no trade would"),
    ({"EXCHANGE_CA_FILE": "nowhere.pem"}, "EXCHANGE_CA_FILE is 'nowhere.pem': no such file"),
])
def test_what_no_single_field_can_tell(tmp_path: Path, variables: dict[str, str], part: str) -> None:
    [problem] = problems(Paths(tmp_path), **variables)
    assert part in problem


def test_no_secret_is_in_any_error(tmp_path: Path) -> None:
    paths = home(tmp_path, yaml="telegram:\n  token: [s3cret-a\n", local="telegram:\n  token: {x: s3cret-b}\n")
    found = "\n".join(problems(paths, REPORT_WEBHOOK_URL="s3cret-c", REPORT_SMTP_URL="s3cret-d",
                                EXCHANGE_API_KEY="s3cret-e"))
    assert "s3cret" not in found
    assert "config.yaml: cannot be read (line 3, column 1:" in found


def test_secrets_in_use_are_masked_everywhere(tmp_path: Path) -> None:
    settings = load_settings(Paths(tmp_path), {"TELEGRAM_TOKEN": TOKEN, "TELEGRAM_OWNERS": "5",
                                               "EXCHANGE_API_KEY": "mx0abcdef", "EXCHANGE_API_SECRET": "deadbeef77"})
    assert sorted(secrets(settings)) == sorted([TOKEN, "mx0abcdef", "deadbeef77"])
    assert redact("deadbeef77") == "***" and TOKEN not in repr(settings)


def test_lists_and_empty_variables(tmp_path: Path) -> None:
    paths = home(tmp_path, yaml="hype:\n  tp_shares_fast_pct: [50, 30]\n")
    settings = load_settings(paths, {"TELEGRAM_OWNERS": " 1, 2 ", "TELEGRAM_VIEWERS": "[3]", "EXCHANGE": "",
                                     "HYPE_TRADE_USDT": "", "TELEGRAM_TOKEN": ""})
    assert settings.telegram.owners == (1, 2) and settings.telegram.viewers == (3,)
    assert settings.hype.tp_shares_fast_pct == (50, 30) and settings.exchange.name == "simulated"


def test_a_foreign_environment_disturbs_nothing(tmp_path: Path) -> None:
    load_settings(Paths(tmp_path), {"PATH": "/bin", "TELEGRAM_DESKTOP_I18N": "1", "HYPERION_HOME": "x",
                                    "EXCHANGE_RATES_KEY": "k"})


def test_unreadable_files_are_named(tmp_path: Path) -> None:
    paths = home(tmp_path)
    (paths.config / "config.yaml").write_bytes(b"\xff\xfe\x00")
    (paths.config / ".env").write_bytes(b"A=\xff\n")
    found = problems(paths)
    assert found[0].startswith("config.yaml: cannot be read")
    assert found[1].startswith("config/.env: cannot be read (it is not UTF-8")


def test_every_setting_has_a_name_of_its_own_and_a_description() -> None:
    count = sum(len(getattr(Settings(), group).__class__.model_fields) for group in Settings.model_fields)
    assert len(names(Settings)) == count
    for group in Settings.model_fields:
        for field, info in type(getattr(Settings(), group)).model_fields.items():
            assert info.description, f"{group}.{field}"


def test_the_reference_is_current() -> None:
    mend = "run: python bot.py settings --write"
    assert (PROJECT / "docs" / "SETTINGS.md").read_text(encoding="utf-8") == settings_page(), mend
    assert (PROJECT / "config" / ".env.example").read_text(encoding="utf-8") == env_example(), mend


def test_the_example_taken_literally_is_valid_and_changes_nothing(tmp_path: Path) -> None:
    lines = [line[1:] if line.startswith("#") and not line.startswith("# ") else line
             for line in env_example().splitlines()]
    paths = home(tmp_path, env="\n".join(lines))
    assert load_settings(paths, {}) == Settings()
