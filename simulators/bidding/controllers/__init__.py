"""What bids today: four pure controllers, each `propose(memory, view) -> (memory, multiplier)`."""

from simulators.bidding.controllers.base import Incumbent, Memory
from simulators.bidding.controllers.dual import DualGradient
from simulators.bidding.controllers.horizon import Landscape, RecedingHorizon, survey
from simulators.bidding.controllers.pid import PidPacing
from simulators.bidding.controllers.target import BidAtTarget

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
