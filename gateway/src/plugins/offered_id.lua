local id = kong.request.get_headers(1000)["X-Correlation-Id"]
if type(id) ~= "string" or #id > 64 or not string.match(id, "^[%w._-]+$") then
  kong.service.request.clear_header("X-Correlation-Id")
end
