"""The pages hang together: links lead somewhere, words mean one thing, nothing of one machine is in them."""

import re
from pathlib import Path

import pytest

from safety.envelope import BINDS
from safety.values import Rung
from tests.docs.pages import ROOT, anchors, fences, links, name_of, pages, rows
from tests.language.glossary import terms

# Linked to, and added by a later change. What is here must be taken off.
COMING: tuple[str, ...] = ()
OUTSIDE = ("README.md", "glossary.md")
KINDS = ("tutorial", "how-to", "reference", "explanation")
ELSEWHERE = re.compile(
    r"pypi\.org|pythonhosted|anaconda\.org|docker\.io|ghcr\.io|quay\.io|npmjs|crates\.io"
    r"|(?<![\w.~])/(?:work|tmp|home|root|Users|mnt)/"
)


@pytest.mark.parametrize("page", pages(), ids=name_of)
def test_links_lead_somewhere(page: Path) -> None:
    for link in links(page):
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        name = target.relative_to(ROOT).as_posix()
        assert target.exists() or name in COMING, f"{name_of(page)} links to `{link}`, which is not there"
        if anchor and target.suffix == ".md" and target.exists():
            assert anchor in anchors(target), f"{name_of(page)}: `{name}` has no heading `#{anchor}`"


def test_released_feature_is_not_listed_as_planned() -> None:
    for name in COMING:
        assert not (ROOT / name).exists(), f"`{name}` is here: take it off COMING in tests/docs/test_pages.py"


def test_every_page_is_of_one_of_the_four_kinds() -> None:
    inside = [page.relative_to(ROOT / "docs") for page in pages() if page.is_relative_to(ROOT / "docs")]
    assert [str(page) for page in inside if page.parts[0] not in KINDS and str(page) not in OUTSIDE] == []


def test_every_page_is_reached_from_the_readme() -> None:
    found, waiting = set[Path](), [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        if page.suffix == ".md" and page.exists() and page not in found:
            found.add(page)
            waiting += [(page.parent / link.partition("#")[0]).resolve() for link in links(page)]
    inside = {page for page in pages() if page.is_relative_to(ROOT / "docs")}
    assert [name_of(page) for page in sorted(inside - found)] == []


def test_every_page_begins_with_its_title() -> None:
    for page in pages():
        assert page.read_text().startswith("# "), name_of(page)


def test_no_page_names_a_registry_or_a_local_path() -> None:
    for page in pages():
        found = ELSEWHERE.search(page.read_text())
        assert found is None, f"{name_of(page)}: `{found and found[0]}`"


@pytest.mark.parametrize("text", ["see https://pypi.org/project/x", "cd /home/me/understudy", "`/tmp/state`"])
def test_check_finds_a_registry_or_a_local_path(text: str) -> None:
    assert ELSEWHERE.search(text)


def test_python_shown_compiles() -> None:
    shown = [fence for page in pages() for fence in fences(page, "python")]
    assert shown
    for fence in shown:
        compile(fence.text, fence.where, "exec")


def test_the_glossary_defines_a_word_once() -> None:
    defined = [term.lower() for term in terms()]
    assert sorted(set(defined)) == sorted(defined)


def test_the_glossary_has_the_words_everything_rests_on() -> None:
    wanted = "plant subject signal setpoint incumbent candidate policy bundle rule envelope proposal verdict command decision"
    more = "action trajectory rollout stage gate check breaker trip override veto escape breach"
    assert set(f"{wanted} {more}".split()) <= set(terms())


def test_the_changelog_begins_with_what_is_unreleased() -> None:
    headings = re.findall(r"^## (.+)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert headings[:1] == ["Unreleased"]


def test_the_readme_gives_the_two_commands_that_the_makefile_has() -> None:
    readme, makefile = (ROOT / "README.md").read_text(), (ROOT / "Makefile").read_text()
    for verb in ("run", "test"):
        assert f"make {verb}" in readme
        assert re.search(rf"^{verb}:", makefile, re.MULTILINE)


def test_the_readmes_ladder_is_the_one_in_the_code() -> None:
    table = {row[0]: row[2] for row in rows((ROOT / "README.md").read_text()) if row[0] in set(Rung)}
    assert set(table) == {rung.value for rung in Rung}
    for rung, tiers in BINDS.items():
        assert tuple(re.findall(r"T\d", table[rung.value].split(";")[0])) == tuple(tier.name for tier in tiers)


def test_pages_named_in_code_are_there() -> None:
    sources = [ROOT / "Makefile"]
    for folder in ("controller", "safety", "shadow", "simulators", "migrations", "deploy", "benchmarks"):
        sources += [*(ROOT / folder).rglob("*.py"), *(ROOT / folder).rglob("*.toml")]
    named = {name for path in sources for name in re.findall(r"docs/[\w/-]+\.md", path.read_text())}
    assert named
    assert [name for name in sorted(named) if not (ROOT / name).exists() and name not in COMING] == []
