-- Every request has ids and a page number of its own, so that nothing gains by remembering them: 4096 requests are made
-- once from the one that the command line describes, and sent in turn. At the end, what wrk counted is printed as one line
-- of JSON, after its own report. Latency is in microseconds.
local TRACE_ID = "463ac35c9f6413ad48485a3953bb6124"
local SPAN_ID = "a2fb4a1d1a96d312"
local requests, turn = {}, 0

local function hex(digits)
  local parts = {}
  for i = 1, digits / 4 do parts[i] = string.format("%04x", math.random(1, 65535)) end
  return table.concat(parts)
end

init = function(args)
  math.randomseed(7)
  local whole = wrk.format()
  for i = 1, 4096 do
    requests[i] = whole:gsub(TRACE_ID, hex(32)):gsub(SPAN_ID, hex(16)):gsub("page=1", "page=" .. i, 1)
  end
end

request = function()
  turn = turn % 4096 + 1
  return requests[turn]
end

done = function(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    '\nJSON {"requests": %d, "duration_us": %d, "p50_us": %.1f, "p99_us": %.1f, "bad_status": %d, "bad_socket": %d}\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99), errors.status,
    errors.connect + errors.read + errors.write + errors.timeout))
end
