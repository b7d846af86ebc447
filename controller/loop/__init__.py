"""What happens in one control period."""
