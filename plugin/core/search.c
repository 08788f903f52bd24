/*
 * search.c - looking for a plausible chain of frames; see search.h.
 *
 * Every byte may be where a frame begins: a candidate. A candidate is followed from header to
 * header as far as bytes are there; most die at their first or second header. One that waits for
 * bytes far ahead sleeps until they have come; it then goes on near where it stopped, and one that
 * was followed far enough is looked at once: the work grows with the bytes alone.
 *
 * What a header is worth is not taken from a table alone: where the bytes searched are full of what
 * looks like headers (small numbers in a binary payload), one more says little.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "search.h"

#include "utf8.h"

#include <glib.h>
#include <string.h>

/* Payload bytes looked at in one frame. */
#define LOOK_MAX 64u
/* What text can add: a piece of text inside another payload is text too. */
#define TEXT_BITS_MAX 16
/* Frames of a chain that are followed: by then it has its evidence. */
#define CHAIN_MAX 64u
/* Frames from which on a chain that sleeps keeps its place: few live so long. */
#define SAVED_MIN 8u

/* Bytes looked at before the bytes themselves say more than a table of random ones. */
#define HABIT_BYTES 256u

struct candidate {
    uint64_t start;
    uint64_t wake;      /* not worth a look before the bytes up to here are there */
    struct walk *saved; /* where it goes on then; NULL: at its start */
};

struct run {
    uint64_t offset;
    size_t length, position; /* position in `bytes` */
    uint32_t packet;
    int start_bits;
    bool ends_segment;
};

struct wsx_search {
    struct wsx_expectation expectation;
    GByteArray *bytes;
    GArray *runs;        /* struct run */
    GArray *candidates;  /* struct candidate, by start */
    unsigned headers[3]; /* places where a header may stand, by its form of length */
    unsigned seen[256];  /* bytes by value */
    unsigned counted;    /* bytes in both of these */
    uint64_t end;        /* offset behind the last byte */
    uint64_t taken;      /* bytes added */
};

/* ---- evidence ---- */

static bool order_is_possible(const struct wsx_frame_header *header,
                              const struct wsx_frame_header *previous) {
    unsigned opcode = wsx_header_opcode(header);
    if (!previous || wsx_opcode_is_control(opcode) ||
        wsx_opcode_is_control(wsx_header_opcode(previous)))
        return true;
    /* behind a last frame a message begins, behind another one it goes on */
    return wsx_header_fin(previous) == (opcode != WSX_OPCODE_CONTINUATION);
}

int wsx_evidence_header(const struct wsx_frame_header *header,
                        const struct wsx_frame_header *previous,
                        const struct wsx_expectation *expectation) {
    unsigned opcode = wsx_header_opcode(header), rsv = wsx_header_rsv(header);
    bool control = wsx_opcode_is_control(opcode);
    if ((opcode > WSX_OPCODE_BINARY && opcode < WSX_OPCODE_CLOSE) || opcode > WSX_OPCODE_PONG)
        return -1;
    bool rsv1_fits = expectation->rsv1 && !control && opcode != WSX_OPCODE_CONTINUATION;
    if (!expectation->any_rsv && (rsv & (rsv1_fits ? 3u : 7u)))
        return -1;
    if (control && (!wsx_header_fin(header) || header->length_form))
        return -1;
    if (expectation->masking != WSX_MASKING_UNKNOWN &&
        header->masked != (expectation->masking == WSX_MASKED))
        return -1;
    if ((header->length_form == 2 && header->payload_length < 126) ||
        (header->length_form == 8 && header->payload_length < 65536) ||
        header->payload_length > WSX_SEARCH_LENGTH_MAX)
        return -1;
    /* runs of zeros must not look like frames without end */
    if (!control && !wsx_header_fin(header) && !header->payload_length)
        return -1;
    if (!order_is_possible(header, previous))
        return -1;
    int bits = expectation->any_rsv ? 2 : expectation->rsv1 ? 4 : 5;
    if (expectation->masking != WSX_MASKING_UNKNOWN)
        bits++;
    return bits + (header->length_form == 2 ? 7 : header->length_form == 8 ? 30 : 1);
}

