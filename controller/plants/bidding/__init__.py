"""The advertiser account: settings, plant, incumbent, candidate."""
