"""The running system: loop, plants, policies, rollout, store, operator interfaces."""
