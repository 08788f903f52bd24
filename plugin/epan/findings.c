/*
 * findings.c - findings to the tree, see findings.h. What they say was decided before.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "findings.h"

#include "fields.h"
#include "info.h"

/* Where a rule is seen; those that are not listed, in the item as a whole. */
static const uint8_t place_of_rule[WSX_RULE_COUNT] = {
    [WSX_RULE_HS_ACCEPT_WRONG] = WSX_AT_ACCEPT,
    [WSX_RULE_HS_ACCEPT_REPEATED] = WSX_AT_ACCEPT,
    [WSX_RULE_HS_KEY_INVALID] = WSX_AT_HANDSHAKE_KEY,
    [WSX_RULE_HS_KEY_REPEATED] = WSX_AT_HANDSHAKE_KEY,
    [WSX_RULE_HS_KEY_REUSED] = WSX_AT_HANDSHAKE_KEY,
    [WSX_RULE_HS_VERSION_UNSUPPORTED] = WSX_AT_VERSION,
    [WSX_RULE_HS_REFUSED] = WSX_AT_STATUS,
    [WSX_RULE_HS_SUBPROTOCOL_NOT_OFFERED] = WSX_AT_PROTOCOL,
    [WSX_RULE_HS_SUBPROTOCOL_MULTIPLE] = WSX_AT_PROTOCOL,
    [WSX_RULE_HS_SUBPROTOCOL_OFFER_INVALID] = WSX_AT_PROTOCOL,
    [WSX_RULE_HS_EXTENSION_NOT_OFFERED] = WSX_AT_EXTENSIONS,
    [WSX_RULE_HS_EXTENSION_GRAMMAR] = WSX_AT_EXTENSIONS,
    [WSX_RULE_HS_EXTENSION_UNKNOWN] = WSX_AT_EXTENSIONS,
    [WSX_RULE_DEFLATE_PARAM_UNKNOWN] = WSX_AT_EXTENSIONS,
    [WSX_RULE_DEFLATE_PARAM_REPEATED] = WSX_AT_EXTENSIONS,
    [WSX_RULE_DEFLATE_PARAM_VALUE] = WSX_AT_EXTENSIONS,
    [WSX_RULE_DEFLATE_CLIENT_WINDOW_NOT_OFFERED] = WSX_AT_EXTENSIONS,
    [WSX_RULE_DEFLATE_SERVER_WINDOW_REFUSED] = WSX_AT_EXTENSIONS,
    [WSX_RULE_DEFLATE_TAKEOVER_REFUSED] = WSX_AT_EXTENSIONS,
    [WSX_RULE_H2_PSEUDO_HEADER_MISSING] = WSX_AT_URI,
    [WSX_RULE_FRAME_MASK_MISSING] = WSX_AT_MASK,
    [WSX_RULE_FRAME_MASK_UNEXPECTED] = WSX_AT_MASK,
    [WSX_RULE_FRAME_RSV_NONZERO] = WSX_AT_RSV,
    [WSX_RULE_DEFLATE_RSV1_MISPLACED] = WSX_AT_RSV1,
    [WSX_RULE_FRAME_OPCODE_RESERVED] = WSX_AT_OPCODE,
    [WSX_RULE_FRAME_CONTINUATION_ORPHAN] = WSX_AT_OPCODE,
    [WSX_RULE_FRAME_MESSAGE_INTERLEAVED] = WSX_AT_OPCODE,
    [WSX_RULE_CLOSE_DATA_AFTER] = WSX_AT_OPCODE,
    [WSX_RULE_CLOSE_CONTROL_AFTER] = WSX_AT_OPCODE,
    [WSX_RULE_FRAME_LENGTH_NOT_MINIMAL] = WSX_AT_LENGTH,
    [WSX_RULE_FRAME_CONTROL_TOO_LONG] = WSX_AT_LENGTH,
    [WSX_RULE_FRAME_LIMIT] = WSX_AT_LENGTH,
    [WSX_RULE_FRAME_CONTROL_FRAGMENTED] = WSX_AT_FIN,
    [WSX_RULE_FRAME_MASK_KEY_ZERO] = WSX_AT_KEY,
    [WSX_RULE_FRAME_MASK_KEY_REUSED] = WSX_AT_KEY,
    [WSX_RULE_MESSAGE_UTF8_INVALID] = WSX_AT_TEXT,
    [WSX_RULE_CLOSE_BODY_ONE_BYTE] = WSX_AT_PAYLOAD,
    [WSX_RULE_CLOSE_CODE_INVALID] = WSX_AT_CLOSE_CODE,
    [WSX_RULE_CLOSE_CODE_UNREGISTERED] = WSX_AT_CLOSE_CODE,
    [WSX_RULE_CLOSE_CODE_WRONG_ROLE] = WSX_AT_CLOSE_CODE,
    [WSX_RULE_CLOSE_ECHO_DIFFERS] = WSX_AT_CLOSE_CODE,
    [WSX_RULE_CLOSE_REASON_UTF8] = WSX_AT_CLOSE_REASON,
    [WSX_RULE_PONG_UNSOLICITED] = WSX_AT_PAYLOAD,
    [WSX_RULE_DEFLATE_FAILED] = WSX_AT_PAYLOAD,
    [WSX_RULE_DEFLATE_WINDOW_EXCEEDED] = WSX_AT_PAYLOAD,
    [WSX_RULE_DEFLATE_TAKEOVER_VIOLATED] = WSX_AT_PAYLOAD,
    [WSX_RULE_DEFLATE_TAIL_KEPT] = WSX_AT_PAYLOAD,
    [WSX_RULE_DEFLATE_CONTEXT_LOST] = WSX_AT_PAYLOAD,
    [WSX_RULE_DEFLATE_LIMIT] = WSX_AT_PAYLOAD,
};

