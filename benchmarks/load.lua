-- Requests from a file, one after the other: method, path, token, body, between tabs. THINK: mean milliseconds between
-- an answer and the connection's next request. THREADS: wrk's -t; each takes its own part of the file.
local requests, at, think, threads = {}, 0, tonumber(os.getenv("THINK")), tonumber(os.getenv("THREADS"))
local known = 0
local ffi = require("ffi")
ffi.cdef("int usleep(unsigned int microseconds);")

function setup(thread)
  thread:set("number", known)
  known = known + 1
end

-- The threads that are ready don't wait for those that are not: to read the whole file in each would take the load's
-- processor a second in which the first of them measure already.
function init()
  math.randomseed(number)  -- else all threads would pause alike
  local file = io.open(os.getenv("REQUESTS"))
  local share = file:seek("end") / threads
  local left = math.floor((number + 1) * share) - math.floor(number * share)
  file:seek("set", math.floor(number * share))
  if number > 0 then left = left - #file:read("*l") - 1 end  -- the rest of a line: it is the thread's before
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

-- wrk's own delay() knows whole milliseconds only: whoever was kept waiting together would come again together. The
-- latency begins after this.
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
