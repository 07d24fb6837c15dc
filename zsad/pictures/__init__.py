"""What people look at: heat colours, overlays that explain themselves, the picture of a notebook."""
