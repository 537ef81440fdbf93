"""What a console takes and answers, and what it costs the sidecar that it stands beside."""
