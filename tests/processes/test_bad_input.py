"""Bad input gets one line on standard error that says what to do, exit code 2, and nothing is lost."""

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from typer.testing import CliRunner

from controller import bootstrap
from controller.cli import app
from controller.cli.plan import RunOptions, plan_run
from controller.policies.bundle import write_bundle
from controller.policies.manifest import read_manifest
from controller.policies.trust import write_public
from migrations import upgrade
from tests.loop.loop_fixture import DEMO, ROOT, certify, site_copy
from tests.loop.scripted_candidates import hall, play

PACKAGES = ("controller", "safety", "shadow", "simulators", "migrations")
Breaks = Callable[[Path], None]


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The state directory of a finished run of the demo, ten minutes long."""
    folder = tmp_path_factory.mktemp("lived") / "state"
    plan = plan_run(RunOptions(DEMO, "10m", "", 1, "", True, folder), bootstrap.load(DEMO))
    plan.prepare()
    upgrade(plan.store_url)
    with hall(folder, driving=False) as running:
        play(running, 2)
    (folder / "report.json").write_text("{}")
    plan.finished()
    return folder


@pytest.fixture
def state(lived: Path, tmp_path: Path) -> Iterator[Path]:
    """A copy of it, which must be found as it was."""
    copy = tmp_path / "state"
    shutil.copytree(lived, copy)
    before = digests(copy)
    yield copy
    assert digests(copy) == before


def digests(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def refused(*words: str | Path) -> str:
    """What a command that must be refused says."""
    said = CliRunner().invoke(app, [str(word) for word in words])
    assert said.exit_code == 2, said.output
    assert isinstance(said.exception, SystemExit), said.exception
    assert said.stdout == ""
    (line,) = said.stderr.splitlines()
    assert line.startswith("understudy: ")
    return line


def run(site: Path, state: Path, *more: str) -> str:
    return refused("run", "--site", site, "--state", state, "--headless", "--for", "10m", *more)


def edit(name: str, old: str, new: str, count: int = 1) -> Breaks:
    """A change of one of the site's files."""

    def change(site: Path) -> None:
        text = (site / name).read_text()
        assert old in text
        (site / name).write_text(text.replace(old, new, count))

    return change


def remove(name: str) -> Breaks:
    return lambda site: (site / name).unlink()


def write(name: str, content: bytes) -> Breaks:
    return lambda site: void((site / name).write_bytes(content))


def void(_: object) -> None:
    """Nothing is made of it."""


def rename_kind(site: Path) -> None:
    edit("site.toml", '"cooling"', '"heating"')(site)
    edit("site.toml", "[plant.cooling", "[plant.heating", count=2)(site)


def without_table(site: Path) -> None:
    """Take out `[plant.cooling]` and its inner table."""
    text = (site / "site.toml").read_text()
    before, rest = text.split("[plant.cooling]")
    (site / "site.toml").write_text(before + "[incumbent]" + rest.split("[incumbent]")[1])


