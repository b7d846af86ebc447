"""The language of code, messages and pages has no faults beyond those allowed, and the checks find what they must."""

import textwrap

import pytest

from tests.language import check, glossary
from tests.language.texts import File, Text, files, read_python, sentences, words


def kinds(source: str) -> list[str]:
    """The kinds of faults in a Python source."""
    return sorted(fault.kind for fault in check.faults_of(read_python("x.py", textwrap.dedent(source))))


@pytest.mark.timeout(600)
def test_no_file_has_more_faults_than_allowed() -> None:
    faults = check.over(check.all_faults(), check.read_allowance())
    assert not faults, "\n".join(map(str, faults))


def test_the_allowance_names_only_known_kinds() -> None:
    known = {"idiom", "name", "opening", "sentence", "test name"}
    assert {kind for _, kind in check.read_allowance()} <= known


def test_every_idiom_has_a_replacement() -> None:
    assert all(idiom.write for idiom in (*check.lists().idioms, *check.lists().openings))
    assert all(check.lists().names.values())


@pytest.mark.parametrize(
    "phrase",
    [
        "Mend one of them.",
        "the signal is unwell",
        "a poke",
        "a stranger",
        "somebody else",
        "whoever acts",
        "it lives through the night",
        "the plant is told 3 C",
        "19 is no value it can take",
        "it is no spool",
        "An old ledger is none.",
        "of its own accord",
        "insists on it",
        "takes its good name",
        "the candidate has lost the plant",
    ],
)
def test_an_idiom_is_found_in_every_kind_of_text(phrase: str) -> None:
    page = File("x.md", (Text("page", 1, f"# T\n\n{phrase}"),))
    assert [(fault.kind, fault.line) for fault in check.faults_of(page)] == [("idiom", 3)]
    assert kinds(f'x = "{phrase}"') == ["idiom"]
    assert kinds(f'x = f"{{1}} {phrase}"') == ["idiom"]
    assert kinds(f"x = 1  # {phrase}") == ["idiom"]
    assert kinds(f'"""{phrase}"""') == ["idiom"]


@pytest.mark.parametrize("phrase", ["It is None.", "there is no such file", "in practice", "it is well below 3"])
def test_plain_phrases_pass(phrase: str) -> None:
    assert kinds(f'"""{phrase}"""') == []


def test_an_idiom_is_found_in_a_test_name() -> None:
    assert kinds("def test_it_lives_through_a_day(): ...") == ["idiom"]


@pytest.mark.parametrize(
    "source",
    [
        "def told(): ...",
        "klass = 1",
        "def f(said): ...",
        "class Desk: ...",
        "self.asked = 1",
        "for became in x: ...",
        "_unwell = 1",
    ],
)
def test_a_forbidden_name_is_found(source: str) -> None:
    assert kinds(source) == ["name"]


def test_a_longer_word_is_not_a_forbidden_name() -> None:
    assert kinds("dwell = 1\ncardboard = 2\nmending_time = 3") == []


def test_the_opening_of_a_function_is_checked() -> None:
    assert kinds('def f():\n    """What came from there."""') == ["opening"]
    assert kinds('class F:\n    """What came from there."""') == []


def test_a_test_name_has_ten_words_at_most() -> None:
    assert kinds("def test_a_b_c_d_e_f_g_h_i_j(): ...") == []
    assert kinds("def test_a_b_c_d_e_f_g_h_i_j_k(): ...") == ["test name"]


def test_a_sentence_has_35_words_at_most() -> None:
    long = "One " + "word " * 34 + "more."
    assert kinds(f'"""{long}"""') == ["sentence"]
    assert kinds(f'"""{long.replace("word ", "", 1)}"""') == []
    assert kinds(f'x = "{long}"') == []


PAGE = """# Title

First one, with `some code`. Second
one.

| a | b |
|---|---|

```sh
x. Y z.
```

* An item.
  Its end.
* Next.
"""


def test_sentences_leave_out_code_tables_and_headings() -> None:
    first = [(3, "First one, with `some code`."), (3, "Second one.")]
    assert list(sentences(Text("page", 1, PAGE))) == [*first, (13, "An item."), (14, "Its end."), (15, "Next.")]
    assert words("First one, with `some code` - [a link](x/y.md).") == 6


def test_the_allowance_goes_down_only() -> None:
    allowance = {("a.py", "idiom"): 2, ("a.py", "name"): 1}
    assert check.grown({("b.py", "idiom"): 2}, allowance) == {}
    assert check.grown({("a.py", "idiom"): 2, ("b.py", "idiom"): 1}, allowance) == {"idiom": 1}
    assert check.grown({("a.py", "sentence"): 1}, allowance) == {"sentence": 1}


def test_every_file_over_its_allowance_is_shown() -> None:
    faults = [check.Fault("a.py", line, "idiom", "") for line in (1, 2)]
    assert check.over(faults, {("a.py", "idiom"): 2}) == []
    assert check.over(faults, {("a.py", "idiom"): 1}) == faults


def test_the_glossary_covers_what_is_used() -> None:
    assert glossary.faults() == []


def test_a_value_that_the_glossary_lacks_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(glossary.SEEN_BY_OPERATORS, "source", {"incumbent", "candidate", "operator", "oracle"})
    assert glossary.faults() == ["`oracle` (source) is not explained"]


def test_texts_of_others_are_not_read() -> None:
    names = {path.as_posix() for path in files()}
    assert names
    assert not [name for name in names if "/vendor/" in name]
