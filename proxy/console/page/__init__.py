"""The page's static files. No Python."""
