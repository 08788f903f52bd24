-- Stands in for a dissector of NATS where Wireshark has none: lines, and behind PUB and MSG a payload. For handover.py.
-- SPDX-License-Identifier: GPL-2.0-or-later
local proto = Proto("nats", "NATS, in a few lines")
local message = ProtoField.string("nats.protocol.message", "Message")
local subject = ProtoField.string("nats.subject", "Subject")
local payload = ProtoField.string("nats.payload", "Payload")
proto.fields = { message, subject, payload }

-- The unit at `at`: its line, and the length of its payload; nil when it is not whole.
local function unit_at(text, at)
    local stop = text:find("\r\n", at + 1, true)
    if not stop then
        return nil
    end
    local line = text:sub(at + 1, stop - 1)
    local size = line:match("^PUB .* (%d+)$") or line:match("^MSG .* (%d+)$")
    local behind = stop + 1 + (size and tonumber(size) + 2 or 0)
    if behind > #text then
        return nil
    end
    return line, behind, size and text:sub(stop + 2, stop + 1 + tonumber(size))
end

function proto.dissector(tvb, pinfo, tree)
    local text, at = tvb:raw(), 0
    pinfo.cols.protocol = "NATS"
    while at < #text do
        local line, behind, body = unit_at(text, at)
        if not line then
            pinfo.desegment_offset = at
            pinfo.desegment_len = DESEGMENT_ONE_MORE_SEGMENT
            return tvb:len()
        end
        local sub = tree:add(proto, tvb(at, behind - at))
        sub:add(message, line:match("^%S+"))
        if body then
            sub:add(subject, line:match("^%S+ (%S+)"))
            sub:add(payload, body)
        end
        at = behind
    end
    return tvb:len()
end
