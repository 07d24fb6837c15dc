"""Features -> map and score; a new way of scoring touches no detector, no export and no command."""
