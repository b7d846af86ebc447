"""What the README shows is real: the example runs, and the rule and the map are those of the files."""

import re
import tomllib

from tests.docs.pages import ROOT, fences, links, name_of, pages

README = ROOT / "README.md"
MAP = ROOT / "docs" / "README.md"
DEMO = ROOT / "deploy" / "sites" / "demo" / "envelope.toml"


def test_readme_example_runs_and_figures_are_its() -> None:
    (shown,) = fences(README, "python")
    names: dict[str, object] = {}
    exec(compile(shown.text, shown.where, "exec"), names)
    env, observation = names["env"], names["observation"]
    text = README.read_text()
    floats, signals, setpoints = map(
        int, re.findall(r"\*\*Observation\*\*: (\d+) floats, (\d+) signals and (\d+) setpoints", text)[0]
    )
    assert observation.shape == (floats,)  # type: ignore[attr-defined]
    assert env.action_space.shape == (setpoints,)  # type: ignore[attr-defined]
    assert floats == signals + setpoints
    assert f"**Action**: {setpoints} floats" in text
    assert isinstance(names["reward"], float)


def test_readme_rule_is_the_demos() -> None:
    (shown,) = tomllib.loads(next(fences(README, "toml")).text)["rule"]
    assert shown in tomllib.loads(DEMO.read_text())["rule"]


def test_map_links_every_page_of_the_documentation() -> None:
    linked = [(MAP.parent / link.partition("#")[0]).resolve() for link in links(MAP)]
    inside = [page for page in pages() if page.is_relative_to(MAP.parent) and page != MAP]
    assert [name_of(page) for page in inside if page not in linked] == []
    assert sorted(str(page) for page in set(linked) if linked.count(page) > 1) == []