FILES: dict[str, tuple[Breaks, tuple[str, ...]]] = {
    "no site.toml": (remove("site.toml"), ("`site.toml` cannot be read", "give the folder of a site")),
    "site.toml is not TOML": (write("site.toml", b"name = \n"), ("site.toml` is not TOML",)),
    "site.toml is not text": (write("site.toml", b"name = '\xff'"), ("not UTF-8", "save it as UTF-8")),
    "unknown key in site.toml": (
        edit("site.toml", 'kind = "cooling"', 'kind = "cooling"\ncolour = "red"'),
        ("`plant.colour`", "remove it"),
    ),
    "a time without an offset": (
        edit("site.toml", "00:00:00Z", "00:00:00"),
        ("`plant.start`", "needs an offset"),
    ),
    "a cooling plant without a start": (
        edit("site.toml", "start = 2023-01-01T00:00:00Z", ""),
        ("`plant.start` is missing",),
    ),
    "an unknown time zone": (edit("site.toml", "America/New_York", "Mars/Base"), ("`Mars/Base`", "`Europe/Berlin`")),
    "hard limits reversed": (
        edit("site.toml", "hard_high_c = 32.0", "hard_high_c = 12.0"),
        ("`hard_low_c` < `soft_high_c` <= `hard_high_c`", "given 15, 27, 12", "put them in order"),
    ),
    "an unknown plant kind": (
        rename_kind,
        ("`heating` is none of bidding, cooling, push", "list it in `plant.plugins`"),
    ),
    "another kind's table": (edit("site.toml", '"cooling"', '"bidding"'), ("`plant.cooling`", "remove it")),
    "no table of the plant": (without_table, ("needs a [plant.cooling] table",)),
    "unknown key of the plant": (
        edit("site.toml", "zones = 4", "zones = 4\ncolour = 1"),
        ("site.toml`: `plant.cooling.colour`", "remove it"),
    ),
    "a wrong value of the plant": (
        edit("site.toml", "zones = 4", "zones = 0"),
        ("site.toml`: `plant.cooling.zones`", "greater than or equal to 1", "given `0`"),
    ),
    "another plant's incumbent": (edit("site.toml", "trim_and_respond", "pid_pacing"), ("`pid_pacing`", "use `trim")),
    "a missing weather file": (
        edit("site.toml", 'weather = "greensboro"', 'weather = "atlantis.epw"'),
        ("`atlantis.epw` does not exist", "give the path of"),
    ),
    "a weather file of another kind": (
        edit("site.toml", 'weather = "greensboro"', f'weather = "{DEMO / "site.toml"}"'),
        ("ends in `.toml`", "known are .epw"),
    ),
    "a deadband of nothing": (edit("site.toml", "tower_c = 1.0", "towr_c = 1.0"), ("`deadbands.towr_c`", "tower_c")),
    "a static baseline that forgets a setpoint": (
        edit("site.toml", "\nchws_c = 12.84", ""),
        ("best_static", "chws_c"),
    ),
    "a store of another make": (
        edit("site.toml", "sqlite:///store.sqlite", "mysql://there/it"),
        ("the store's URL is of `mysql`", "want `sqlite:///FILE` or `postgresql+psycopg://...`"),
    ),
    "no envelope.toml": (remove("envelope.toml"), ("envelope.toml` cannot be read", "give the path")),
    "envelope.toml is not TOML": (write("envelope.toml", b"[["), ("envelope.toml` is not understood",)),
    "unknown key in envelope.toml": (
        edit("envelope.toml", "hold_max_s = 600", "hold_max_s = 600\nenabled = false"),
        ("`enabled`", "envelope.toml"),
    ),
    "an envelope's limits reversed": (
        edit("envelope.toml", "low = 16\nhigh = 26", "low = 26\nhigh = 16"),
        ("SUPPLY-BOUND", "above", "swap"),
    ),
    "a setpoint without a rule": (
        edit("envelope.toml", 'setpoint = "tower_c"', 'setpoint = "chws_c"', count=9),
        ("tower_c",),
    ),
    "an envelope for another plant": (edit("envelope.toml", '"hall"', '"barn"'), ("plant `barn`", "`hall`")),
    "an envelope nobody proved": (remove("envelope.certificate"), ("certificate", "understudy envelope prove")),
    "an envelope edited after its proof": (
        edit("envelope.toml", "hold_max_s = 600", "hold_max_s = 900"),
        ("the certificate is of envelope", "understudy envelope prove"),
    ),
    "a proof by nobody known": (
        remove("trust/provers/release.pub"),
        ("certificate", "signed by unknown key", "put their `.pub` file into"),
    ),
    "a proof signed by the policy's maker": (
        lambda site: shutil.copy(site / "trust" / "demo.pub", site / "trust" / "provers" / "release.pub"),
        ("signed by unknown key",),
    ),
    "nobody's proofs count": (lambda site: shutil.rmtree(site / "trust" / "provers"), ("trust store", "create it")),
    "a certificate with an answer mended": (
        edit("envelope.certificate", '"proved"', '"proved "', count=1),
        ("was changed after `release` signed it",),
    ),
    "a certificate without a signature": (
        lambda site: (site / "envelope.certificate").write_bytes(
            (site / "envelope.certificate").read_bytes().split(b"\n")[0]
        ),
        ("certificate", "sign it again"),
    ),
    "a certificate that is none": (write("envelope.certificate", b"proved"), ("not a certificate",)),
    "no rollout.toml": (remove("rollout.toml"), ("rollout.toml` cannot be read",)),
    "rollout.toml is not text": (write("rollout.toml", b"\xff\xfe"), ("not UTF-8", "save it as UTF-8")),
    "unknown key in rollout.toml": (
        edit("rollout.toml", "skip_approvals = 2", "skip_approvals = 2\nskip_everything = true"),
        ("`skip_everything`: unknown key", "remove it or correct its spelling"),
    ),
    "shares that fall": (edit("rollout.toml", "\nshare = 0.25", "\nshare = 0.01"), ("rise from stage to stage",)),
    "a breaker forgotten": (
        edit("rollout.toml", 'cause = "breach"', 'cause = "breech"'),
        ("breakers are missing for the causes ['breach']", "add them"),
    ),
    "another period": (edit("rollout.toml", "period_s = 300", "period_s = 600"), ("period of 600 s", "of 300 s")),
    "nobody approves on a real plant": (
        edit("site.toml", "simulated = true", "simulated = false"),
        ("`approvals = 0`", "not declared simulated", "at least 1 person"),
    ),
    "no trust store": (lambda site: shutil.rmtree(site / "trust"), ("trust store", "create it")),
    "an unreadable key": (write("trust/demo.pub", b"ssh-rsa AAAA"), ("demo.pub", "copy it again")),
    "an unknown signer": (remove("trust/demo.pub"), ("signed by unknown key", "put their `.pub` file into")),
    "no bundle": (lambda site: shutil.rmtree(site / "bundles" / "candidate"), ("is not a folder",)),
    "a bundle without a graph": (remove("bundles/candidate/policy.onnx"), ("has no `policy.onnx`", "restore it")),
    "an unsigned bundle": (remove("bundles/candidate/signature"), ("is not signed", "sign it with a trusted key")),
    "a manifest that is not JSON": (write("bundles/candidate/manifest.json", b"{"), ("manifest.json",)),
    "a file too many in a bundle": (
        write("bundles/candidate/policy.pkl", b""),
        ("`policy.pkl`, which is no part of a bundle", "remove it"),
    ),
}


