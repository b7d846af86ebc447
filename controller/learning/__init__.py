"""Training and export of bundles, for any plant that provides a `TrainingSite`. Imports torch; knows no plant."""
