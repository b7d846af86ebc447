"""The reference page names every kind and every key; the generated pages are those of the shipped envelopes."""

from typing import get_args

import pytest

from safety.loading.spec import EnvelopeModel, load_envelope
from safety.loading.spec_inputs import PlausibilityModel, VoteModel
from safety.loading.spec_rules import AnyRule, RuleModel
from safety.tools.actions import make_page
from tests.paths import ROOT
from tests.safety.support.golden import FOLDER

PAGE = (ROOT / "docs" / "reference" / "envelope.md").read_text()
MODELS = get_args(get_args(AnyRule)[0])


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_every_kind_and_its_keys_are_on_the_page(model: type[RuleModel]) -> None:
    (kind,) = get_args(model.model_fields["kind"].annotation)
    row = next((line for line in PAGE.splitlines() if line.startswith(f"| `{kind}`")), "")
    own = set(model.model_fields) - set(RuleModel.model_fields) - {"kind"}
    named = row if kind != "spend_rate" else row + next(line for line in PAGE.splitlines() if "| `budget`" in line)
    assert {key for key in own if key not in named} == set()


@pytest.mark.parametrize("model", [EnvelopeModel, PlausibilityModel, VoteModel])
def test_every_key_of_the_file_is_on_the_page(model: type[EnvelopeModel]) -> None:
    assert {key for key in model.model_fields if key not in PAGE} == set()


@pytest.mark.parametrize("site", ["demo", "bidding-demo"])
def test_the_generated_page_is_that_of_the_shipped_envelope(site: str) -> None:
    """Written by `understudy envelope page`; a change of envelope, proof or case shows here."""
    pytest.importorskip("z3")
    path = FOLDER.sites / site / "envelope.toml"
    assert load_envelope(path).digest in (ROOT / "docs" / "reference" / f"envelope-{site}.md").read_text()
    made = make_page(path, FOLDER.cases, FOLDER.sites)
    assert made.passed
    assert "FAILED" not in made.made.decode()
    assert made.made.decode() == (ROOT / "docs" / "reference" / f"envelope-{site}.md").read_text()