static int severity_of(enum wsx_severity severity) {
    static const int severities[] = {PI_CHAT, PI_NOTE, PI_WARN, PI_ERROR};
    return severities[severity];
}

static proto_item *place_of(const struct wsx_places *places, enum wsx_rule rule) {
    proto_item *item = places->at[place_of_rule[rule]];
    /* bad text of an unfinished message lies in its frame's payload */
    if (!item && rule == WSX_RULE_MESSAGE_UTF8_INVALID)
        item = places->at[WSX_AT_PAYLOAD];
    return item ? item : places->at[WSX_AT_ITEM];
}

/* Without a tree the expert item still goes to the taps and to the packet's severity. */
void wsx_findings_show(const struct wsx_finding *findings, packet_info *pinfo, tvbuff_t *tvb,
                       const struct wsx_places *places) {
    for (const struct wsx_finding *finding = findings; finding; finding = finding->next) {
        const struct wsx_rule_info *info = wsx_rule_info(finding->rule);
        const char *text = wmem_strdup_printf(
            pinfo->pool, "%s%s%s%s%s%s", info->text, *finding->detail ? ": " : "",
            wsx_shown(pinfo->pool, finding->detail), *info->reference ? " (" : "", info->reference,
            *info->reference ? ")" : "");
        proto_item *rule = NULL;
        if (places) {
            proto_item *place = place_of(places, finding->rule);
            proto_tree *tree = proto_item_add_subtree(place, ett_wsx_finding);
            rule = proto_tree_add_string(tree, hf_rule, tvb, 0, 0, info->id);
            proto_item_set_generated(rule);
        }
        wsx_expert_add(pinfo, rule, finding->rule, severity_of(finding->severity), text);
        if (finding->packet && rule)
            proto_item_set_generated(
                proto_tree_add_uint(proto_item_add_subtree(rule, ett_wsx_finding),
                                    hf_finding_packet, tvb, 0, 0, finding->packet));
    }
}
