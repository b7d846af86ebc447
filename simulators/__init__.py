"""Plants to train and rehearse on: pure batched physics with gymnasium environments around it. Imports nothing of ours."""
