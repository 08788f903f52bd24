/*
 * search.h - where frames begin again, when bytes over a header were lost or the capture begins in
 * the middle (RFC 6455 5.2): bytes in, the offset of a plausible chain of frames out. Evidence is
 * counted in bits, so that chance is a matter of arithmetic: a header that random bytes show once
 * in 128 places is worth 7. Judges nothing else. Used by stream.c, and by the heuristic.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef WSX_CORE_SEARCH_H
#define WSX_CORE_SEARCH_H

#include "frame.h"

/* What frames of a direction look like. */
enum wsx_masking { WSX_UNMASKED, WSX_MASKED, WSX_MASKING_UNKNOWN };
struct wsx_expectation {
    enum wsx_masking masking;
    bool rsv1;    /* RSV1 may be set on the first frame of a message */
    bool any_rsv; /* an unknown extension: any reserved bit may be set on any frame */
};

/* Bits that a chain needs: one false start in 2^13 searches of 2^17 places. */
#define WSX_EVIDENCE_ENOUGH 30
/* A frame that begins where a segment begins: one place in about a thousand. */
#define WSX_EVIDENCE_SEGMENT_START 10
/* The same right behind a hole: one place of the search, which would be worth 17 if what else may
 * begin there, the rest of a payload, were random bytes. */
#define WSX_EVIDENCE_HOLE_END 14
/* A chain that ends where a segment ends: one length of 128. Lengths of 16 bits are not random: */
#define WSX_EVIDENCE_SEGMENT_END 7
#define WSX_EVIDENCE_SEGMENT_END_LONG 12
/* What the first frame of a chain needs of its own, or it is left out: in a payload, one place in
 * forty looks like a header, and one in a hundred of those ends where the next frame begins. */
#define WSX_EVIDENCE_OWN 16

/* Bytes searched at a time; over them, what is there is given up and the search begins anew. */
#define WSX_SEARCH_BYTES (256u * 1024u)
/* A longer payload is not plausible where frames are searched for. */
#define WSX_SEARCH_LENGTH_MAX (UINT64_C(1) << 30)

/* Bits of evidence that a header is one, -1 when it can't be. previous: the header before it in the
 * chain, NULL if there is none. */
int wsx_evidence_header(const struct wsx_frame_header *header,
                        const struct wsx_frame_header *previous,
                        const struct wsx_expectation *expectation);

/* Bits from a payload, masked as on the wire: text that is UTF-8, a close code. `have` bytes are
 * there; -1 when it can't be. */
int wsx_evidence_payload(const struct wsx_frame_header *header, const uint8_t *payload,
                         size_t have);

/* What a chain of frames from the start of `bytes` on is worth. */
struct wsx_chain {
    int bits;          /* -1: no chain of frames begins here */
    unsigned frames;   /* frames whose headers are whole */
    bool masked;       /* the frames are masked */
    bool ends_exactly; /* the last frame ends with the bytes */
    uint64_t end;      /* where the frame behind these begins, from the start of the bytes */
};
/* Bonuses for where a segment begins or ends are the caller's to add. */
struct wsx_chain wsx_chain_read(const uint8_t *bytes, size_t length,
                                const struct wsx_expectation *expectation);

struct wsx_search;

struct wsx_search *wsx_search_new(const struct wsx_expectation *expectation);
void wsx_search_free(struct wsx_search *search);

/* A run of consecutive bytes; offsets rise, and may leave holes out. start_bits: what it is worth
 * for a frame to begin with the run. ends_segment: a segment ends with it. */
void wsx_search_add(struct wsx_search *search, uint64_t offset, const uint8_t *bytes, size_t length,
                    uint32_t packet, int start_bits, bool ends_segment);

struct wsx_found {
    uint64_t offset; /* of the first frame that is believed */
    unsigned frames; /* of the chain that is the evidence */
};
/* True when a plausible chain is there. */
bool wsx_search_find(struct wsx_search *search, struct wsx_found *found);

/* The best chain so far. */
struct wsx_best {
    int bits;
    unsigned frames; /* 0: there is none */
    bool masked;
};
struct wsx_best wsx_search_best(struct wsx_search *search);

/* Bytes added since the search began (given up ones too). */
uint64_t wsx_search_bytes(const struct wsx_search *search);

/* The runs from `offset` on, in order; false behind the last. *index begins with 0. The bytes live
 * as long as the search. */
bool wsx_search_run(const struct wsx_search *search, unsigned *index, uint64_t offset,
                    uint64_t *run_offset, const uint8_t **bytes, size_t *length, uint32_t *packet);

#endif
