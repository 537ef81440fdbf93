"""Values to bounded, scrubbed text. Pure: values in, text out; no spans, no Context, no clock."""
