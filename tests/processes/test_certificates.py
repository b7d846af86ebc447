"""A site runs on a proved envelope or not at all."""

import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from controller import bootstrap
from controller.certificates import CERTIFICATE, main
from controller.cli import app
from safety.proof.certificate import CertificateError
from tests.loop.loop_fixture import ROOT, site_copy
from tests.plants.test_third_plant import install

SITES = [ROOT / "deploy/sites/demo", ROOT / "deploy/sites/bidding-demo", ROOT / "deploy/sites/push-demo"]
TANK = ROOT / "examples" / "third_plant" / "site"


def prove(*words: str | Path) -> tuple[int, str]:
    output = CliRunner().invoke(app, ["envelope", "prove", *(str(word) for word in words)])
    return output.exit_code, output.output


@pytest.fixture
def tank(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The smallest shipped site, its plant's package installed, with a limit moved: this envelope is not proved."""
    monkeypatch.syspath_prepend(install(tmp_path / "installed"))
    site = Path(shutil.copytree(TANK, tmp_path / "site"))
    text = (site / "envelope.toml").read_text()
    assert "hold_max_s = 600" in text
    (site / "envelope.toml").write_text(text.replace("hold_max_s = 600", "hold_max_s = 900"))
    return site


@pytest.mark.parametrize("site", SITES, ids=lambda site: site.name)
def test_shipped_certificates_match_their_envelope_and_this_kernel(site: Path) -> None:
    assert bootstrap.load(site).prover == "release"


def test_what_may_be_looked_at_need_not_be_proved(tmp_path: Path) -> None:
    site = site_copy(tmp_path)
    (site / CERTIFICATE).unlink()
    assert bootstrap.read(site).envelope.plant == "hall"


def test_edited_envelope_runs_after_proof_by_a_trusted_key(tank: Path, tmp_path: Path) -> None:
    with pytest.raises(CertificateError, match="the certificate is of envelope"):
        bootstrap.load(tank)
    code, output = prove(tank / "envelope.toml", "--key", tmp_path / "me.pem")
    assert code == 0, output
    assert "trust/provers/" in output
    with pytest.raises(ValueError, match="signed by unknown key"):
        bootstrap.load(tank)
    shutil.copy(tmp_path / "me.pub", tank / "trust" / "provers")
    assert bootstrap.load(tank).prover == "me"


def test_what_is_not_proved_gets_no_certificate_and_no_key(tank: Path, tmp_path: Path) -> None:
    (tank / CERTIFICATE).unlink()
    text = (tank / "envelope.toml").read_text()
    dead = """
[[rule]]
id = "DEAD"
kind = "bound"
tier = "T1"
setpoint = "heater_kw"
low = -1e6
high = 1e6
unit = "kW"
hazard = "none"
basis = "none"
"""
    (tank / "envelope.toml").write_text(text + dead)
    code, output = prove(tank / "envelope.toml", "--key", tmp_path / "me.pem")
    assert code == 1
    assert "failed: alive/DEAD" in output
    assert not (tank / CERTIFICATE).exists()
    assert not (tmp_path / "me.pem").exists()


def test_renewing_forgets_its_key_and_says_what_it_did(tank: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tank)]) == 0
    assert "obligations" in capsys.readouterr().out
    assert bootstrap.load(tank).prover == "release"
    assert sorted(path.name for path in tank.rglob("*.pem")) == []


def test_renewing_an_invalid_site_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path)]) == 1
    assert "cannot be read" in capsys.readouterr().err
