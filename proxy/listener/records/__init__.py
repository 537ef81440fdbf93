"""What is written of an exchange that is over: a line of the access log, a line of the debug log, a span."""
