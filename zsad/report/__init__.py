"""The HTML report of a run: which images it shows, their thumbnails, the page."""
