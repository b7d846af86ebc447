"""Evidence of schema 1, which had a name in it for the one cost and the one guard there were, as schema 2 writes it."""

from collections.abc import Mapping, Sequence
from typing import Any

Plain = Mapping[str, Any]


def from_schema_1(plain: Plain, guards: Sequence[str]) -> dict[str, Any]:
    """The same evidence in the keys of schema 2; every number is kept to the bit.

    `guards` names the guards of the plant. The one guard of schema 1 takes the name of the only one; a plant without a guard
    counted zeros, which are dropped. Raises ValueError where a plant has several, KeyError on what is not evidence.
    """
    if len(guards) > 1:
        raise ValueError(f"it counted one guard, the plant has {', '.join(guards)}: use another state directory")

    def by_name(value: Any) -> dict[str, Any]:
        return dict.fromkeys(guards, value)

    def outcome(part: Plain) -> dict[str, Any]:
        return _renamed(part, cost="energy_kwh") | {"guards": by_name(part["hot_degree_minutes"])}

    def arm(part: Plain) -> dict[str, Any]:
        return {**part, "guards": by_name(part["hot_degree_minutes"])}

    settings, benefit, group = plain["settings"], plain["benefit"], plain["benefit"]["group"]
    if group is not None:
        sides = {side: arm(group[side]) for side in ("candidate", "incumbent")}
        group = _renamed(group, floor="floor_kwh") | sides
    return {
        **plain,
        "settings": _renamed(settings, cost_clip_frac="energy_clip_frac")
        | {"guard_clips": by_name(settings["quality_clip_degree_minutes"])},
        "benefit": _renamed(benefit, cost="energy") | {"guards": by_name(benefit["quality"]), "group": group},
        "last": None if plain["last"] is None else outcome(plain["last"]),
        "block": None if plain["block"] is None else outcome(plain["block"]),
    }


def _renamed(part: Plain, **names: str) -> dict[str, Any]:
    """A copy in which each new name holds the value of the old one. Keys nothing reads any more are left in."""
    return {**part, **{new: part[old] for new, old in names.items()}}
