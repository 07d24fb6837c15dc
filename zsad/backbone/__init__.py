"""Stage 2, image -> features: frozen vision towers, read through their parameters."""
