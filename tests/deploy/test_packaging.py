"""What the service is deployed with parses, agrees with the code, and gives away no more than it must."""

import configparser
import re
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from sqlalchemy import make_url

from controller.settings import load_site
from tests.paths import ROOT

DEPLOY = ROOT / "deploy"


def compose() -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    return read


def dockerfile() -> list[str]:
    """The instructions, one a line, without comments."""
    text = re.sub(r"\\\n\s*", " ", (DEPLOY / "Dockerfile").read_text())
    return [line for line in text.splitlines() if line.strip() and not line.startswith("#")]


def unit() -> dict[str, dict[str, str]]:
    parser = configparser.ConfigParser(interpolation=None, strict=True)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(DEPLOY / "systemd" / "understudy@.service")
    return {section: dict(parser[section]) for section in parser.sections()}


def options_of_run() -> set[str]:
    """The options `understudy run` has."""
    import typer

    from controller.cli.main import app

    command = typer.main.get_command(app).commands["run"]  # type: ignore[attr-defined]
    return {option for parameter in command.params for option in parameter.opts}


def test_image_runs_unprivileged_and_starts_the_service() -> None:
    lines = dockerfile()
    last_stage = lines[max(n for n, line in enumerate(lines) if line.startswith("FROM")) :]
    users = [line for line in last_stage if line.startswith("USER")]
    assert users == ["USER understudy"]
    assert last_stage.index(users[0]) > max(n for n, line in enumerate(last_stage) if line.startswith("RUN"))
    assert 'ENTRYPOINT ["understudy"]' in last_stage


def test_the_image_has_no_torch_and_pins_what_it_installs() -> None:
    installs = [line for line in dockerfile() if "pip install" in line and "constraints" in line]
    assert len(installs) == 1
    assert "[postgres]" in installs[0]
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert not any("torch" in wanted for wanted in extras["dependencies"] + extras["optional-dependencies"]["postgres"])


def test_the_image_copies_every_package_and_only_what_is_there() -> None:
    copied = {
        line.split()[1]
        for line in dockerfile()
        if line.startswith("COPY ") and "--from" not in line and len(line.split()) == 3
    }
    packages = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"][
        "packages"
    ]
    assert set(packages) <= copied
    ignore = (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines()
    assert all(f"!{name}" in ignore for name in copied | {"README.md", "pyproject.toml"})
    assert all((ROOT / name).exists() for name in packages)


def test_every_file_compose_mounts_is_there_but_the_secrets() -> None:
    for service in compose()["services"].values():
        for volume in service.get("volumes", ()):
            source = volume.split(":")[0]
            if source.startswith("./") and not source.startswith("./secrets"):
                assert (DEPLOY / source).exists(), source


def test_compose_has_the_service_its_store_and_its_eyes() -> None:
    read = compose()
    assert set(read["services"]) == {"understudy", "postgres", "prometheus", "grafana"}
    named = {volume.split(":")[0] for service in read["services"].values() for volume in service.get("volumes", ())}
    assert {name for name in named if not name.startswith("./")} == set(read["volumes"])
    assert {name for service in read["services"].values() for name in service.get("secrets", ())} == set(
        read["secrets"]
    )


def test_compose_publishes_on_loopback_only_and_holds_no_password() -> None:
    for service in compose()["services"].values():
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", ()))
    assert not re.search(r"PASSWORD:\s*\S", (DEPLOY / "compose.yaml").read_text())


def test_the_service_does_not_wait_for_its_store() -> None:
    assert "depends_on" not in compose()["services"]["understudy"]
    assert "postgres" not in unit()["Unit"]["After"]


def test_images_are_pinned_to_a_version() -> None:
    images = [service["image"] for service in compose()["services"].values() if "image" in service]
    assert all(re.search(r":v?\d", image) for image in images)


def test_composes_site_is_the_demos_but_for_store_and_host() -> None:
    ours, demos = (tomllib.loads((DEPLOY / path / "site.toml").read_text()) for path in ("compose", "sites/demo"))
    assert make_url(ours.pop("store")["url"]).get_backend_name() == "postgresql"
    assert ours["web"].pop("host") == "0.0.0.0"
    demos.pop("store")
    demos["web"].pop("host")
    assert ours == demos


def test_composes_site_loads(tmp_path: Path) -> None:
    shutil.copytree(DEPLOY / "sites" / "demo", tmp_path / "site")
    shutil.copy(DEPLOY / "compose" / "site.toml", tmp_path / "site" / "site.toml")
    site = load_site(tmp_path / "site")
    assert {f"127.0.0.1:{site.settings.web.port}:{site.settings.web.port}"} == set(
        compose()["services"]["understudy"]["ports"]
    )


def test_prometheus_scrapes_the_ports_of_the_site() -> None:
    web = tomllib.loads((DEPLOY / "compose" / "site.toml").read_text())["web"]
    jobs = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text())["scrape_configs"]
    targets = {job["job_name"]: job["static_configs"][0]["targets"][0] for job in jobs}
    assert targets == {
        "understudy-control": f"understudy:{web['metrics_port']}",
        "understudy-web": f"understudy:{web['port']}",
    }


def test_image_and_unit_start_the_service_with_options_it_has() -> None:
    (cmd,) = [line for line in dockerfile() if line.startswith("CMD")]
    for command in (cmd, unit()["Service"]["ExecStart"]):
        assert set(re.findall(r"--[a-z]+", command)) <= options_of_run()
        assert re.search(r"understudy run|\"run\"", command)


def test_the_unit_takes_every_right_it_does_not_need() -> None:
    service = unit()["Service"]
    assert service["User"] == "understudy"
    assert service["CapabilityBoundingSet"] == ""
    assert service["ProtectSystem"] == "strict"
    assert service["NoNewPrivileges"] == "yes"
    assert service["Restart"] == "always"


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze")
def test_systemd_accepts_the_unit() -> None:
    path = DEPLOY / "systemd" / "understudy@.service"
    done = subprocess.run(["systemd-analyze", "verify", str(path)], capture_output=True, text=True, check=False)
    complaints = [
        line for line in done.stderr.splitlines() if "understudy@" in line and "is not executable" not in line
    ]
    assert not complaints
