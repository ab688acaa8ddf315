"""All settings of the program, typed and checked at start, every error named at once (P14).

Each room declares its own group in its ``settings.py``; this file only puts them together and reads them.
"""

from functools import partial
from pathlib import Path
from typing import Any, get_origin

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

from config import checks, sources
from config.checks import Origin
from modules.apikeys.settings import ApiKeySettings
from modules.backtest.settings import BacktestSettings, RsiSettings
from modules.backtest.ticks.settings import ImbalanceSettings, TickSettings
from modules.dashboard.settings import DashboardSettings
from modules.exchange.bitget_settings import BitgetSettings
from modules.exchange.feed.settings import FeedSettings
from modules.exchange.futures_settings import FuturesSettings
from modules.exchange.settings import ExchangeSettings
from modules.execution.risk_settings import RiskSettings
from modules.gridserver.settings import GridServerSettings
from modules.learning.settings import LearningSettings
from modules.sentiment.settings import SentimentSettings
from modules.simulator.settings import SimulatorSettings
from modules.storage.damage import StateError
from modules.storage.settings import DecisionSettings, RecorderSettings
from modules.storage.settings_versions import Versions
from modules.storage.sql.settings import DatabaseSettings
from modules.strategies.grid.live.settings import GridLiveSettings
from modules.strategies.grid.settings import GridSettings
from modules.strategies.hype.settings import HypeSettings
from modules.strategies.scalper.settings import ScalperSettings
from modules.strategies.showdown.adviser_settings import AdviserSettings
from modules.strategies.showdown.settings import ShowdownSettings
from modules.strategies.signals.settings import SignalSettings
from modules.supervision.settings import SupervisionSettings
from modules.telegram.settings import ReportSettings, TelegramSettings
from utils.compute import ComputeSettings
from utils.mistakes import wrong
from utils.paths import Paths
from utils.redact import register_secrets


class Settings(BaseModel):
    """Every group of settings."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    exchange: ExchangeSettings = Field(default_factory=ExchangeSettings)
    futures: FuturesSettings = Field(default_factory=FuturesSettings)
    feed: FeedSettings = Field(default_factory=FeedSettings)
    apikeys: ApiKeySettings = Field(default_factory=ApiKeySettings)
    sentiment: SentimentSettings = Field(default_factory=SentimentSettings)
    telegram: TelegramSettings = Field(default_factory=TelegramSettings)
    report: ReportSettings = Field(default_factory=ReportSettings)
    hype: HypeSettings = Field(default_factory=HypeSettings)
    showdown: ShowdownSettings = Field(default_factory=ShowdownSettings)
    adviser: AdviserSettings = Field(default_factory=AdviserSettings)
    grid: GridSettings = Field(default_factory=GridSettings)
    gridlive: GridLiveSettings = Field(default_factory=GridLiveSettings)
    bitget: BitgetSettings = Field(default_factory=BitgetSettings)
    gridserver: GridServerSettings = Field(default_factory=GridServerSettings)
    signals: SignalSettings = Field(default_factory=SignalSettings)
    scalper: ScalperSettings = Field(default_factory=ScalperSettings)
    risk: RiskSettings = Field(default_factory=RiskSettings)
    learning: LearningSettings = Field(default_factory=LearningSettings)
    backtest: BacktestSettings = Field(default_factory=BacktestSettings)
    rsi: RsiSettings = Field(default_factory=RsiSettings)
    ticks: TickSettings = Field(default_factory=TickSettings)
    imbalance: ImbalanceSettings = Field(default_factory=ImbalanceSettings)
    decisions: DecisionSettings = Field(default_factory=DecisionSettings)
    recorder: RecorderSettings = Field(default_factory=RecorderSettings)
    compute: ComputeSettings = Field(default_factory=ComputeSettings)
    simulator: SimulatorSettings = Field(default_factory=SimulatorSettings)
    db: DatabaseSettings = Field(default_factory=DatabaseSettings)
    supervision: SupervisionSettings = Field(default_factory=SupervisionSettings)
    dashboard: DashboardSettings = Field(default_factory=DashboardSettings)


class SettingsError(Exception):
    """Settings that cannot be used: `problems` has one line for each error, with its mend."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


def load_settings(paths: Paths, variables: dict[str, str] | None = None) -> Settings:
    """Read and check all settings. `variables` stands for the environment (default: the real one).

    Raises SettingsError with every problem found, not only the first.
    """
    errors: list[str] = []
    merged, origin = _merge(paths, variables, errors)
    valid: dict[str, BaseModel] = {}
    for group in {**Settings.model_fields, **merged}:  # one by one: an error in one hides none in another
        try:
            valid[group] = _section(group, merged.get(group, {}))
        except ValidationError as problem:
            errors.extend(_explain(group, problem, origin))
        except KeyError:
            where = next((origin[at] for at in origin if at[0] == group), "settings")
            errors.append(f"{where}: {group} is not a group of settings.{_near(group, '')}")
    errors.extend(checks.problems(valid, origin, partial(sources.written, Settings)))
    if errors:
        raise SettingsError(errors)
    settings = Settings.model_validate(valid)
    register_secrets(secrets(settings))
    return settings


