"""Training and export of bundles. The only package that may import torch."""
