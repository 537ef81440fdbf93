"""The console: receives OTLP, keeps it, and answers what people ask of traces. Never imported by the data plane."""
