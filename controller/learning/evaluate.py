"""`understudy evaluate`: any bundle of a site beside the site's other controllers."""

from collections.abc import Sequence
from pathlib import Path

from controller.learning.spec import TrainingError
from controller.learning.tensors import Tensors
from controller.learning.training_site import Say, Spec, TrainingSite
from controller.policies.bundle import load_bundle
from controller.policies.manifest import Manifest
from controller.policies.trust import TrustStore


def evaluate_bundle(site: TrainingSite[Spec], bundle: Path, seeds: Sequence[int], say: Say) -> None:
    """Print a bundle's table over these seeds with `say`.

    Raises:
        BundleError: its signature is not one that the site trusts.
        TrainingError: it is for another plant, or has a history above 1.
    """
    loaded = load_bundle(bundle, TrustStore.load(site.folder / "trust"))
    if loaded.manifest.history != 1:
        raise TrainingError("bundles with a history above 1 cannot be evaluated in a batch yet")
    if loaded.manifest.envelope_digest != site.envelope.digest:
        say("note: the bundle was trained under another envelope than this site's")
    tensors = bundle_tensors(loaded.manifest, site)
    say(site.shown(site.evaluate(loaded.policy, loaded.manifest, tensors, seeds, lambda line: None)))


def bundle_tensors(manifest: Manifest, site: TrainingSite[Spec]) -> Tensors:
    """The tensors of a bundle. Raises TrainingError where it is made for another plant."""
    signals = tuple(spec.name for spec in site.signals)
    setpoints = tuple(spec.name for spec in site.setpoints)
    known = {
        "signal": set(signals),
        "setpoint": set(setpoints),
        "calendar": {spec.name for spec in manifest.inputs},
    }
    strange = [spec.name for spec in manifest.inputs if spec.name not in known[spec.kind]]
    strange += [name for name in setpoints if name not in {spec.setpoint for spec in manifest.outputs}]
    if strange:
        raise TrainingError(f"bundle `{manifest.name}` is for another plant: `{strange[0]}` does not fit this site")
    return Tensors(manifest.inputs, manifest.outputs, signals, setpoints)
