"""The advertiser account: its kind, settings, plant and incumbent; `training` makes its candidate."""
