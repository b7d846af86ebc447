"""A site's `site.toml`, read once at the edge into frozen values. Unknown keys are errors."""

import hashlib
import tomllib
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, field_validator, model_validator

from controller.errors import SettingsError


def _number(value: Any) -> Any:
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _utc(value: datetime) -> datetime:
    if value.tzinfo is None:
        raise ValueError("needs an offset, as in 2023-01-01T00:00:00Z")
    return value.astimezone(UTC)


Number = Annotated[float, BeforeValidator(_number), Field(allow_inf_nan=False)]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class CoolingSettings(_Model):
    """The simulated cooling plant: which weather it lives in, how large it is, when it starts."""

    weather: str
    load: str = "mixed"
    zones: int = Field(ge=1, le=200)
    start: datetime
    hard_low_c: Number
    hard_high_c: Number
    soft_high_c: Number
    best_static: dict[str, Number]

    @field_validator("start")
    @classmethod
    def _aware(cls, value: datetime) -> datetime:
        return _utc(value)

    @model_validator(mode="after")
    def _limits_in_order(self) -> Self:
        if not self.hard_low_c < self.soft_high_c <= self.hard_high_c:
            given = f"{self.hard_low_c:g}, {self.soft_high_c:g}, {self.hard_high_c:g}"
            raise ValueError(f"want `hard_low_c` < `soft_high_c` <= `hard_high_c`, given {given}: put them in order")
        return self


class BiddingSettings(_Model):
    """The simulated advertiser account: which campaigns, in which world, and when its cost counts as a breach.

    `account` names the draw of the campaigns, so that runs of every seed are days of the same account. The advertiser's
    credit is what all campaigns may spend in `credit_days` days; a day may not cost more than their budgets together.
    """

    scenario: str
    account: int = Field(ge=0)
    campaigns: int = Field(ge=1, le=1000)
    impressions_per_day: Annotated[Number, Field(gt=0)]
    hard_cost_ratio: Annotated[Number, Field(ge=1)]
    hard_from_frac: Annotated[Number, Field(ge=0, le=1)]
    credit_days: Annotated[int, Field(ge=1)] = 90


Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]


class PushedCost(_Model):
    """What shall be small, as `name`, `unit` and `label`; the signal `per_hour_signal` says how much of it accrues per hour."""

    name: Name
    unit: str
    label: str
    per_hour_signal: str


class PushedGuard(_Model):
    """What must not grow: minutes times how far the highest of `signals` is `above` a value; `unit` is theirs times minutes."""

    name: Name
    unit: str
    label: str
    signals: list[str] = Field(min_length=1)
    above: Number


class PushSettings(_Model):
    """A plant that keeps its own loop: what it costs by the signals it sends, and when it is outside its limits."""

    cost: PushedCost
    guards: list[PushedGuard] = Field(default_factory=list)
    covariate_signals: list[str] = Field(default_factory=list)
    limits: dict[str, Annotated[tuple[Number, Number], Field(strict=False)]] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _renamed(cls, value: Any) -> Any:
        if isinstance(value, dict) and "power_signal" in value:
            raise ValueError("`power_signal` is now `cost.per_hour_signal`: write a table [plant.push.cost]")
        return value

    @field_validator("limits")
    @classmethod
    def _low_below_high(cls, value: dict[str, tuple[float, float]]) -> dict[str, tuple[float, float]]:
        for name, (low, high) in value.items():
            if low > high:
                raise ValueError(f"the low limit of `{name}`, {low:g}, is above the high one, {high:g}: swap them")
        return value


class PlantSettings(_Model):
    """Which plant, and whether it is a simulation. `kind` is built in or the name of an allow-listed entry point."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    kind: str
    simulated: bool = False
    start: datetime | None = None
    plugins: list[str] = Field(default_factory=list)
    cooling: CoolingSettings | None = None
    bidding: BiddingSettings | None = None
    push: PushSettings | None = None
    options: dict[str, Any] = Field(default_factory=dict)

    @field_validator("start")
    @classmethod
    def _aware(cls, value: datetime | None) -> datetime | None:
        return None if value is None else _utc(value)


class IncumbentSettings(_Model):
    """The controller that runs the plant today."""

    kind: str


class CandidateSettings(_Model):
    """The bundle under shadow or rollout, and what its process may use."""

    bundle: str
    deadline_ms: Number = 1000.0
    max_rss_mb: Number = 512.0
    others: dict[str, str] = Field(default_factory=dict)


class StoreSettings(_Model):
    """Where records end up. A relative SQLite path lies in the state directory."""

    url: str = "sqlite:///store.sqlite"
    durability: Literal["process_kill", "power_loss"] = "process_kill"


class WebSettings(_Model):
    """Where API and console listen. Anything but loopback needs a proxy that speaks TLS in front."""

    host: str = "127.0.0.1"
    port: int = Field(default=8800, ge=0, le=65535)
    metrics_port: int = Field(default=8801, ge=0, le=65535)


class FilesSettings(_Model):
    """Where the site's other files are, relative to its folder."""

    envelope: str = "envelope.toml"
    certificate: str = "envelope.certificate"
    rollout: str = "rollout.toml"
    trust: str = "trust"


class SiteSettings(_Model):
    """The whole file."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    timezone: str
    plant: PlantSettings
    incumbent: IncumbentSettings
    candidate: CandidateSettings
    store: StoreSettings = StoreSettings()
    web: WebSettings = WebSettings()
    files: FilesSettings = FilesSettings()
    deadbands: dict[str, Number] = Field(default_factory=dict)
    demo_speed: Number = 1.0

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise ValueError(f"`{value}` is no IANA time zone, as `Europe/Berlin` is one") from error
        return value


class Site(BaseModel):
    """A site's folder with its settings and the digest of the files that make it."""

    model_config = ConfigDict(frozen=True)

    folder: Path
    settings: SiteSettings
    digest: str

    @property
    def start_us(self) -> int:
        """Plant time at which a simulated plant begins [us]."""
        plant = self.settings.plant
        start = plant.cooling.start if plant.cooling is not None else plant.start
        return 0 if start is None else int(start.timestamp() * 1_000_000)


def load_site(folder: Path) -> Site:
    """The site of a folder. Raises SettingsError with one clear sentence."""
    path = folder / "site.toml"
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise SettingsError(
            f"site `{folder}`: `site.toml` cannot be read ({error.strerror}): give the folder of a site"
        ) from error
    except UnicodeDecodeError as error:
        raise SettingsError(f"`{path}` is not UTF-8 text (byte {error.start}): save it as UTF-8") from error
    try:
        settings = SiteSettings.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"`{path}` is not TOML: {error}") from error
    except ValidationError as error:
        raise SettingsError(f"`{path}`: {first_error(error)}") from error
    return Site(folder=folder.resolve(), settings=settings, digest=_digest(folder, settings.files))


def first_error(error: ValidationError) -> str:
    """The first thing pydantic found wrong, as `where`: what, given."""
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        return f"`{where}` is no known key: remove it or mend its spelling"
    given = f", given `{first['input']}`" if isinstance(first.get("input"), str | int | float) else ""
    more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
    said = str(first["msg"]).removeprefix("Value error, ")
    return f"`{where}`: {said[0].lower()}{said[1:]}{given}{more}"


def _digest(folder: Path, files: FilesSettings) -> str:
    digest = hashlib.sha256()
    for name in ("site.toml", files.envelope, files.rollout):
        path = folder / name
        digest.update(name.encode() + b"\0" + (path.read_bytes() if path.exists() else b"") + b"\0")
    return digest.hexdigest()
