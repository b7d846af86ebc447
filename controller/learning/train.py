"""`understudy train`: from a site to a signed bundle, with the score card of what it is worth."""

import hashlib
import platform
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from controller.learning.action_floors import floored
from controller.learning.conformal import described
from controller.learning.ppo_training import Practised, practise
from controller.learning.spec import TrainingSpec, load_training
from controller.learning.tensors import Tensors, input_specs, output_specs
from controller.plants.cooling.training.evaluate import evaluate_seeds
from controller.plants.cooling.training.novelty_data import false_refusals, fitted, live_through
from controller.plants.cooling.training.score_card import shown
from controller.plants.cooling.training.training_site import Ground, ground_of
from controller.policies.bundle import write_bundle
from controller.policies.manifest import Manifest, Training
from controller.policies.trust import key_id, read_or_make_key
from simulators.cooling.world.signals import setpoint_specs, signal_specs

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
    practised = practise(spec, tensors, ground.envelope, seed, say, site)
    took_s = time.perf_counter() - started
    practised = replace(practised, graph=floored(practised.graph, tensors, spec.floor))
    command = f"understudy train --site {site} --seed {seed} --out {out}"
    manifest = _manifest(spec, tensors, ground, practised.graph, Training(command=command, seed=seed, algorithm="ppo"))
    manifest, novelty = with_novelty(manifest, practised.graph, tensors, ground, say)
    table = evaluate_seeds(practised.graph, manifest, tensors, ground, EVALUATION_SEEDS, say)
    manifest = manifest.model_copy(update={"score": dict(table["mean"]["candidate"])})
    signing = read_or_make_key(key)
    card = _scorecard(practised, took_s, table, command) | {"novelty": novelty}
    digest = write_bundle(out, manifest, practised.graph, card, signing)
    say(f"bundle {digest[:12]} in {out}, signed by key {key_id(signing.public_key())}")
    say(f"a site serves it once {key.with_suffix('.pub')} lies in its trust folder: {site}/trust/")
    return digest


def with_novelty(
    manifest: Manifest, graph: bytes, tensors: Tensors, ground: Ground, say: Callable[[str], None]
) -> tuple[Manifest, dict[str, object]]:
    """The manifest with the statistics of novelty, and what the score card says of them."""
    lived = live_through(graph, tensors, ground)
    statistics = fitted(lived)
    refused = false_refusals(statistics, lived)
    say(
        "novelty refuses of weeks never practised on: "
        + ", ".join(f"{who} {100 * share:.2f} %" for who, share in refused.items())
    )
    return manifest.model_copy(update={"novelty": statistics}), described(statistics, refused)


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


def _manifest(spec: TrainingSpec, tensors: Tensors, ground: Ground, graph: bytes, training: Training) -> Manifest:
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
