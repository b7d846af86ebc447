"""How unlike its training a candidate's situation and proposal are, taken together: the signal `candidate_novelty`.

The measure is Mahalanobis' distance of the policy's inputs and targets, divided by a threshold. Split-conformal
prediction finds the threshold on data that the fit has not seen (Vovk, Gammerman, Shafer, Algorithmic Learning in a
Random World, 2005, chapter 4). It is a budget of nuisance refusals, not a guarantee: a threshold at alpha refuses a share alpha of
exchangeable data, and tomorrow's plant is not exchangeable with last year's.

The statistics are frozen in the signed bundle; nothing learns here. Sums are exact (`fsum`), so a score has the same bits
on every machine; the decision stores it, so a replay does not even compute it.
"""

from collections.abc import Mapping, Sequence
from math import fsum, isfinite, sqrt
from operator import mul

from controller.policies.features import MissingInputError, inputs_of
from controller.policies.manifest import Manifest, NoveltyStatistics
from safety.values import Observation, Proposal, Signal, Status

SIGNAL = "candidate_novelty"


class NoveltyMeter:
    """Measures the proposals of one bundle. Without statistics in the manifest it says nothing, and nothing is unknown."""

    def __init__(self, manifest: Manifest) -> None:
        self._inputs, self._outputs = manifest.inputs, manifest.outputs
        self._statistics = manifest.novelty

    def __call__(self, seen: Observation, proposal: Proposal) -> Mapping[str, Signal]:
        """`candidate_novelty` [1], at most 1 for what is like the training data; empty where it cannot be computed.

        It cannot without statistics, without a proposal, or where an input is missing, not good or not finite.
        """
        if self._statistics is None or proposal.status is not Status.OK:
            return {}
        try:
            value = score(self._statistics, [*self._seen(seen), *self._targets(proposal)])
        except (MissingInputError, KeyError, ArithmeticError, ValueError):  # sums of infinities have no value either
            return {}
        return {SIGNAL: Signal(value)} if isfinite(value) else {}

    def _seen(self, seen: Observation) -> list[float]:
        values = inputs_of(self._inputs, seen)
        return [(value - spec.centre) / spec.scale for spec, value in zip(self._inputs, values, strict=True)]

    def _targets(self, proposal: Proposal) -> list[float]:
        return [(proposal.targets[spec.setpoint] - spec.centre) / spec.scale for spec in self._outputs]


def score(statistics: NoveltyStatistics, row: Sequence[float]) -> float:
    """Distance of a row over the threshold [1]: |W (x - mean)| / threshold, W lower triangular. Summed exactly."""
    away = [value - mean for value, mean in zip(row, statistics.mean, strict=True)]
    whitened = [fsum(map(mul, weights, away)) for weights in statistics.whitening]
    return sqrt(fsum(map(mul, whitened, whitened))) / statistics.threshold
