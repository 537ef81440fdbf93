"""Who makes a span: our Span, what starts it, the ones that nobody records, and what `configure` has set."""
