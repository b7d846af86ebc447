"""One tick of the auctions: prices, bids, reservations, charges; the state and its parameters."""
