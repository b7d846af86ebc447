"""What is computed with the accounts: bounds, evaluations, generated pages."""
