"""Makes spans: our Span, its start, spans that nobody records, and the settings of `configure`."""
