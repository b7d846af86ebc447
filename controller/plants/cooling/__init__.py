"""The cooling plant: its kind, settings, plant, scenario and incumbent; `training` has reward, evaluation and bundles."""
