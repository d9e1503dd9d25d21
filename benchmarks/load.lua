-- Requests from a file, in order: method, path, token and body, separated by tabs. THINK: mean pause in milliseconds
-- between a response and the connection's next request. THREADS: wrk's -t; each thread reads its own part of the file.
local requests, at, think, threads = {}, 0, tonumber(os.getenv("THINK")), tonumber(os.getenv("THREADS"))
local known = 0
local ffi = require("ffi")
ffi.cdef("int usleep(unsigned int microseconds);")

function setup(thread)
  thread:set("number", known)
  known = known + 1
end

-- wrk's threads start as soon as they are ready: reading the whole file in each would take a second of the load's
-- core, during which the first threads already measure.
function init()
  math.randomseed(number)  -- otherwise all threads would pause alike
  local file = io.open(os.getenv("REQUESTS"))
  local share = file:seek("end") / threads
  local left = math.floor((number + 1) * share) - math.floor(number * share)
  file:seek("set", math.floor(number * share))
  if number > 0 then left = left - #file:read("*l") - 1 end  -- the rest of a line that belongs to the previous thread
  while left > 0 do
    local line = file:read("*l")
    left = left - #line - 1
    local method, path, token, body = line:match("^([^\t]*)\t([^\t]*)\t([^\t]*)\t?(.*)$")
    local headers = { Host = wrk.host .. ":" .. wrk.port, Authorization = "Bearer " .. token }
    if body ~= "" then headers["Content-Type"] = "application/json" end
    requests[#requests + 1] = wrk.format(method, path, headers, body ~= "" and body or nil)
  end
  file:close()
end

-- wrk's delay() has a resolution of milliseconds: connections that waited together would send together again. The
-- measured latency begins after this pause.
function request()
  if think > 0 then ffi.C.usleep(math.random() * 2000 * think) end
  at = at % #requests + 1
  return requests[at]
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    '\nRESULT {"requests":%d,"microseconds":%d,"p50":%d,"p99":%d,"failed":%d,"broken":%d}\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99), errors.status,
    errors.connect + errors.read + errors.write + errors.timeout))
end