static int text_bits(const uint8_t *text, size_t length, bool whole) {
    struct wsx_utf8 state = {0};
    int bits = 0;
    if (!wsx_utf8_feed(&state, text, length) || (whole && !wsx_utf8_complete(&state)))
        return -1;
    for (size_t i = 0; i < length; i++) {
        if (text[i] < 0x20 && text[i] != '\n' && text[i] != '\r' && text[i] != '\t')
            bits -= 4; /* legal, and rare */
        else
            bits++;
    }
    return CLAMP(bits, 0, TEXT_BITS_MAX);
}

int wsx_evidence_payload(const struct wsx_frame_header *header, const uint8_t *payload,
                         size_t have) {
    uint8_t plain[LOOK_MAX];
    size_t look = MIN(have, LOOK_MAX);
    bool whole = look == header->payload_length;
    unsigned opcode = wsx_header_opcode(header);
    if (!look)
        return opcode == WSX_OPCODE_CLOSE && header->payload_length == 1 ? -1 : 0;
    wsx_unmask(plain, payload, look, header->key, 0);
    if (opcode == WSX_OPCODE_TEXT && !wsx_header_rsv(header))
        return text_bits(plain, look, whole && wsx_header_fin(header));
    if (opcode != WSX_OPCODE_CLOSE)
        return 0;
    if (header->payload_length == 1)
        return -1;
    if (look < 2)
        return 0;
    unsigned code = (unsigned)plain[0] << 8 | plain[1];
    if (code < 1000 || code > 4999)
        return -1;
    int reason = text_bits(plain + 2, look - 2, whole);
    return reason < 0 ? -1 : reason + 4;
}

struct wsx_chain wsx_chain_read(const uint8_t *bytes, size_t length,
                                const struct wsx_expectation *expectation) {
    struct wsx_chain chain = {0};
    struct wsx_expectation expected = *expectation;
    struct wsx_frame_header header, previous;
    while (chain.end < length && chain.frames < CHAIN_MAX) {
        const uint8_t *at = bytes + chain.end;
        size_t left = length - (size_t)chain.end;
        unsigned size = wsx_frame_header_parse(at, left, &header);
        if (!size)
            break;
        int bits = wsx_evidence_header(&header, chain.frames ? &previous : NULL, &expected);
        size_t have = (size_t)MIN((uint64_t)(left - size), header.payload_length);
        int more = bits < 0 ? -1 : wsx_evidence_payload(&header, at + size, have);
        if (more < 0)
            return (struct wsx_chain){.bits = -1};
        if (expected.masking == WSX_MASKING_UNKNOWN)
            expected.masking = header.masked ? WSX_MASKED : WSX_UNMASKED;
        chain.masked = header.masked;
        chain.bits += bits + more;
        chain.frames++;
        chain.end += size + header.payload_length;
        previous = header;
    }
    chain.ends_exactly = chain.frames > 0 && chain.end == length;
    return chain;
}

/* ---- the bytes ---- */

struct wsx_search *wsx_search_new(const struct wsx_expectation *expectation) {
    struct wsx_search *search = g_new0(struct wsx_search, 1);
    search->expectation = *expectation;
    search->bytes = g_byte_array_new();
    search->runs = g_array_new(FALSE, FALSE, sizeof(struct run));
    search->candidates = g_array_new(FALSE, FALSE, sizeof(struct candidate));
    return search;
}

static void drop_candidates(struct wsx_search *search) {
    for (guint i = 0; i < search->candidates->len; i++)
        g_free(g_array_index(search->candidates, struct candidate, i).saved);
    g_array_set_size(search->candidates, 0);
}

void wsx_search_free(struct wsx_search *search) {
    if (!search)
        return;
    drop_candidates(search);
    g_byte_array_free(search->bytes, TRUE);
    g_array_free(search->runs, TRUE);
    g_array_free(search->candidates, TRUE);
    g_free(search);
}

uint64_t wsx_search_bytes(const struct wsx_search *search) { return search->taken; }

/* What the first byte of a header alone rules out: nine places of ten need no memory. */
static bool may_begin(const struct wsx_expectation *expectation, uint8_t first) {
    unsigned opcode = first & 15u, rsv = first >> 4 & 7u;
    if ((opcode > WSX_OPCODE_BINARY && opcode < WSX_OPCODE_CLOSE) || opcode > WSX_OPCODE_PONG)
        return false;
    return expectation->any_rsv || !(rsv & (expectation->rsv1 ? 3u : 7u));
}

