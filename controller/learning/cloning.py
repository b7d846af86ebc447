"""Warm start: the actor first learns to do what the incumbent does, so that training starts from a working controller."""

import numpy as np
import torch
from numpy.typing import NDArray
from stable_baselines3.common.policies import ActorCriticPolicy

from controller.learning.environment import TrainingEnv
from controller.learning.spec import Clone

Rows = NDArray[np.float32]


def watch(env: TrainingEnv, steps: int) -> tuple[Rows, Rows]:
    """Run the incumbent; return its inputs and its targets as features [steps * n, inputs] and answers [steps * n, outputs]."""
    seen, targets = [env.reset()], []
    incumbent = env.plants.incumbent()
    for _ in range(steps):
        command = incumbent(env.plants.signals, env.plants.setpoints)
        targets.append(env.tensors.answer(command))
        env.advance(command)
        seen.append(env.features())
    return np.concatenate(seen[:-1]), np.concatenate(targets)


def clone(policy: ActorCriticPolicy, seen: Rows, targets: Rows, settings: Clone, seed: int) -> float:
    """Fit the actor's mean to the incumbent's answers; return the mean squared error of the last epoch."""
    shuffled = torch.Generator().manual_seed(seed)
    inputs, wanted = torch.as_tensor(seen), torch.as_tensor(targets)
    actor = [*policy.mlp_extractor.policy_net.parameters(), *policy.action_net.parameters()]
    optimiser = torch.optim.Adam(actor, lr=settings.learning_rate)
    for _ in range(settings.epochs):
        losses = []
        for rows in torch.randperm(len(inputs), generator=shuffled).split(settings.batch):
            mean = policy.action_net(policy.mlp_extractor.policy_net(inputs[rows]))
            loss = torch.mean((mean - wanted[rows]) ** 2)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            losses.append(loss.item())
    return float(np.mean(losses))
