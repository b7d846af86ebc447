"""Every key that a site's files accept is on its reference page, and every key on the page is accepted."""

import tomllib
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from typing import Annotated, Any, get_args, get_origin

import pytest
from pydantic import BaseModel, TypeAdapter
from pydantic_core import PydanticUndefined

from controller.plants.registry import GROUP
from controller.rollout.checks import CheckSpec
from controller.rollout.spec import INSTANT_CAUSES, BreakerSpec, RolloutSpec
from controller.settings import SiteSettings, parse_site
from safety.loading.spec import EnvelopeModel
from safety.loading.spec_rules import AnyRule
from tests.docs.pages import REFERENCE, ROOT, documented, fences, inline_code, pages, rows, section

SETTINGS, ROLLOUT = REFERENCE / "settings.md", REFERENCE / "rollout.md"
Model = type[BaseModel]


def parts(annotation: Any) -> Iterator[Model]:
    """The models inside an annotation, through unions, lists and Annotated."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    elif get_origin(annotation) is Annotated:
        yield from parts(get_args(annotation)[0])
    else:
        for inner in get_args(annotation):
            yield from parts(inner)


def keys(model: Model, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Every key of a model and of the tables inside it, dotted, with its default."""
    for name, field in model.model_fields.items():
        inner = list(parts(field.annotation))
        if inner:
            for table in inner:
                yield from keys(table, f"{prefix}{name}.")
        else:
            yield prefix + name, field.default


def kind_of(model: Model) -> str:
    (kind,) = get_args(model.model_fields["kind"].annotation)
    return str(kind)


def own_keys(model: Model) -> set[str]:
    return set(model.model_fields) - {"kind"}


PLANTS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"][GROUP]
MODELS = {kind: EntryPoint(kind, where, GROUP).load().settings for kind, where in PLANTS.items()}
SITE_KEYS = dict(keys(SiteSettings))
for kind, model in MODELS.items():
    SITE_KEYS.update(keys(model, f"plant.{kind}."))


def test_site_toml_page_lists_exactly_the_keys() -> None:
    text = SETTINGS.read_text()
    assert set(documented(text)) == set(SITE_KEYS)


def test_defaults_on_the_page_are_those_of_the_code() -> None:
    shown = {row[0].strip("`"): row[1] for row in rows(SETTINGS.read_text()) if len(row) == 3}
    for key, default in SITE_KEYS.items():
        if default is PydanticUndefined:
            assert shown[key] in ("", "none"), f"`{key}` has no default"
        elif isinstance(default, bool):
            assert shown[key] == str(default).lower()
        elif isinstance(default, float):
            assert float(shown[key]) == default
        elif default is not None:
            assert shown[key].strip("`") == str(default), key


def test_every_key_of_rollout_toml_is_on_its_page() -> None:
    text = ROLLOUT.read_text()
    words = set(inline_code(text))
    plain = {name for name, field in RolloutSpec.model_fields.items() if not list(parts(field.annotation))}
    tables = {key for key, _ in keys(RolloutSpec) if key.startswith(("outcome.", "reset."))}
    assert plain | tables <= set(documented(text))
    (stage,) = parts(RolloutSpec.model_fields["stages"].annotation)
    assert set(stage.model_fields) <= words


@pytest.mark.parametrize("check", list(parts(CheckSpec)), ids=kind_of)
def test_a_check_is_on_the_page_with_its_keys(check: Model) -> None:
    row = next((row for row in rows(ROLLOUT.read_text()) if f"`{kind_of(check)}`" in row[0]), None)
    assert row is not None, f"docs/reference/rollout.md has no row for check `{kind_of(check)}`"
    assert set(inline_code(row[1])) == own_keys(check)


def test_breakers_are_on_the_page_with_their_keys_and_causes() -> None:
    words = set(inline_code(ROLLOUT.read_text()))
    wanted = {key for breaker in parts(BreakerSpec) for key in own_keys(breaker)}
    assert wanted | set(INSTANT_CAUSES) <= words


def test_how_to_lists_every_rule_kind_with_its_tiers() -> None:
    table = rows(section(ROOT / "docs" / "how-to" / "add-a-rule.md", "2. Choose kind and tier"))
    offered = {row[1].strip("`"): row[2] for row in table[1:]}
    assert offered == {kind_of(rule): ", ".join(tier.name for tier in rule.tiers) for rule in parts(AnyRule)}


def envelope_words() -> set[str]:
    """The code words of every page about the envelope."""
    found = sorted(REFERENCE.glob("envelope*.md"))
    if not found:
        pytest.skip("docs/reference/envelope.md is not written yet")
    return {word for page in found for word in inline_code(page.read_text())}


@pytest.mark.parametrize("rule", list(parts(AnyRule)), ids=kind_of)
def test_a_rule_kind_is_on_the_page_with_its_keys(rule: Model) -> None:
    assert {kind_of(rule)} | own_keys(rule) <= envelope_words()


def test_every_other_key_of_envelope_toml_is_on_its_page() -> None:
    wanted = set(EnvelopeModel.model_fields)
    for table in ("setpoint", "signal", "failsafe"):
        (model,) = parts(EnvelopeModel.model_fields[table].annotation)
        wanted |= set(model.model_fields)
    words = {word.strip("[]") for word in envelope_words()}
    assert wanted <= words


def tables() -> list[tuple[str, dict[str, Any]]]:
    return [(fence.where, tomllib.loads(fence.text)) for page in pages() for fence in fences(page, "toml")]


def test_every_toml_block_parses() -> None:
    assert tables()


def test_every_rule_shown_is_one_that_loads() -> None:
    adapter: TypeAdapter[Any] = TypeAdapter(AnyRule)
    shown = [rule for _, table in tables() for rule in table.get("rule", [])]
    assert shown
    for rule in shown:
        adapter.validate_python(rule).build()


def test_the_site_shown_is_one_that_loads() -> None:
    shown = [table for where, table in tables() if where.startswith("docs/reference/settings.md")]
    assert shown
    for table in shown:
        settings, plant_table = parse_site(table)
        MODELS[settings.plant.kind].model_validate(plant_table)
