"""Plants to train and rehearse on: pure batched physics, gymnasium environments around it. Imports nothing of ours."""
