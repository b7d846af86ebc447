"""Plants to train and rehearse on: pure batched physics and gymnasium environments. Imports no other package of Understudy."""
