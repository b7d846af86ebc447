"""A site's `site.toml`, read once at the edge into frozen values. Unknown keys are errors."""

import hashlib
import tomllib
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, field_validator

from controller.errors import SettingsError


def _number(value: Any) -> Any:
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _utc(value: datetime) -> datetime:
    if value.tzinfo is None:
        raise ValueError("needs an offset, as in 2023-01-01T00:00:00Z")
    return value.astimezone(UTC)


Number = Annotated[float, BeforeValidator(_number), Field(allow_inf_nan=False)]


PlantModel = TypeVar("PlantModel", bound=BaseModel)


class StrictModel(BaseModel):
    """A table whose keys are all known, with no value converted silently. Base of a plant's own settings too."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class PlantSettings(StrictModel):
    """Which plant, and whether it is a simulation. The plant's own settings are `Site.plant_table`."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    kind: str
    simulated: bool = False
    start: datetime | None = None
    plugins: list[str] = Field(default_factory=list)

    @field_validator("start")
    @classmethod
    def _aware(cls, value: datetime | None) -> datetime | None:
        return None if value is None else _utc(value)


class IncumbentSettings(StrictModel):
    """The controller that runs the plant today."""

    kind: str


class CandidateSettings(StrictModel):
    """The bundle under shadow or rollout, and what its process may use."""

    bundle: str
    deadline_ms: Number = 1000.0
    max_rss_mb: Number = 512.0
    others: dict[str, str] = Field(default_factory=dict)


class StoreSettings(StrictModel):
    """Where records end up. A relative SQLite path lies in the state directory."""

    url: str = "sqlite:///store.sqlite"
    durability: Literal["process_kill", "power_loss"] = "process_kill"


class WebSettings(StrictModel):
    """Where API and console listen. Anything but loopback needs a proxy that speaks TLS in front."""

    host: str = "127.0.0.1"
    port: int = Field(default=8800, ge=0, le=65535)
    metrics_port: int = Field(default=8801, ge=0, le=65535)


class FilesSettings(StrictModel):
    """Where the site's other files are, relative to its folder."""

    envelope: str = "envelope.toml"
    certificate: str = "envelope.certificate"
    rollout: str = "rollout.toml"
    trust: str = "trust"


class SiteSettings(StrictModel):
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
            raise ValueError(f"unknown time zone `{value}`: give an IANA name, such as `Europe/Berlin`") from error
        return value


class Site(BaseModel):
    """A site's folder with its settings and the digest of the files that make it.

    `plant_table` is the table `[plant.<kind>]` as it was read, None without one; the plant's own model checks it.
    """

    model_config = ConfigDict(frozen=True)

    folder: Path
    settings: SiteSettings
    digest: str
    plant_table: dict[str, Any] | None = None

    @property
    def start_us(self) -> int:
        """Plant time at which a simulated plant begins, in microseconds UTC; 0 if `plant.start` is not given."""
        start = self.settings.plant.start
        return 0 if start is None else int(start.timestamp() * 1_000_000)

    def plant_settings(self, kind: str, model: type[PlantModel]) -> PlantModel:
        """The table `[plant.<kind>]` as the plant's own model.

        Raises:
            SettingsError: the site's plant is of another kind, the table is missing, or a key of it is wrong.
        """
        if self.settings.plant.kind != kind:
            raise SettingsError(
                f"the plant of site `{self.folder}` is of kind `{self.settings.plant.kind}`, not `{kind}`: name another site"
            )
        if self.plant_table is None and any(field.is_required() for field in model.model_fields.values()):
            raise SettingsError(f'`plant.kind = "{kind}"` needs a [plant.{kind}] table in site.toml')
        try:
            return model.model_validate(self.plant_table or {})
        except ValidationError as error:
            raise SettingsError(f"`{self.folder / 'site.toml'}`: {first_error(error, f'plant.{kind}')}") from error


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
        settings, plant_table = parse_site(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"`{path}` is not TOML: {error}") from error
    except ValidationError as error:
        raise SettingsError(f"`{path}`: {first_error(error)}") from error
    digest = _digest(folder, settings.files)
    return Site(folder=folder.resolve(), settings=settings, digest=digest, plant_table=plant_table)


def parse_site(table: Mapping[str, Any]) -> tuple[SiteSettings, dict[str, Any] | None]:
    """The settings of a parsed `site.toml`, and apart from them its table `[plant.<kind>]`, None without one.

    Raises pydantic's ValidationError.
    """
    plant = table.get("plant")
    kind = plant.get("kind") if isinstance(plant, dict) else None
    if not isinstance(plant, dict) or not isinstance(kind, str) or not isinstance(plant.get(kind), dict):
        return SiteSettings.model_validate(table), None
    rest = {key: value for key, value in plant.items() if key != kind}
    return SiteSettings.model_validate({**table, "plant": rest}), plant[kind]


def first_error(error: ValidationError, table: str = "") -> str:
    """The first thing pydantic found wrong, as `where`: what, given; `table` is where the model lies in the file."""
    first = error.errors()[0]
    where = ".".join(str(part) for part in (*filter(None, [table]), *first["loc"]))
    if first["type"] == "extra_forbidden":
        return f"unknown key `{where}`: remove it or fix its spelling"
    given = f", given `{first['input']}`" if isinstance(first.get("input"), str | int | float) else ""
    more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
    message = str(first["msg"]).removeprefix("Value error, ")
    return f"`{where}`: {message[0].lower()}{message[1:]}{given}{more}"


def _digest(folder: Path, files: FilesSettings) -> str:
    digest = hashlib.sha256()
    for name in ("site.toml", files.envelope, files.rollout):
        path = folder / name
        digest.update(name.encode() + b"\0" + (path.read_bytes() if path.exists() else b"") + b"\0")
    return digest.hexdigest()