@pytest.mark.parametrize("what", FILES)
def test_a_bad_file_of_the_site_is_named_with_what_to_do(what: str, tmp_path: Path, state: Path) -> None:
    breaks, words = FILES[what]
    site = site_copy(tmp_path)
    breaks(site)
    said = run(site, state)
    assert [word for word in words if word not in said] == [], said


@pytest.mark.parametrize("name", ["policy.onnx", "manifest.json", "scorecard.json"])
def test_one_changed_byte_of_a_bundle_is_found(name: str, tmp_path: Path, state: Path) -> None:
    site = site_copy(tmp_path)
    path = site / "bundles" / "candidate" / name
    content = bytearray(path.read_bytes())
    place = content.index(b'"') + 1 if name != "policy.onnx" else len(content) // 2
    content[place] ^= 1
    path.write_bytes(bytes(content))
    assert str(path.parent) in run(site, state)


def test_weights_that_are_not_the_manifests_are_told_by_their_digests(tmp_path: Path, state: Path) -> None:
    site = site_copy(tmp_path)
    path = site / "bundles" / "candidate" / "policy.onnx"
    path.write_bytes(path.read_bytes() + b"\0")
    assert "the weights were changed, restore them" in run(site, state)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('"chws_c"', '"brine_c"', ("disagree on these setpoints: brine_c, chws_c",)),
        ('"control_period_s":300', '"control_period_s":60', ("decides every 60 s", "train one for this period")),
    ],
)
def test_a_bundle_for_another_plant_is_refused_though_it_is_well_signed(
    old: str, new: str, words: tuple[str, ...], tmp_path: Path, state: Path
) -> None:
    site = site_copy(tmp_path)
    folder = site / "bundles" / "candidate"
    text = (folder / "manifest.json").read_bytes().decode()
    old = old if old in text else old.replace(":", ": ")
    assert old in text
    changed = read_manifest(folder / "manifest.json", text.replace(old, new).encode())
    key = Ed25519PrivateKey.generate()
    write_bundle(folder, changed, (folder / "policy.onnx").read_bytes(), {}, key)
    write_public(site / "trust" / "ours.pub", key.public_key())
    said = run(site, state)
    assert [word for word in words if word not in said] == [], said


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--for", "soon"), ("`--for soon`", "40d")),
        (("--for", "0d"), ("`--for 0d`", "above 0")),
        (("--for", "-1d"), ("`--for -1d`", "40d")),
        (("--for", "1.5h"), ("`--for 1.5h`", "40d")),
        (("--speed", "fast"), ("`--speed fast`", "`max`")),
        (("--speed", "0"), ("`--speed 0`", "above 0")),
        (("--speed", "-3"), ("`--speed -3`", "above 0")),
        (("--speed", "nan"), ("`--speed nan`", "finite")),
        (("--speed", "inf"), ("`--speed inf`", "finite")),
        (("--seed", "-1"), ("seed",)),
        (("--candidate", "nobody"), ("`nobody` is not in site.toml", "reckless, slow-drift, stuck")),
        (("--report", "no/such/folder/out.json"), ("there is no folder `no/such/folder`", "make it")),
    ],
)
def test_an_option_that_cannot_be_is_named(options: tuple[str, ...], words: tuple[str, ...], state: Path) -> None:
    said = run(DEMO, state, *options)
    assert [word for word in words if word not in said] == [], said