static unsigned form_of(unsigned length_form) { return length_form == 8 ? 2 : length_form / 2; }

/* What the bytes look like where nobody knows what they are. */
static void count_bytes(struct wsx_search *search, const uint8_t *bytes, size_t length) {
    struct wsx_frame_header header;
    for (size_t i = 0; i < length; i++) {
        search->seen[bytes[i]]++;
        if (may_begin(&search->expectation, bytes[i]) &&
            wsx_frame_header_parse(bytes + i, MIN(length - i, WSX_HEADER_MAX), &header) &&
            wsx_evidence_header(&header, NULL, &search->expectation) > 0)
            search->headers[form_of(header.length_form)]++;
    }
    search->counted += (unsigned)length;
}

/* Bits for what happened `others` times elsewhere in the searched bytes; at most `most`, which
 * random bytes would give. */
static int rarity(const struct wsx_search *search, unsigned others, int most) {
    int bits = 0;
    unsigned all = search->counted + HABIT_BYTES;
    unsigned expected = most < 32 ? HABIT_BYTES >> most : 0;
    for (unsigned odds = all / (others + MAX(expected, 1)); odds > 1 && bits < most; odds /= 2)
        bits++;
    return most > 8 && !others ? most : bits;
}

void wsx_search_add(struct wsx_search *search, uint64_t offset, const uint8_t *bytes, size_t length,
                    uint32_t packet, int start_bits, bool ends_segment) {
    if (!length)
        return;
    if (search->bytes->len + length > WSX_SEARCH_BYTES) {
        g_byte_array_set_size(search->bytes, 0);
        g_array_set_size(search->runs, 0);
        drop_candidates(search);
        memset(search->headers, 0, sizeof search->headers);
        memset(search->seen, 0, sizeof search->seen);
        search->counted = 0;
    }
    struct run run = {offset, length, search->bytes->len, packet, start_bits, ends_segment};
    g_array_append_val(search->runs, run);
    g_byte_array_append(search->bytes, bytes, (guint)length);
    for (size_t i = 0; i < length; i++) {
        struct candidate candidate = {offset + i, offset + i + 2, NULL};
        if (may_begin(&search->expectation, bytes[i]))
            g_array_append_val(search->candidates, candidate);
    }
    count_bytes(search, bytes, length);
    search->end = offset + length;
    search->taken += length;
}

static struct run *run_at(const struct wsx_search *search, guint index) {
    return &g_array_index(search->runs, struct run, index);
}

/* Index of the run that holds this byte; the number of runs if none does. */
static guint run_find(const struct wsx_search *search, uint64_t offset) {
    guint low = 0, high = search->runs->len;
    while (low < high) {
        guint middle = low + (high - low) / 2;
        const struct run *run = run_at(search, middle);
        if (offset < run->offset)
            high = middle;
        else if (offset >= run->offset + run->length)
            low = middle + 1;
        else
            return middle;
    }
    return search->runs->len;
}

/* Bytes from `offset` on up to the first hole, at most `max`; NULL when this byte is in a hole.
 * *start_bits: what it is worth that a run begins there. */
static const uint8_t *peek(const struct wsx_search *search, uint64_t offset, size_t max,
                           size_t *have, int *start_bits) {
    guint index = run_find(search, offset);
    *have = 0;
    if (index == search->runs->len)
        return NULL;
    const struct run *run = run_at(search, index);
    const uint8_t *at = search->bytes->data + run->position + (offset - run->offset);
    *start_bits = offset == run->offset ? run->start_bits : 0;
    *have = run->length - (size_t)(offset - run->offset);
    while (*have < max && ++index < search->runs->len) {
        const struct run *next = run_at(search, index);
        if (next->offset != run->offset + run->length)
            break;
        *have += next->length;
        run = next;
    }
    *have = MIN(*have, max);
    return at;
}

static bool is_segment_end(const struct wsx_search *search, uint64_t offset) {
    guint index = offset ? run_find(search, offset - 1) : search->runs->len;
    if (index == search->runs->len)
        return false;
    const struct run *run = run_at(search, index);
    return run->ends_segment && offset == run->offset + run->length;
}

