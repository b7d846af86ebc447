"""`understudy train`: from a site to a signed bundle, with the score card of what it is worth."""

import hashlib
import platform
import sys
import time
from collections.abc import Mapping
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from controller.learning.action_floors import floored
from controller.learning.conformal import described
from controller.learning.ppo_training import TrainedPolicy, train_policy
from controller.learning.spec import TrainingSpec
from controller.learning.tensors import Tensors, input_specs, output_specs
from controller.learning.training_site import Say, Spec, TrainingSite
from controller.policies.bundle import write_bundle
from controller.policies.manifest import Manifest, Training
from controller.policies.trust import key_id, read_or_make_key

KEY = Path(".understudy/signing-key.pem")
EVALUATION_SEEDS = (101, 102, 103)
_LIBRARIES = ("numpy", "torch", "stable-baselines3", "onnx", "onnxruntime")


def train_candidate(site: TrainingSite[Spec], out: Path, seed: int, *, key: Path = KEY) -> str:
    """Train, export, evaluate, sign; return the bundle's digest. The same seed and machine give the same graph.

    Args:
        site: that the candidate is for.
        out: folder of the new bundle.
        seed: of the network and of training only; evaluation has seeds of its own.
        key: private key to sign with; made if it does not exist.
    """
    spec = site.training_spec()
    tensors = tensors_of(spec, site)
    started = time.perf_counter()
    trained = train_policy(site, spec, tensors, seed, say)
    took_s = time.perf_counter() - started
    trained = replace(trained, graph=floored(trained.graph, tensors, spec.floor))
    command = f"understudy train --site {site.folder} --seed {seed} --out {out}"
    manifest = _manifest(spec, tensors, site, trained.graph, Training(command=command, seed=seed, algorithm="ppo"))
    manifest, novelty = with_novelty(manifest, trained.graph, tensors, site, say)
    table = site.evaluate(trained.graph, manifest, tensors, EVALUATION_SEEDS, say)
    manifest = manifest.model_copy(update={"score": dict(table["mean"]["candidate"])})
    signing = read_or_make_key(key)
    card = _scorecard(trained, took_s, table, site.shown(table), command) | {"novelty": novelty}
    digest = write_bundle(out, manifest, trained.graph, card, signing)
    say(f"bundle {digest[:12]} in {out}, signed by key {key_id(signing.public_key())}")
    say(f"a site serves it once {key.with_suffix('.pub')} lies in its trust folder: {site.folder}/trust/")
    return digest


def with_novelty(
    manifest: Manifest, graph: bytes, tensors: Tensors, site: TrainingSite[Spec], say: Say
) -> tuple[Manifest, dict[str, object]]:
    """The manifest with the statistics of novelty, and what the score card says of them."""
    statistics, refused = site.novelty(graph, tensors)
    say("novelty refuses of unseen data: " + ", ".join(f"{who} {100 * share:.2f} %" for who, share in refused.items()))
    return manifest.model_copy(update={"novelty": statistics}), described(statistics, refused)


def say(line: str) -> None:
    """One line of progress."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def tensors_of(spec: Spec, site: TrainingSite[Spec]) -> Tensors:
    """The tensors of the policy that a training file asks for. Raises TrainingError for a name the plant does not have."""
    return Tensors(
        input_specs(spec, site.signals, site.setpoints),
        output_specs(spec, site.setpoints),
        tuple(signal.name for signal in site.signals),
        tuple(setpoint.name for setpoint in site.setpoints),
    )


def _manifest(
    spec: TrainingSpec, tensors: Tensors, site: TrainingSite[Spec], graph: bytes, training: Training
) -> Manifest:
    return Manifest(
        schema_version=1,
        name=spec.name,
        plant_kind=spec.plant_kind,
        inputs=tensors.inputs,
        outputs=tensors.outputs,
        control_period_s=spec.control_period_s,
        weights_sha256=hashlib.sha256(graph).hexdigest(),
        envelope_digest=site.envelope.digest,
        training=training,
    )


def _scorecard(
    trained: TrainedPolicy, took_s: float, table: Mapping[str, Any], shown: str, command: str
) -> dict[str, Any]:
    """The facts that a reviewer needs before the bundle may run on a plant."""
    return {
        "command": command,
        "evaluation": dict(table),
        "evaluation_read": shown.splitlines(),
        "practice": {
            "clone_error": round(trained.clone_error, 5),
            "plant_steps": trained.steps,
            "took_s": round(took_s),
            "machine": f"{platform.machine()}, one thread",
        },
        "versions": {name: version(name) for name in _LIBRARIES} | {"python": platform.python_version()},
    }
