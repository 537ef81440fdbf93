-- Prints what wrk counted as one line of JSON, after its own report. Latency is in microseconds.
done = function(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format(
    '\nJSON {"requests": %d, "duration_us": %d, "p50_us": %.1f, "p99_us": %.1f, "bad_status": %d, "bad_socket": %d}\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99), errors.status,
    errors.connect + errors.read + errors.write + errors.timeout))
end
