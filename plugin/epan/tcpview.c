/*
 * tcpview.c - the TCP header found again in the packet, see tcpview.h. It is looked for by its
 * ports, and by the sequence number that Wireshark's own analysis has of the packet.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "tcpview.h"

#include "compat.h"

#include <epan/ipproto.h>

/* Headers before TCP's are rarely longer, tunnels included. */
#define LOOK_MAX 400u
#define TCP_HEADER_MIN 20u

static uint32_t word(const uint8_t *at) {
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static bool is_datagram(const struct data_source *source) {
    char *name = wsx_data_source_name(source);
    bool is = name && g_str_has_prefix(name, "Reassembled IPv");
    wmem_free(NULL, name);
    return is;
}

/* What TCP's header lies in: the datagram that was put together from fragments in this packet, the
 * innermost one; else the packet. NULL if there is none. */
static tvbuff_t *carrier(const packet_info *pinfo) {
    const struct data_source *found = pinfo->data_src ? pinfo->data_src->data : NULL;
    for (GSList *list = found ? pinfo->data_src->next : NULL; list; list = list->next)
        if (is_datagram(list->data))
            found = list->data;
    return found ? get_data_source_tvb(found) : NULL;
}

static const uint8_t *carrier_bytes(tvbuff_t *tvb, unsigned *length) {
    *length = tvb ? tvb_captured_length(tvb) : 0;
    return *length ? tvb_get_ptr(tvb, 0, (int)*length) : NULL;
}

/* The next place from `at` on where a TCP header with the packet's ports may be; `length` if there
 * is none. */
static unsigned next_header(const packet_info *pinfo, const uint8_t *bytes, unsigned length,
                            unsigned at) {
    const uint8_t ports[] = {(uint8_t)(pinfo->srcport >> 8), (uint8_t)pinfo->srcport,
                             (uint8_t)(pinfo->destport >> 8), (uint8_t)pinfo->destport};
    unsigned end = length < TCP_HEADER_MIN ? 0 : MIN(length - TCP_HEADER_MIN + 1, LOOK_MAX);
    unsigned rare = 0; /* zeros are everywhere in headers */
    while (rare < 3 && !ports[rare])
        rare++;
    while (at < end) {
        const uint8_t *found = memchr(bytes + at + rare, ports[rare], end - at);
        if (!found)
            break;
        at = (unsigned)(found - bytes) - rare;
        if (memcmp(bytes + at, ports, sizeof ports) == 0 && bytes[at + 12] >> 4 >= 5)
            return at;
        at++;
    }
    return length;
}

/* Where tcp.analyze_sequence_numbers is off: the length of the payload by the IP header that is
 * directly before TCP's, else by the length of what it lies in. */
static uint32_t length_by_ip(const uint8_t *bytes, unsigned at, unsigned whole) {
    uint32_t header = (bytes[at + 12] >> 4) * 4u, total = 0;
    for (unsigned ip = 20; ip <= 60 && ip <= at && !total; ip += 4)
        if (bytes[at - ip] == (0x40 | ip / 4) && bytes[at - ip + 9] == IP_PROTO_TCP)
            total = MAX(word(bytes + at - ip) & 0xFFFF, ip) - ip;
    if (!total && at >= 40 && bytes[at - 40] >> 4 == 6 && bytes[at - 34] == IP_PROTO_TCP)
        total = word(bytes + at - 36) >> 16;
    if (!total) /* 0 there: a segment that the network card was yet to cut */
        total = MAX(whole, at) - at;
    return MAX(total, header) - header;
}

unsigned wsx_tcp_flags(packet_info *pinfo) {
    unsigned length, at = 0, flags = 0;
    const uint8_t *bytes = carrier_bytes(carrier(pinfo), &length);
    if (!bytes)
        return 0x1FF;
    while ((at = next_header(pinfo, bytes, length, at)) < length) {
        flags |= bytes[at + 13];
        if (!(bytes[at + 13] & TH_RST) && length_by_ip(bytes, at, length))
            flags |= WSX_TCP_PAYLOAD;
        at++;
    }
    return flags ? flags : 0x1FF;
}

/* What the analysis knows of this very packet; NULL if it knows nothing. */
static const tcp_unacked_t *analysed(const packet_info *pinfo, const struct tcp_analysis *tcp) {
    const tcp_analyze_seq_flow_info_t *info = tcp->fwd ? tcp->fwd->tcp_analyze_seq_info : NULL;
    const tcp_unacked_t *segment = info ? info->segments : NULL;
    return segment && segment->frame == pinfo->num ? segment : NULL;
}

/* The place of the packet's header in `tvb`; false if it is not there. */
static bool find_header(const packet_info *pinfo, tvbuff_t *tvb, const tcp_unacked_t *segment,
                        const uint8_t **bytes, unsigned *length, unsigned *at) {
    *bytes = carrier_bytes(tvb, length);
    if (!*bytes)
        return false;
    *at = next_header(pinfo, *bytes, *length, 0);
    while (*at < *length && segment && word(*bytes + *at + 4) != segment->seq)
        *at = next_header(pinfo, *bytes, *length, *at + 1);
    return *at < *length;
}

bool wsx_tcp_view(packet_info *pinfo, const struct tcp_analysis *tcp, struct wsx_tcp_view *view) {
    unsigned length, at;
    tvbuff_t *tvb = carrier(pinfo);
    const uint8_t *bytes;
    const tcp_unacked_t *segment = analysed(pinfo, tcp);
    bool found = find_header(pinfo, tvb, segment, &bytes, &length, &at);
    /* else in what was decrypted or unpacked below TCP: Wi-Fi, IPsec, WireGuard, MACsec. Two ports
     * alone may stand anywhere */
    for (GSList *list = pinfo->data_src; list && segment && !found; list = list->next) {
        tvb = get_data_source_tvb(list->data);
        found = find_header(pinfo, tvb, segment, &bytes, &length, &at);
    }
    if (!found)
        return false;
    unsigned header = (bytes[at + 12] >> 4) * 4u;
    *view = (struct wsx_tcp_view){.sequence = word(bytes + at + 4),
                                  .acknowledgement = word(bytes + at + 8),
                                  .flags = bytes[at + 13]};
    if (view->flags & TH_SYN) /* it takes a number, the payload begins with the next (RFC 7413) */
        view->sequence++;
    if (segment) {
        uint32_t spent = view->flags & (TH_FIN | TH_SYN) ? 1 : 0;
        view->length = segment->nextseq - segment->seq;
        view->length -= MIN(spent, view->length);
    } else {
        view->length = length_by_ip(bytes, at, tvb_reported_length(tvb));
    }
    if (view->flags & TH_RST) /* what it carries is no part of the stream (RFC 9293 3.5.3) */
        view->length = 0;
    if (at + header <= length) {
        view->payload = bytes + at + header;
        view->captured = MIN(length - at - header, view->length);
    }
    return true;
}

/* A preference of TCP's that is on or off; `otherwise` where there is none of that name. */
static bool tcp_preference(const char *name, pref_t **preference, bool otherwise) {
    if (!*preference) {
        module_t *module = prefs_find_module("tcp");
        *preference = module ? prefs_find_preference(module, name) : NULL;
    }
    return *preference ? prefs_get_bool_value(*preference, pref_current) : otherwise;
}

/* What struct tcpinfo's sequence numbers are counted from. */
static uint32_t sequence_base(const struct tcp_analysis *tcp) {
    static pref_t *analysis, *relative;
    bool is_relative = tcp_preference("relative_sequence_numbers", &relative, true) &&
                       tcp_preference("analyze_sequence_numbers", &analysis, true);
    return is_relative && tcp->fwd ? tcp->fwd->base_seq : 0;
}

uint32_t wsx_tcp_sequence(const struct tcp_analysis *tcp, uint32_t sequence) {
    return sequence + sequence_base(tcp);
}

bool wsx_tcp_is_inside(const struct tcp_analysis *tcp, const struct wsx_tcp_view *view) {
    if (!tcp->fwd || !tcp->fwd->multisegment_pdus)
        return false;
    uint32_t sequence = view->sequence - sequence_base(tcp);
    const struct tcp_multisegment_pdu *pdu =
        wmem_tree_lookup32_le(tcp->fwd->multisegment_pdus, sequence);
    return pdu && (int32_t)(sequence - pdu->seq) > 0 && (int32_t)(pdu->nxtpdu - sequence) > 0;
}

bool wsx_tcp_waits_for_late(void) {
    static pref_t *preference;
    return tcp_preference("reassemble_out_of_order", &preference, false);
}
