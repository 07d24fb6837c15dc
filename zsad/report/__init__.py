"""What people look at: heat colours, overlays, contact sheets and the HTML report."""
