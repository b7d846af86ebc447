"""Bad input gets one line on standard error that says what to do, exit code 2, and nothing is lost."""

import errno
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
    """A copy of the finished run's state directory, which the test must not change."""
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
    """The one line on standard error of a command that must be refused."""
    result = CliRunner().invoke(app, [str(word) for word in words])
    assert result.exit_code == 2, result.output
    assert isinstance(result.exception, SystemExit), result.exception
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
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
    """Discard a result."""


def rename_kind(site: Path) -> None:
    edit("site.toml", '"cooling"', '"heating"')(site)
    edit("site.toml", "[plant.cooling", "[plant.heating", count=2)(site)


def without_table(site: Path) -> None:
    """Remove `[plant.cooling]` and its inner table."""
    text = (site / "site.toml").read_text()
    before, rest = text.split("[plant.cooling]")
    (site / "site.toml").write_text(before + "[incumbent]" + rest.split("[incumbent]")[1])


def signer(path: Path) -> str:
    """The id of the key in the last line of a signed file: `ed25519 <key id> <base64>`."""
    return path.read_text().split()[-2]


RELEASE, MAKER = signer(DEMO / "envelope.certificate"), signer(DEMO / "bundles" / "candidate" / "signature")

# By what is wrong: how the site is broken; the file, key, value or command that the message must name.
FILES: dict[str, tuple[Breaks, tuple[str, ...]]] = {
    "no site.toml": (remove("site.toml"), ("site.toml", os.strerror(errno.ENOENT))),
    "site.toml is not TOML": (write("site.toml", b"name = \n"), ("site.toml`", "TOML", "line 1, column 8")),
    "site.toml is not text": (write("site.toml", b"name = '\xff'"), ("site.toml`", "UTF-8", "byte 8")),
    "unknown key in site.toml": (
        edit("site.toml", 'kind = "cooling"', 'kind = "cooling"\ncolour = "red"'),
        ("site.toml`", "`plant.colour`"),
    ),
    "a time without an offset": (
        edit("site.toml", "00:00:00Z", "00:00:00"),
        ("`plant.start`", "offset", "00:00:00Z"),
    ),
    "a cooling plant without a start": (
        edit("site.toml", "start = 2023-01-01T00:00:00Z", ""),
        ("`plant.start`",),
    ),
    "an unknown time zone": (
        edit("site.toml", "America/New_York", "Mars/Base"),
        ("`timezone`", "`Mars/Base`", "`Europe/Berlin`"),
    ),
    "hard limits reversed": (
        edit("site.toml", "hard_high_c = 32.0", "hard_high_c = 12.0"),
        ("`hard_low_c` < `soft_high_c` <= `hard_high_c`", "15, 27, 12"),
    ),
    "an unknown plant kind": (
        rename_kind,
        ("`heating`", "bidding, cooling, push", "`plant.plugins`"),
    ),
    "another kind's table": (edit("site.toml", '"cooling"', '"bidding"'), ("site.toml`", "`plant.cooling`")),
    "no table of the plant": (without_table, ("[plant.cooling]", "site.toml")),
    "unknown key of the plant": (
        edit("site.toml", "zones = 4", "zones = 4\ncolour = 1"),
        ("site.toml`", "`plant.cooling.colour`"),
    ),
    "a wrong value of the plant": (
        edit("site.toml", "zones = 4", "zones = 0"),
        ("site.toml`", "`plant.cooling.zones`", "`0`"),
    ),
    "another plant's incumbent": (
        edit("site.toml", "trim_and_respond", "pid_pacing"),
        ("`pid_pacing`", "`trim_and_respond`"),
    ),
    "a missing weather file": (
        edit("site.toml", 'weather = "greensboro"', 'weather = "atlantis.epw"'),
        ("`atlantis.epw`", ".epw, .tm2", "greensboro, miami, sand-point"),
    ),
    "a weather file of another kind": (
        edit("site.toml", 'weather = "greensboro"', f'weather = "{DEMO / "site.toml"}"'),
        ("site.toml`", ".epw, .tm2"),
    ),
    "a deadband of an unknown setpoint": (
        edit("site.toml", "tower_c = 1.0", "towr_c = 1.0"),
        ("`deadbands.towr_c`",),
    ),
    "a static baseline without a setpoint": (
        edit("site.toml", "\nchws_c = 12.84", ""),
        ("`plant.cooling.best_static`", "chws_c"),
    ),
    "an unknown kind of store": (
        edit("site.toml", "sqlite:///store.sqlite", "mysql://there/it"),
        ("`mysql`", "`sqlite:///FILE`", "`postgresql+psycopg://...`"),
    ),
    "no envelope.toml": (remove("envelope.toml"), ("envelope.toml`", os.strerror(errno.ENOENT))),
    "envelope.toml is not TOML": (write("envelope.toml", b"[["), ("site/envelope.toml`",)),
    "unknown key in envelope.toml": (
        edit("envelope.toml", "hold_max_s = 600", "hold_max_s = 600\nenabled = false"),
        ("envelope.toml`", "`enabled`"),
    ),
    "an envelope's limits reversed": (
        edit("envelope.toml", "low = 16\nhigh = 26", "low = 26\nhigh = 16"),
        ("`SUPPLY-BOUND`", "`low` 26", "`high` 16"),
    ),
    "a setpoint without a rule": (
        edit("envelope.toml", 'setpoint = "tower_c"', 'setpoint = "chws_c"', count=9),
        ("`tower_c`", "`bound`", "T1"),
    ),
    "an envelope for another plant": (
        edit("envelope.toml", '"hall"', '"barn"'),
        ("`envelope.toml`", "`barn`", "`site.toml`", "`hall`"),
    ),
    "an envelope without a certificate": (
        remove("envelope.certificate"),
        ("envelope.certificate`", "understudy envelope prove"),
    ),
    "an envelope edited after its proof": (
        edit("envelope.toml", "hold_max_s = 600", "hold_max_s = 900"),
        ("certificate", "understudy envelope prove"),
    ),
    "a proof by an unknown key": (
        remove("trust/provers/release.pub"),
        ("envelope.certificate`", f"`{RELEASE}`", "`.pub`", "trust/provers`"),
    ),
    "a proof signed by the policy's maker": (
        lambda site: shutil.copy(site / "trust" / "demo.pub", site / "trust" / "provers" / "release.pub"),
        ("envelope.certificate`", f"`{RELEASE}`", "`.pub`", "trust/provers`"),
    ),
    "no trust store for provers": (
        lambda site: shutil.rmtree(site / "trust" / "provers"),
        ("trust store", "trust/provers`", "`.pub`"),
    ),
    "a certificate with a changed answer": (
        edit("envelope.certificate", '"proved"', '"proved "', count=1),
        ("envelope.certificate`", "`release`"),
    ),
    "a certificate without a signature": (
        lambda site: (site / "envelope.certificate").write_bytes(
            (site / "envelope.certificate").read_bytes().split(b"\n")[0]
        ),
        ("envelope.certificate`", "`ed25519 <key id> <base64>`"),
    ),
    "a malformed certificate": (
        write("envelope.certificate", b"proved"),
        ("certificate", "understudy envelope prove"),
    ),
    "no rollout.toml": (remove("rollout.toml"), ("rollout.toml`", os.strerror(errno.ENOENT))),
    "rollout.toml is not text": (write("rollout.toml", b"\xff\xfe"), ("rollout.toml`", "UTF-8", "byte 0")),
    "unknown key in rollout.toml": (
        edit("rollout.toml", "skip_approvals = 2", "skip_approvals = 2\nskip_everything = true"),
        ("`skip_everything`",),
    ),
    "shares that fall": (edit("rollout.toml", "\nshare = 0.25", "\nshare = 0.01"), ("0.01, 0.05, 0.01", "`25 %`")),
    "a missing breaker": (
        edit("rollout.toml", 'cause = "breach"', 'cause = "breech"'),
        ("['breach']", "['breech']"),
    ),
    "two control periods": (
        edit("rollout.toml", "period_s = 300", "period_s = 600"),
        ("`rollout.toml`", "600 s", "`envelope.toml`", "300 s"),
    ),
    "a real plant without approvals": (
        edit("site.toml", "simulated = true", "simulated = false"),
        ("`approvals = 0`", "`1 %`, `5 %`, `25 %`", "at least 1 person"),
    ),
    "no trust store": (lambda site: shutil.rmtree(site / "trust"), ("trust store", "site/trust`", "`.pub`")),
    "an unreadable key": (write("trust/demo.pub", b"ssh-rsa AAAA"), ("trust/demo.pub`", "`ed25519 <base64>`")),
    "a bundle signed by an unknown key": (
        remove("trust/demo.pub"),
        ("bundles/candidate`", f"`{MAKER}`", "`.pub`", "site/trust`"),
    ),
    "no bundle": (
        lambda site: shutil.rmtree(site / "bundles" / "candidate"),
        ("bundles/candidate`", "`manifest.json`"),
    ),
    "a bundle without a graph": (remove("bundles/candidate/policy.onnx"), ("bundles/candidate`", "`policy.onnx`")),
    "an unsigned bundle": (remove("bundles/candidate/signature"), ("bundles/candidate`", "sign")),
    "a manifest that is not JSON": (
        write("bundles/candidate/manifest.json", b"{"),
        ("manifest.json`", "JSON", "line 1 column 2"),
    ),
    "an unexpected file in a bundle": (
        write("bundles/candidate/policy.pkl", b""),
        ("bundles/candidate`", "`policy.pkl`"),
    ),
}


