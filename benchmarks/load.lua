-- Requests from a file, one after the other: method, path, token, body, between tabs. THINK: mean milliseconds between
-- an answer and the connection's next request. THREADS: wrk's -t; each takes its own part of the file.
local requests, at, think, threads = {}, 0, tonumber(os.getenv("THINK")), tonumber(os.getenv("THREADS"))
local known = 0

function setup(thread)
  known = known + 1
  thread:set("number", known)
end

function init()
  math.randomseed(number)  -- else all threads would pause alike
  local line_number = 0
  for line in io.lines(os.getenv("REQUESTS")) do
    line_number = line_number + 1
    if line_number % threads == number % threads then
      local method, path, token, body = line:match("^([^\t]*)\t([^\t]*)\t([^\t]*)\t?(.*)$")
      local headers = { Host = wrk.host .. ":" .. wrk.port, Authorization = "Bearer " .. token }
      if body ~= "" then headers["Content-Type"] = "application/json" end
      requests[#requests + 1] = wrk.format(method, path, headers, body ~= "" and body or nil)
    end
  end
end

function request()
  at = at % #requests + 1
  return requests[at]
end

if think > 0 then
  function delay() return math.random(0, math.floor(2 * think)) end
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    '\nRESULT {"requests":%d,"microseconds":%d,"p50":%d,"p99":%d,"failed":%d,"broken":%d}\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99), errors.status,
    errors.connect + errors.read + errors.write + errors.timeout))
end
