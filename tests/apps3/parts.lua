-- A dissector of the tests: parts of four bytes, and how often it is called, for handover.py.
-- SPDX-License-Identifier: GPL-2.0-or-later
local proto = Proto("wsxparts", "Parts of four bytes")
local part = ProtoField.string("wsxparts.part", "Part")
proto.fields = { part }

function proto.dissector(tvb, pinfo, tree)
    if tvb:len() < 4 then
        if pinfo.can_desegment == 0 then
            return 0
        end
        pinfo.desegment_offset = 0
        pinfo.desegment_len = DESEGMENT_ONE_MORE_SEGMENT
        return tvb:len()
    end
    pinfo.cols.protocol = "PARTS"
    pinfo.cols.info = "part " .. tvb(0, 4):string()
    tree:add(proto, tvb(0, 4)):add(part, tvb(0, 4))
    return 4
end

proto:register_heuristic("ws", function(tvb, pinfo, tree)
    if tvb:len() < 4 or tvb(0, 4):string() ~= "HEUR" then
        return false
    end
    proto.dissector(tvb, pinfo, tree)
    return true
end)
DissectorTable.get("ws.protocol"):add("parts-token", proto)
DissectorTable.get("ws.port"):add(8123, proto)
