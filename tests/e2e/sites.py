"""Copies of the shipped sites that a test may run: free ports, its own store, and a candidate that drives soon."""

import shutil
import socket
from pathlib import Path

from tests.loop.loop_fixture import certify
from tests.paths import ROOT

SITES = ROOT / "deploy" / "sites"
# Shadow for three ticks, then nineteen blocks in twenty: STOP must have something to take away. No gate after it passes.
STAGES = """
[[stages]]
name = "shadow"
share = 0.0
approvals = 0
patience_days = 10000
checks = [{ kind = "duration", days = 0.01 }]

[[stages]]
name = "95 %"
share = 0.95
approvals = 0
patience_days = 10000
checks = [{ kind = "duration", days = 10000 }]

"""
# An operator's command this rule refuses is a refusal to be seen; neither controller ever wants so little.
RULE = """
[[rule]]
id = "CHWS-LOAD"
kind = "interlock"
tier = "T2"
setpoint = "chws_c"
when = "chw_flow_kg_s > 0"
low = 7.6
unit = "C"
hazard = "a test that no rule refuses anything in"
basis = "so that dashboards have a refusal to show"
"""


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def demo(folder: Path, store_url: str) -> Path:
    """The demo with `store_url` as its store."""
    copy = shutil.copytree(SITES / "demo", folder / "demo")
    _repair(copy / "site.toml", {"sqlite:///store.sqlite": store_url, **_ports(8800)})
    envelope, rollout = copy / "envelope.toml", copy / "rollout.toml"
    envelope.write_text(envelope.read_text() + RULE)
    certify(copy)
    before, after = rollout.read_text().split("[[stages]]", 1)[0], rollout.read_text().split("[[breakers]]", 1)[1]
    before = before.replace("block_ticks = 48 ", "block_ticks = 24 ")
    rollout.write_text(f"{before}{STAGES}[[breakers]]{after}")
    return copy


def push_demo(folder: Path, store_url: str) -> Path:
    """The push-mode demo with `store_url` as its store, and the demo's files that it uses."""
    shutil.copytree(SITES / "demo", folder / "demo")
    copy = shutil.copytree(SITES / "push-demo", folder / "push-demo")
    _repair(copy / "site.toml", {"\n[web]": f'\n[store]\nurl = "{store_url}"\n\n[web]', **_ports(8810)})
    return copy


def _ports(usual: int) -> dict[str, str]:
    return {
        f"\nport = {usual}": f"\nport = {free_port()}",
        f"metrics_port = {usual + 1}": f"metrics_port = {free_port()}",
    }


def _repair(path: Path, changes: dict[str, str]) -> None:
    text = path.read_text()
    for old, new in changes.items():
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    path.write_text(text)
