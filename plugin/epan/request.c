/*
 * request.c - heads of requests that HTTP does not put together: those in a CONNECT tunnel, and all
 * where its preference to desegment is off. Only GET: no other method asks for WebSocket in
 * HTTP/1.1. upgrade.c reads the head from here; nothing else does. First pass.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "request.h"

#include "answer.h"

#include <glib.h>
#include <string.h>

/* Heads at once; one more takes the place of the oldest. Each has up to 16 KiB (answer.c). */
#define REQUESTS 64u

static struct request {
    const void *flow;  /* NULL: free */
    uint64_t number;   /* of all that began, in their order */
    uint32_t sequence; /* of its first byte */
    size_t searched;   /* bytes in which no head ends */
    struct wsx_answer *bytes;
} requests[REQUESTS];
static unsigned begun; /* those with a flow */
static uint64_t numbers;

static void request_clear(struct request *request) {
    begun -= request->flow != NULL;
    g_free(request->bytes);
    *request = (struct request){.flow = NULL};
}

void wsx_request_init(void) {
    for (unsigned i = 0; i < REQUESTS; i++)
        request_clear(&requests[i]);
    numbers = 0;
}

bool wsx_request_waits(void) { return begun != 0; }

static bool may_begin(const uint8_t *bytes, size_t length) {
    return length && memcmp(bytes, "GET ", MIN(length, 4)) == 0;
}

/* A line end behind another one. */
static bool has_end(const uint8_t *bytes, size_t from, size_t to) {
    const uint8_t *at = bytes + from, *end = bytes + to;
    while ((at = memchr(at, '\n', (size_t)(end - at))) != NULL) {
        at++;
        if ((at < end && *at == '\n') || (end - at > 1 && at[0] == '\r' && at[1] == '\n'))
            return true;
    }
    return false;
}

static struct request *request_of(const void *flow) {
    for (unsigned i = 0; i < REQUESTS; i++)
        if (requests[i].flow == flow)
            return &requests[i];
    return NULL;
}

bool wsx_request_began(const void *flow) { return request_of(flow) != NULL; }

static struct request *request_oldest(void) {
    struct request *oldest = requests;
    for (unsigned i = 1; i < REQUESTS; i++)
        if (requests[i].number < oldest->number)
            oldest = &requests[i];
    return oldest;
}

static struct request *request_new(const void *flow, uint32_t sequence) {
    struct request *request = request_of(flow);
    if (!request)
        request = request_of(NULL);
    if (!request)
        request = request_oldest();
    request_clear(request);
    request->flow = flow;
    request->number = numbers++;
    begun++;
    request->sequence = sequence;
    return request;
}

size_t wsx_request_piece(const void *flow, uint32_t sequence, const uint8_t *bytes, size_t length,
                         const uint8_t **head) {
    struct request *request = request_of(flow);
    int32_t offset = request ? (int32_t)(sequence - request->sequence) : 0;
    if (request && (offset < 0 || (uint32_t)offset >= WSX_ANSWER_BYTES))
        request = NULL; /* it was never whole */
    if (!request) {
        if (!may_begin(bytes, length) || has_end(bytes, 0, length))
            return 0;
        request = request_new(flow, sequence);
        offset = 0;
    }
    uint64_t at = 0;
    wsx_answer_add(&request->bytes, (uint64_t)offset, bytes, length);
    size_t have = request->bytes ? wsx_answer_next(request->bytes, 0, &at, head) : 0;
    if (!have || at || !may_begin(*head, have)) {
        request_clear(request);
        return 0;
    }
    bool ended = has_end(*head, request->searched, have);
    request->searched = have > 3 ? have - 3 : 0;
    if (!ended)
        return 0;
    request->flow = NULL; /* its bytes stay until the place is taken */
    begun--;
    return have;
}
