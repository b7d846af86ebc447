"""The envelope that has every kind of rule with every key, and what it is with one place written otherwise."""

from safety.envelope import Envelope
from safety.loading.spec import build_envelope, load_envelope, parse_model
from tests.safety.support.golden import CASES

PATH = CASES / "fuzz" / "envelope" / "good-every-kind.toml"
EVERY = load_envelope(PATH)


def every_with(was: str, becomes: str) -> Envelope:
    text = PATH.read_text()
    assert was in text
    return build_envelope(parse_model(text.replace(was, becomes, 1)))
