"""What surrounds an account: campaigns, traffic, seasons, events, and how worlds are drawn."""