@pytest.mark.parametrize("what", FILES)
def test_bad_site_file_is_named_with_what_to_do(what: str, tmp_path: Path, state: Path) -> None:
    breaks, words = FILES[what]
    site = site_copy(tmp_path)
    breaks(site)
    message = run(site, state)
    assert [word for word in words if word not in message] == [], message


@pytest.mark.parametrize("name", ["policy.onnx", "manifest.json", "scorecard.json"])
def test_one_changed_byte_of_a_bundle_is_found(name: str, tmp_path: Path, state: Path) -> None:
    site = site_copy(tmp_path)
    path = site / "bundles" / "candidate" / name
    content = bytearray(path.read_bytes())
    place = content.index(b'"') + 1 if name != "policy.onnx" else len(content) // 2
    content[place] ^= 1
    path.write_bytes(bytes(content))
    assert str(path.parent) in run(site, state)


def test_weights_that_differ_from_the_manifest_name_both_digests(tmp_path: Path, state: Path) -> None:
    site = site_copy(tmp_path)
    path = site / "bundles" / "candidate" / "policy.onnx"
    path.write_bytes(path.read_bytes() + b"\0")
    before = hashlib.sha256((DEMO / "bundles" / "candidate" / "policy.onnx").read_bytes()).hexdigest()
    after = hashlib.sha256(path.read_bytes()).hexdigest()
    message = run(site, state)
    assert before[:12] in message
    assert after[:12] in message


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('"chws_c"', '"brine_c"', ("brine_c, chws_c",)),
        ('"control_period_s":300', '"control_period_s":60', ("60 s", "300 s")),
    ],
)
def test_correctly_signed_bundle_for_another_plant_is_refused(
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
    message = run(site, state)
    assert [word for word in words if word not in message] == [], message


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--for", "soon"), ("`--for soon`", "40d")),
        (("--for", "0d"), ("`--for 0d`",)),
        (("--for", "-1d"), ("`--for -1d`",)),
        (("--for", "1.5h"), ("`--for 1.5h`",)),
        (("--speed", "fast"), ("`--speed fast`", "`max`")),
        (("--speed", "0"), ("`--speed 0`",)),
        (("--speed", "-3"), ("`--speed -3`",)),
        (("--speed", "nan"), ("`--speed nan`",)),
        (("--speed", "inf"), ("`--speed inf`",)),
        (("--seed", "-1"), ("seed",)),
        (("--candidate", "nobody"), ("`nobody`", "site.toml", "reckless, slow-drift, stuck")),
        (("--report", "no/such/folder/out.json"), ("`no/such/folder`",)),
    ],
)
def test_invalid_option_is_named(options: tuple[str, ...], words: tuple[str, ...], state: Path) -> None:
    message = run(DEMO, state, *options)
    assert [word for word in words if word not in message] == [], message


