/*
 * lookup.c - the conversation that a packet belongs to. Asked several times for each packet, and
 * dear when Wireshark does it: what is known already is not looked up again. Next: state.c for the
 * sessions of a conversation.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "store.h"

/* The conversation that was found last: a packet asks for its own several times. */
static struct {
    uint32_t epoch; /* 0: none */
    uint32_t packet, from_port, to_port;
    const void *from, *to;
    conversation_t *conversation;
} last_found;

/* Those found in the packets before, each in a place of its own. */
#define FOUND_BEFORE 2048u
#define ADDRESS_MAX 16
struct end {
    uint32_t port;
    uint8_t address[ADDRESS_MAX];
};
static struct found_before {
    conversation_t *conversation;
    int type, length; /* of both addresses */
    struct end ends[2];
} found_before[FOUND_BEFORE];

void wsx_store_lookup_init(void) {
    last_found.epoch = 0;
    memset(found_before, 0, sizeof found_before);
}

/* The same for both directions. Ports and last bytes are enough to spread connections. */
static struct found_before *place_of(const packet_info *pinfo) {
    const uint8_t *from = pinfo->src.data, *to = pinfo->dst.data;
    unsigned last = from[pinfo->src.len - 1] + to[pinfo->dst.len - 1];
    return &found_before[(pinfo->srcport + pinfo->destport + 61u * last) % FOUND_BEFORE];
}

static bool is_end(const struct end *end, const address *address, uint32_t port) {
    return end->port == port && memcmp(end->address, address->data, (size_t)address->len) == 0;
}

/* Wireshark's look-up makes keys and hashes them, and TCP has just done it for this packet. What
 * was found before is still right when TCP came upon it now, and none that began later has its
 * ends. */
static conversation_t *find_again(packet_info *pinfo) {
    const address *from = &pinfo->src, *to = &pinfo->dst;
    if (pinfo->ptype != PT_TCP || pinfo->use_conv_addr_port_endpoints || pinfo->conv_elements ||
        from->len <= 0 || from->len > ADDRESS_MAX || to->len != from->len || to->type != from->type)
        return find_conversation_pinfo(pinfo, 0);
    struct found_before *place = place_of(pinfo);
    conversation_t *conversation = place->conversation;
    if (conversation && conversation->last_frame == pinfo->num && !conversation->next &&
        place->type == from->type && place->length == from->len) {
        bool back = !is_end(&place->ends[0], from, pinfo->srcport);
        if (is_end(&place->ends[back], from, pinfo->srcport) &&
            is_end(&place->ends[!back], to, pinfo->destport))
            return conversation;
    }
    conversation = find_conversation_pinfo(pinfo, 0);
    if (!conversation)
        return NULL;
    place->conversation = conversation;
    place->type = from->type;
    place->length = from->len;
    place->ends[0].port = pinfo->srcport;
    place->ends[1].port = pinfo->destport;
    memcpy(place->ends[0].address, from->data, (size_t)from->len);
    memcpy(place->ends[1].address, to->data, (size_t)to->len);
    return conversation;
}

static conversation_t *find_or_remember(packet_info *pinfo) {
    uint32_t epoch = wsx_store_epoch();
    if (epoch && last_found.epoch == epoch && last_found.packet == pinfo->num &&
        last_found.from == pinfo->src.data && last_found.to == pinfo->dst.data &&
        last_found.from_port == pinfo->srcport && last_found.to_port == pinfo->destport)
        return last_found.conversation;
    conversation_t *conversation = find_again(pinfo);
    last_found.epoch = conversation ? epoch : 0;
    last_found.packet = pinfo->num;
    last_found.from_port = pinfo->srcport;
    last_found.to_port = pinfo->destport;
    last_found.from = pinfo->src.data;
    last_found.to = pinfo->dst.data;
    last_found.conversation = conversation;
    return conversation;
}

/* Under QUIC, Wireshark's dissectors look for conversations of their own. */
conversation_t *wsx_store_conversation(packet_info *pinfo, bool create) {
    if (pinfo->ptype != PT_UDP) {
        conversation_t *there = find_or_remember(pinfo);
        return there || !create ? there : find_or_create_conversation(pinfo);
    }
    conversation_type type = conversation_pt_to_conversation_type(pinfo->ptype);
    conversation_t *conversation = find_conversation(pinfo->num, &pinfo->src, &pinfo->dst, type,
                                                     pinfo->srcport, pinfo->destport, 0);
    if (!conversation && create)
        conversation = conversation_new(pinfo->num, &pinfo->src, &pinfo->dst, type, pinfo->srcport,
                                        pinfo->destport, 0);
    return conversation;
}
