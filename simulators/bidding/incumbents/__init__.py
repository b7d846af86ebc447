"""What bids today: four pure controllers, each `propose(memory, view) -> (memory, multiplier)`."""

from simulators.bidding.incumbents.base import Incumbent, Memory
from simulators.bidding.incumbents.dual import DualGradient
from simulators.bidding.incumbents.horizon import Landscape, RecedingHorizon, survey
from simulators.bidding.incumbents.pid import PidPacing
from simulators.bidding.incumbents.target import BidAtTarget

__all__ = [
    "BidAtTarget",
    "DualGradient",
    "Incumbent",
    "Landscape",
    "Memory",
    "PidPacing",
    "RecedingHorizon",
    "survey",
]
