"""`understudy train`: from a site to a signed bundle, with the score card of what it is worth."""

import hashlib
import platform
import sys
import time
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from controller.learning.evaluate import evaluate_seeds
from controller.learning.ground import Ground, ground_of
from controller.learning.limits import limits_of
from controller.learning.practice import Practised, practise
from controller.learning.score import shown
from controller.learning.spec import TrainingSpec, load_training
from controller.learning.tensors import Tensors, input_specs, output_specs
from controller.policies.bundle import write_bundle
from controller.policies.manifest import Manifest, Training
from controller.policies.trust import key_id, read_or_make_key
from simulators.cooling.sensing import setpoint_specs, signal_specs

KEY = Path(".understudy/signing-key.pem")
EVALUATION_SEEDS = (101, 102, 103)
_LIBRARIES = ("numpy", "torch", "stable-baselines3", "onnx", "onnxruntime")


def train_candidate(site: Path, out: Path, seed: int, *, key: Path = KEY) -> str:
    """Practise, export, evaluate, sign; return the bundle's digest. The same seed and machine give the same graph.

    Args:
        site: folder with `training.toml`, `envelope.toml` and `site.toml`.
        out: folder of the new bundle.
        seed: of the network, of practice, and of nothing else; evaluation has seeds of its own.
        key: private key to sign with; made if it does not exist.
    """
    spec, ground = load_training(site / "training.toml"), ground_of(site)
    tensors = _tensors(spec, ground)
    started = time.perf_counter()
    practised = practise(spec, tensors, limits_of(ground.envelope), seed, say, site)
    took_s = time.perf_counter() - started
    table = evaluate_seeds(practised.graph, tensors, ground, EVALUATION_SEEDS, say)
    command = f"understudy train --site {site} --seed {seed} --out {out}"
    manifest = _manifest(
        spec, tensors, ground, practised.graph, Training(command=command, seed=seed, algorithm="ppo"), table
    )
    signing = read_or_make_key(key)
    digest = write_bundle(out, manifest, practised.graph, _scorecard(practised, took_s, table, command), signing)
    say(f"bundle {digest[:12]} in {out}, signed by key {key_id(signing.public_key())}")
    say(f"a site serves it once {key.with_suffix('.pub')} lies in its trust folder: {site}/trust/")
    return digest


def say(line: str) -> None:
    """One line of progress."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _tensors(spec: TrainingSpec, ground: Ground) -> Tensors:
    signals, setpoints = signal_specs(ground.zones), setpoint_specs(ground.zones)
    return Tensors(
        input_specs(spec, signals, setpoints),
        output_specs(spec, setpoints),
        tuple(signal.name for signal in signals),
        tuple(setpoint.name for setpoint in setpoints),
    )


def _manifest(
    spec: TrainingSpec, tensors: Tensors, ground: Ground, graph: bytes, training: Training, table: Mapping[str, Any]
) -> Manifest:
    return Manifest(
        schema_version=1,
        name=spec.name,
        plant_kind=spec.plant_kind,
        inputs=tensors.inputs,
        outputs=tensors.outputs,
        control_period_s=spec.control_period_s,
        weights_sha256=hashlib.sha256(graph).hexdigest(),
        envelope_digest=ground.envelope.digest,
        training=training,
        score=dict(table["mean"]["candidate"]),
    )


def _scorecard(practised: Practised, took_s: float, table: Mapping[str, Any], command: str) -> dict[str, Any]:
    """What a reviewer wants to know before letting the bundle near a plant."""
    return {
        "command": command,
        "evaluation": dict(table),
        "evaluation_read": shown(table).splitlines(),
        "practice": {
            "clone_error": round(practised.clone_error, 5),
            "plant_steps": practised.steps,
            "took_s": round(took_s),
            "machine": f"{platform.machine()}, one thread",
        },
        "versions": {name: version(name) for name in _LIBRARIES} | {"python": platform.python_version()},
    }