/* What following a candidate gave. */
struct walk {
    bool dead, waits;       /* no chain of frames; it goes on behind the bytes that are there */
    bool masked;            /* the last frame is */
    uint8_t header_bits[3]; /* what a header of each form is worth at most; its frames: */
    uint8_t headers[3];
    uint8_t frames;
    int bits, own_bits; /* of the chain; of its first frame alone */
    enum wsx_masking masking;
    uint32_t last_tail; /* first bytes of the last frame's payload */
    struct wsx_frame_header previous;
    uint64_t at;     /* where the next frame begins */
    uint64_t second; /* where the frame behind the first begins */
    uint64_t wake;
};

/* What the chain's headers are worth among what else looks like headers. */
static int weigh_headers(const struct wsx_search *search, const struct walk *walk) {
    int bits = 0;
    for (unsigned form = 0; form < 3; form++) {
        unsigned own = walk->headers[form], all = search->headers[form];
        if (own)
            bits += (int)own * rarity(search, all > own ? all - own : 0, walk->header_bits[form]);
    }
    return bits;
}

/* The last frame ends where a segment ends: chance, where its length is a frequent byte. */
static int weigh_end(const struct wsx_search *search, const struct wsx_frame_header *last) {
    if (last->length_form)
        return WSX_EVIDENCE_SEGMENT_END_LONG;
    unsigned byte = (unsigned)last->payload_length | (last->masked ? 0x80u : 0);
    unsigned times = search->seen[byte];
    return rarity(search, times ? times - 1 : 0, WSX_EVIDENCE_SEGMENT_END);
}

/* Behind another frame, an empty one, a small one with the same header, or the same frame again say
 * nothing: so do equal numbers look, and one byte again and again. `tail`, `last_tail`: first bytes
 * of the payloads. */
static bool is_pattern(const struct wsx_frame_header *header, uint32_t tail,
                       const struct wsx_frame_header *previous, uint32_t last_tail) {
    if (header->masked ? memcmp(header->key, previous->key, 4) != 0 : header->payload_length > 6)
        return header->first == previous->first && tail == last_tail && !header->masked &&
               header->payload_length == previous->payload_length;
    return !header->payload_length ||
           (header->first == previous->first && header->payload_length == previous->payload_length);
}

/* A fragment in the middle of a message looks like a length of 16 bits, which many protocols have
 * in front of each unit: it says nothing. */
static bool is_length(const struct wsx_frame_header *header) {
    return header->first == WSX_OPCODE_CONTINUATION;
}

static uint32_t tail_of(const uint8_t *payload, size_t have) {
    uint32_t tail = 0;
    memcpy(&tail, payload, MIN(have, sizeof tail));
    return tail;
}

static void walk_count(struct walk *walk, const struct wsx_frame_header *header, int bits) {
    unsigned form = form_of(header->length_form);
    walk->headers[form]++;
    walk->header_bits[form] = (uint8_t)MAX(walk->header_bits[form], bits);
}

/* Takes the next frame; false where the chain ends. */
static bool follow_frame(const struct wsx_search *search, struct walk *walk) {
    struct wsx_expectation expected = search->expectation;
    struct wsx_frame_header header;
    size_t have;
    int start_bits = 0;
    const uint8_t *bytes = peek(search, walk->at, WSX_HEADER_MAX + LOOK_MAX, &have, &start_bits);
    unsigned size = bytes ? wsx_frame_header_parse(bytes, have, &header) : 0;
    if (!size) {
        /* a header in a hole can't be followed; one at the end may still come */
        walk->dead = !bytes || walk->at + have < search->end;
        walk->wake = search->end + 1;
        return false;
    }
    expected.masking = walk->masking;
    int bits = wsx_evidence_header(&header, walk->frames ? &walk->previous : NULL, &expected);
    size_t payload = (size_t)MIN((uint64_t)(have - size), header.payload_length);
    int more = bits < 0 ? -1 : wsx_evidence_payload(&header, bytes + size, payload);
    walk->dead = more < 0;
    if (walk->dead)
        return false;
    walk->masking = header.masked ? WSX_MASKED : WSX_UNMASKED;
    uint32_t tail = tail_of(bytes + size, payload);
    bool pattern = walk->frames && is_pattern(&header, tail, &walk->previous, walk->last_tail);
    /* a payload of equal bytes, masked, repeats itself, also where segments begin */
    if (!is_length(&header) && !(pattern && header.masked))
        walk->bits += more + start_bits;
    if (!is_length(&header) && !pattern)
        walk_count(walk, &header, bits);
    walk->at += size + header.payload_length;
    if (!walk->frames) {
        walk->own_bits = walk->bits + weigh_headers(search, walk);
        walk->second = walk->at;
    }
    walk->frames++;
    walk->masked = header.masked;
    walk->previous = header;
    walk->last_tail = tail;
    return true;
}

