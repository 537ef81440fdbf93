"""Where finished spans go, and which are recorded. Knows the SDK; imported when `configure` or a test asks for it."""
