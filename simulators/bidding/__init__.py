"""Real-time bidding: campaigns, impressions, market prices, auctions, ledgers."""
