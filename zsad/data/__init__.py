"""Where samples come from: dataset layouts, the catalog, and the procedural world."""