class TestStateDirectory:
    """The run that a state directory belongs to is checked before anything is written."""

    @pytest.mark.parametrize(
        ("options", "differ"),
        [
            (("--for", "20m"), "until_us"),
            (("--seed", "2"), "seed"),
            (("--candidate", "stuck"), "candidate"),
        ],
    )
    def test_that_of_another_run_is_refused(self, options: tuple[str, ...], differ: str, state: Path) -> None:
        message = run(DEMO, state, *options)
        assert differ in message
        assert "--state" in message

    def test_that_of_another_site_is_refused(self, tmp_path: Path, state: Path) -> None:
        site = site_copy(tmp_path)
        edit("site.toml", 'name = "demo"', 'name = "other"')(site)
        message = run(site, state)
        assert "name, site" in message
        assert "--state" in message

    def test_state_of_an_edited_site_is_refused_for_fixed_length(self, tmp_path: Path, state: Path) -> None:
        site = site_copy(tmp_path)
        edit("envelope.toml", "hold_max_s = 600", "hold_max_s = 300")(site)
        certify(site)
        message = run(site, state)
        assert "(site " in message
        assert "--state" in message

    def test_state_with_an_unreadable_run_file_is_refused(self, lived: Path, tmp_path: Path) -> None:
        copy = tmp_path / "torn"
        shutil.copytree(lived, copy)
        (copy / "run.json").write_text('{"candi')
        before = digests(copy)
        assert "run.json" in run(DEMO, copy)
        assert digests(copy) == before

    def test_file_is_not_a_state_directory(self, tmp_path: Path) -> None:
        (tmp_path / "state").write_text("mine")
        assert str(tmp_path / "state") in run(DEMO, tmp_path / "state")
        assert (tmp_path / "state").read_text() == "mine"

    def test_new_run_keeps_files_that_no_run_made(self, lived: Path, tmp_path: Path) -> None:
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
    def test_commands_on_a_missing_run_name_the_directory(self, words: tuple[str, ...], tmp_path: Path) -> None:
        message = refused(*words, "--site", DEMO, "--state", tmp_path / "nothing")
        assert "`demo`" in message
        assert str(tmp_path / "nothing") in message
        assert not (tmp_path / "nothing").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("override", "chws_c=8"), "--reason"),
        (("override", "chws_c", "-r", "x"), "name=value"),
        (("replay", "hall.b000000.5"), "`hall.b000000.5`"),
        (("token", "create", "ann", "--role", "king"), "king"),
    ],
)
def test_invalid_command_is_refused(words: tuple[str, ...], message: str, lived: Path) -> None:
    before = digests(lived)
    assert message in refused(*words, "--site", DEMO, "--state", lived)
    assert before.items() <= digests(lived).items(), "reading may only add files beside a database"


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the packages of this repository."""
    folder = tmp_path_factory.mktemp("tree")
    for name in PACKAGES:
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


class TestCode:
    """The kernel that runs must be the recorded one."""

    def test_a_foreign_safety_package_is_refused(self, tree: Path, tmp_path: Path) -> None:
        (tmp_path / "safety").mkdir()
        (tmp_path / "safety" / "__init__.py").write_text('__version__ = "3.0"\n')
        message = message_of_a_process(f"{tmp_path}{os.pathsep}{tree}", tmp_path)
        assert "package `safety`" in message
        assert str(tmp_path / "safety") in message
        assert "install understudy" in message

    def test_a_changed_kernel_file_is_refused(self, tree: Path, tmp_path: Path) -> None:
        path = tree / "safety" / "ramp.py"
        whole = path.read_text()
        path.write_text(whole + "\n")
        try:
            message = message_of_a_process(str(tree), tmp_path)
        finally:
            path.write_text(whole)
        assert "ramp.py" in message
        assert "install understudy" in message

    def test_a_kernel_that_another_package_has_overwritten_is_refused(self, tree: Path, tmp_path: Path) -> None:
        path = tree / "safety" / "kernel.py"
        whole = path.read_text()
        path.unlink()
        try:
            message = message_of_a_process(str(tree), tmp_path)
        finally:
            path.write_text(whole)
        assert "`safety`" in message


def message_of_a_process(path: str, folder: Path) -> str:
    """The one line on standard error of `config check` with these folders first on the path."""
    argv = [sys.executable, "-m", "controller.cli", "config", "check", "--site", str(DEMO)]
    done = subprocess.run(argv, env={**os.environ, "PYTHONPATH": path}, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    return line