class TestStateDirectory:
    """Whose it is, is asked before anything is written."""

    @pytest.mark.parametrize(
        ("options", "differ"),
        [
            (("--for", "20m"), "until_us differ"),
            (("--seed", "2"), "seed differ"),
            (("--candidate", "stuck"), "candidate differ"),
        ],
    )
    def test_that_of_another_run_is_refused(self, options: tuple[str, ...], differ: str, state: Path) -> None:
        said = run(DEMO, state, *options)
        assert differ in said
        assert "name another with --state" in said

    def test_that_of_another_site_is_refused(self, tmp_path: Path, state: Path) -> None:
        site = site_copy(tmp_path)
        edit("site.toml", 'name = "demo"', 'name = "other"')(site)
        assert "name, site differ" in run(site, state)

    def test_that_of_an_edited_site_is_refused_for_a_run_of_stated_length(self, tmp_path: Path, state: Path) -> None:
        site = site_copy(tmp_path)
        edit("envelope.toml", "hold_max_s = 600", "hold_max_s = 300")(site)
        certify(site)
        assert "(site differ)" in run(site, state)

    def test_one_whose_run_nobody_knows_is_refused(self, lived: Path, tmp_path: Path) -> None:
        copy = tmp_path / "torn"
        shutil.copytree(lived, copy)
        (copy / "run.json").write_text('{"candi')
        before = digests(copy)
        assert "nobody knows which run this is" in run(DEMO, copy)
        assert digests(copy) == before

    def test_a_file_is_none(self, tmp_path: Path) -> None:
        (tmp_path / "state").write_text("mine")
        assert "is a file" in run(DEMO, tmp_path / "state")
        assert (tmp_path / "state").read_text() == "mine"

    def test_a_finished_run_that_begins_anew_leaves_what_is_not_a_runs(self, lived: Path, tmp_path: Path) -> None:
        copy = tmp_path / "again"
        shutil.copytree(lived, copy)
        for name in ("STOP", "access.sqlite", "notes.txt"):
            (copy / name).write_text("mine")
        plan_run(RunOptions(DEMO, "10m", "", 1, "", True, copy), bootstrap.load(DEMO)).prepare()
        assert sorted(path.name for path in copy.iterdir()) == ["STOP", "access.sqlite", "notes.txt", "run.json"]

    @pytest.mark.parametrize(
        "words",
        [("replay", "last"), ("rollout", "get"), ("breaker", "list"), ("override", "--clear"), ("start", "-r", "x")],
    )
    def test_commands_on_a_run_that_is_not_there_say_where_they_looked(
        self, words: tuple[str, ...], tmp_path: Path
    ) -> None:
        said = refused(*words, "--site", DEMO, "--state", tmp_path / "nothing")
        assert "holds no run of site `demo`" in said
        assert not (tmp_path / "nothing").exists()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("override", "chws_c=8"), "needs --reason"),
        (("override", "chws_c", "-r", "x"), "is not name=value"),
        (("replay", "hall.b000000.5"), "no decision `hall.b000000.5`"),
        (("token", "create", "ann", "--role", "king"), "king"),
    ],
)
def test_a_command_that_makes_no_sense_is_refused(words: tuple[str, ...], told: str, lived: Path) -> None:
    before = digests(lived)
    assert told in refused(*words, "--site", DEMO, "--state", lived)
    assert before.items() <= digests(lived).items(), "what reading leaves beside a database is no loss"


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of our packages."""
    folder = tmp_path_factory.mktemp("tree")
    for name in PACKAGES:
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


class TestCode:
    """The code that judges must be ours, and as it was recorded."""

    def test_a_foreign_safety_package_is_refused(self, tree: Path, tmp_path: Path) -> None:
        (tmp_path / "safety").mkdir()
        (tmp_path / "safety" / "__init__.py").write_text('__version__ = "3.0"\n')
        said = told_by_a_process(f"{tmp_path}{os.pathsep}{tree}", tmp_path)
        assert "package `safety` comes from" in said
        assert str(tmp_path / "safety") in said
        assert "install understudy into an environment of its own" in said

    def test_a_changed_kernel_file_is_refused(self, tree: Path, tmp_path: Path) -> None:
        path = tree / "safety" / "ramp.py"
        whole = path.read_text()
        path.write_text(whole + "\n")
        try:
            said = told_by_a_process(str(tree), tmp_path)
        finally:
            path.write_text(whole)
        assert "kernel files differ from the recorded ones: ramp.py" in said
        assert "install understudy anew" in said

    def test_a_kernel_that_another_package_has_overwritten_is_refused(self, tree: Path, tmp_path: Path) -> None:
        path = tree / "safety" / "kernel.py"
        whole = path.read_text()
        path.unlink()
        try:
            said = told_by_a_process(str(tree), tmp_path)
        finally:
            path.write_text(whole)
        assert "another package named `safety` may have replaced it" in said


def told_by_a_process(path: str, folder: Path) -> str:
    """What `config check` says with these folders first on the path."""
    argv = [sys.executable, "-m", "controller.cli", "config", "check", "--site", str(DEMO)]
    said = subprocess.run(argv, env={**os.environ, "PYTHONPATH": path}, cwd=folder, capture_output=True, text=True)
    assert said.returncode == 2, said.stderr
    assert said.stdout == ""
    (line,) = said.stderr.splitlines()
    return line