/* Offsets rise: nothing comes any more that changes the frames before the last one, whose payload
 * may not all be there. */
static void save(struct candidate *candidate, const struct walk *walk) {
    if (!candidate->saved)
        candidate->saved = g_new(struct walk, 1);
    *candidate->saved = *walk;
}

static struct walk follow(const struct wsx_search *search, struct candidate *candidate) {
    struct walk walk = {.masking = search->expectation.masking, .at = candidate->start}, last;
    if (candidate->saved)
        walk = *candidate->saved;
    last = walk;
    while (walk.at < search->end && walk.frames < CHAIN_MAX) {
        last = walk;
        if (!follow_frame(search, &walk))
            break;
    }
    walk.waits = !walk.dead && walk.frames < CHAIN_MAX;
    if (walk.waits && last.frames >= SAVED_MIN)
        save(candidate, &last);
    walk.bits += weigh_headers(search, &walk);
    if (walk.frames && is_segment_end(search, walk.at))
        walk.bits += weigh_end(search, &walk.previous);
    candidate->wake = MAX(walk.wake, walk.at + 2);
    return walk;
}

/* Follows those candidates for which bytes have come, up to the first that is worth `enough`; the
 * best of them. What can't become one is forgotten. */
static struct walk follow_all(struct wsx_search *search, int enough, struct candidate *of) {
    struct walk best = {0};
    guint kept = 0;
    for (guint i = 0; i < search->candidates->len; i++) {
        struct candidate candidate = g_array_index(search->candidates, struct candidate, i);
        if (best.bits < enough && candidate.wake <= search->end) {
            struct walk walk = follow(search, &candidate);
            if (!walk.dead && walk.frames && walk.bits > best.bits) {
                best = walk;
                *of = candidate;
            }
            if (!walk.waits) {
                g_free(candidate.saved);
                continue;
            }
        }
        g_array_index(search->candidates, struct candidate, kept++) = candidate;
    }
    g_array_set_size(search->candidates, kept);
    return best;
}

struct wsx_best wsx_search_best(struct wsx_search *search) {
    struct candidate of;
    struct walk walk = follow_all(search, G_MAXINT, &of);
    return (struct wsx_best){walk.bits, walk.frames, walk.masked};
}

bool wsx_search_find(struct wsx_search *search, struct wsx_found *found) {
    struct candidate of;
    struct walk walk = follow_all(search, WSX_EVIDENCE_ENOUGH, &of);
    if (walk.bits < WSX_EVIDENCE_ENOUGH)
        return false;
    /* what the first frame is worth now, not when the chain was begun */
    of.saved = NULL;
    walk = follow(search, &of);
    g_free(of.saved);
    bool own = walk.own_bits >= WSX_EVIDENCE_OWN || walk.frames == 1;
    *found = (struct wsx_found){own ? of.start : walk.second, walk.frames};
    return true;
}

bool wsx_search_run(const struct wsx_search *search, unsigned *index, uint64_t offset,
                    uint64_t *run_offset, const uint8_t **bytes, size_t *length, uint32_t *packet) {
    for (; *index < search->runs->len; ++*index) {
        const struct run *run = run_at(search, *index);
        if (run->offset + run->length <= offset)
            continue;
        size_t drop = offset > run->offset ? (size_t)(offset - run->offset) : 0;
        *run_offset = run->offset + drop;
        *bytes = search->bytes->data + run->position + drop;
        *length = run->length - drop;
        *packet = run->packet;
        ++*index;
        return true;
    }
    return false;
}