def origins(paths: Paths, variables: dict[str, str] | None = None) -> Origin:
    """Which settings are not left to their default, and where they come from (for the doctor)."""
    return _merge(paths, variables, [])[1]


def _merge(paths: Paths, variables: dict[str, str] | None,
           errors: list[str]) -> tuple[dict[str, dict[str, Any]], Origin]:
    """The strongest value of each setting, and its source."""
    merged: dict[str, dict[str, Any]] = {}
    origin: Origin = {}
    for where, found in _sources(paths, variables, errors):
        for group, section in found.items():
            for field, value in section.items():
                merged.setdefault(group, {})[field] = value
                origin[(group, field)] = where
    return merged, origin


def secrets(settings: Settings) -> list[str]:
    """The secret values in use, for masking."""
    found: list[str] = []
    for group in Settings.model_fields:
        section = getattr(settings, group)
        for field in type(section).model_fields:
            value = getattr(section, field)
            if isinstance(value, SecretStr) and value.get_secret_value():
                found.append(value.get_secret_value())
    return found


def _sources(paths: Paths, variables: dict[str, str] | None,
             errors: list[str]) -> list[tuple[str, dict[str, dict[str, Any]]]]:
    """All sources, weakest first."""
    found: list[tuple[str, dict[str, dict[str, Any]]]] = []
    for name in ("config.yaml", "config.local.yaml"):
        found.append((name, sources.read_yaml(paths.config / name, errors)))
    found.append(_optimised(paths, errors))
    for file in dotenv_files(paths):
        where = file.relative_to(paths.home).as_posix() if file.is_relative_to(paths.home) else str(file)
        found.append((where, sources.from_env(Settings, sources.dotenv(file, where, errors), where, True, errors)))
    environment = variables if variables is not None else dict(sources.environment())
    found.append(("environment", sources.from_env(Settings, environment, "environment", False, errors)))
    return found


def _optimised(paths: Paths, errors: list[str]) -> tuple[str, dict[str, dict[str, Any]]]:
    """The applied versions of ``bot.py optimize``: stronger than YAML, weaker than ``.env``."""
    try:
        applied = Versions(paths).applied()
    except (StateError, OSError) as problem:
        errors.append(f"optimised settings: {problem}")
        return "optimised settings", {}
    found: dict[str, dict[str, Any]] = {}
    for name, value in applied.settings.items():
        group, _, field = name.partition(".")
        found.setdefault(group, {})[field] = value
    return f"optimised settings (version {applied.named()}; bot.py optimize rollback)", found


def dotenv_files(paths: Paths) -> list[Path]:
    """Where ``.env`` may lie, weakest first."""
    return [folder / ".env" for folder in (paths.config, paths.home)]


def _section(group: str, values: dict[str, Any]) -> BaseModel:
    """One group, validated. Raises KeyError for a group that does not exist, ValidationError."""
    model = Settings.model_fields[group].annotation
    assert isinstance(model, type) and issubclass(model, BaseModel)
    ready = dict(values)
    for field, value in values.items():
        info = model.model_fields.get(field)
        if info is not None and get_origin(info.annotation) is tuple:
            ready[field] = sources.listed(value)
    return model.model_validate(ready)


def _explain(group: str, problem: ValidationError, origin: Origin) -> list[str]:
    """Pydantic's errors as lines that name the setting, the value, its source and the mend."""
    lines: list[str] = []
    for error in problem.errors(include_url=False):
        path = [str(part) for part in error["loc"] if isinstance(part, str)]  # the value tells which one of a list
        field = path[0] if path else ""
        where = origin.get((group, field), "settings")
        name = ".".join([sources.written(Settings, group, field, where), *path[1:]]) if field else group
        if error["type"] == "extra_forbidden":
            lines.append(f"{where}: {name} is not a setting.{_near(group, field)}")
            continue
        info = _field(group, field)
        secret = info is None or info.annotation is SecretStr
        value = "" if secret else f" is {error['input']!r}"
        mend = f" ({info.description})" if info is not None and info.description else ""
        lines.append(f"{where}: {name}{value}: {wrong(error)}{mend}")
    return lines


def _field(group: str, field: str) -> Any:
    section = Settings.model_fields.get(group)
    model = section.annotation if section else None
    if isinstance(model, type) and issubclass(model, BaseModel):
        return model.model_fields.get(field)
    return None


def _near(group: str, field: str) -> str:
    known = {f"{g}.{f}": None for g, f in sources.names(Settings).values()}
    return sources.suggestion(f"{group}.{field}" if field else group, known)
