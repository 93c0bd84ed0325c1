local header = kong.request.get_header("Authorization")
local token = header and string.match(header, "[Bb]earer%s+(.+)")
local payload = token and string.match(token, "^[^.]*%.([^.]*)%.")
local subject
if payload then
  payload = string.gsub(string.gsub(payload, "%-", "+"), "_", "/")
  local claims = ngx.decode_base64(payload .. string.rep("=", -#payload % 4))
  subject = claims and string.match(claims, '"sub"%s*:%s*"([%w-]+)"')
end
kong.service.request.set_header("X-RateLimit-Subject", subject or "none")
