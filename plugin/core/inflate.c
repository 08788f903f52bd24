/*
 * inflate.c - permessage-deflate for one direction, see inflate.h (RFC 7692 7.2.2, RFC 1951).
 *
 * From the inside out: a struct engine is a zlib stream; a struct job takes one payload through an
 * engine, block by block, because a message's end, a kept tail and a final block can only be told
 * where a block ends; the public functions choose the window a job starts from and keep the
 * history. The window size is always 32 KiB here: distance.c judges the negotiated one.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "inflate.h"
#include "distance.h"

#include <glib.h>
#include <stdlib.h>
#include <string.h>

#define ZLIB_CONST
#include <zlib.h>

/* Streams kept: both directions of so many connections may talk in turn without a copy of their
 * window for each message. 40 KiB each, 10 MiB at most. */
#define ENGINE_COUNT 256

#define HISTORY_MIN 256u

/* Output over the limit goes here, again and again. */
#define SCRATCH_SIZE 16384u

/* The first guess of the output's size, before the buffer doubles. The constant is over 258 (the
 * longest run), so that zlib's fast path serves small messages too; the maximum holds down what a
 * large payload that does not compress would reserve. */
#define GUESS_FACTOR 4u
#define GUESS_MIN 512u
#define GUESS_MAX 1048576u

/* zlib counts in unsigned int. */
#define ZLIB_CHUNK_MAX (1u << 30)

/* Parts of z_stream.data_type after inflate(). */
#define ZLIB_BITS 63
#define ZLIB_BLOCK_END 128

#define BLOCK_HEADER_BITS 3u

/* What the sender removed (RFC 7692 7.2.1): the body of an empty stored block. */
static const uint8_t removed_tail[4] = {0x00, 0x00, 0xff, 0xff};

/* zlib's text for a distance before all history; the one fault that more history may cure. */
static const char too_far_back[] = "invalid distance too far back";

struct engine {
    z_stream stream;
    bool ready;          /* stream is initialised */
    uint64_t generation; /* the wsx_inflate with this generation may go on here; 0 = none */
    uint64_t last_used;  /* tick */
};

/* The only state that outlives a call, and only a cache: losing it costs a copy of the window. */
static struct engine engines[ENGINE_COUNT];
static uint64_t engine_ticks;
static uint64_t last_generation;

enum step {
    STEP_MORE,      /* go on */
    STEP_BLOCK_END, /* a block has ended */
    STEP_DRY,       /* all input is taken, all its output is out */
    STEP_FAILED,    /* see job.reason */
    STEP_BUDGET,    /* over the budget */
};

/* One payload on its way through an engine. */
struct job {
    z_stream *stream;
    const uint8_t *payload;
    size_t length;            /* of payload */
    const uint8_t *input_end; /* of payload, later of removed_tail */
    uint8_t *bytes;           /* output */
    size_t size;              /* allocated for it */
    size_t limit;             /* bytes kept at most */
    uint64_t budget;          /* bytes inflated at most, plus one to see that there are more */
    uint64_t produced;        /* bytes inflated */
    uint8_t *scratch;         /* for those over limit; NULL before */
    uint64_t block_bit;       /* where in the payload the present block begins */
    bool block_final;         /* its BFINAL was set */
    bool tail_kept, header_missing, hard_stopped;
    bool continuable; /* the stream stands where the next message begins */
    const char *reason;
};

/* The engine that stands behind the direction's last message, or else (and for NULL) the one least
 * recently used; of those never used the first, so that few are made where few are needed. */
static struct engine *engine_find(const struct wsx_inflate *inflate) {
    if (inflate && inflate->generation != 0 &&
        engines[inflate->engine].generation == inflate->generation)
        return &engines[inflate->engine];
    struct engine *oldest = &engines[0];
    for (size_t i = 0; i < ENGINE_COUNT && oldest->last_used > 0; i++)
        if (engines[i].last_used < oldest->last_used)
            oldest = &engines[i];
    return oldest;
}

/* Makes the engine ready to begin a message with this window. False without memory. */
static bool engine_load(struct engine *engine, const uint8_t *window, size_t length) {
    z_stream *stream = &engine->stream;
    engine->generation = 0;
    engine->last_used = 0; /* free for the next one, unless engine_keep says otherwise */
    if (!engine->ready) {
        memset(stream, 0, sizeof *stream);
        engine->ready = inflateInit2(stream, -MAX_WBITS) == Z_OK;
        if (!engine->ready)
            return false;
    } else {
        inflateReset(stream);
    }
    return length == 0 || inflateSetDictionary(stream, window, (uInt)length) == Z_OK;
}

/* Reserves the engine for the next message of this direction. */
static void engine_keep(struct engine *engine, struct wsx_inflate *inflate) {
    engine->generation = inflate->generation = ++last_generation;
    inflate->engine = (unsigned)(engine - engines);
    engine->last_used = ++engine_ticks;
}

void wsx_inflate_release(void) {
    for (size_t i = 0; i < ENGINE_COUNT; i++) {
        if (engines[i].ready)
            inflateEnd(&engines[i].stream);
        engines[i] = (struct engine){0};
    }
}

static void job_init(struct job *job, const uint8_t *payload, size_t length,
                     const struct wsx_inflate_limits *limits) {
    *job = (struct job){.payload = payload, .length = length};
    job->limit = limits->output ? limits->output : SIZE_MAX;
    job->budget = UINT64_MAX / 2;
    if (limits->ratio && length < job->budget / limits->ratio)
        job->budget = MAX((uint64_t)length * limits->ratio, WSX_RATIO_FREE);
    if (limits->hard_output)
        job->budget = MIN(job->budget, limits->hard_output);
}

/* Enlarges the output buffer; without memory what is there stays, and is the limit from now on. */
static bool job_grow(struct job *job) {
    size_t size = job->size * 2;
    if (job->size == 0)
        size = job->length > GUESS_MAX ? job->length : job->length * GUESS_FACTOR + GUESS_MIN;
    else if (job->size > SIZE_MAX / 2)
        size = SIZE_MAX;
    size = MIN(size, job->limit);
    if (size > job->budget)
        size = (size_t)job->budget + 1;
    uint8_t *bytes = realloc(job->bytes, size);
    if (bytes == NULL) {
        job->limit = job->size;
        return false;
    }
    job->bytes = bytes;
    job->size = size;
    return true;
}

/* Gives zlib room for output: behind what is there, or over the limit in the scratch buffer. */
static void job_give_room(struct job *job) {
    uint64_t room = job->budget + 1 - job->produced;
    if (job->produced < job->limit && (job->produced < job->size || job_grow(job))) {
        job->stream->next_out = job->bytes + job->produced;
        room = MIN(room, job->size - job->produced);
    } else {
        if (job->scratch == NULL)
            job->scratch = g_malloc(SCRATCH_SIZE);
        job->stream->next_out = job->scratch;
        room = MIN(room, SCRATCH_SIZE);
    }
    job->stream->avail_out = (uInt)MIN(room, ZLIB_CHUNK_MAX);
}

/* One call of zlib. */
static enum step job_step(struct job *job) {
    z_stream *stream = job->stream;
    job_give_room(job);
    size_t input = (size_t)(job->input_end - stream->next_in);
    stream->avail_in = (uInt)MIN(input, ZLIB_CHUNK_MAX);
    uInt room = stream->avail_out;
    int code = inflate(stream, Z_BLOCK);
    job->produced += room - stream->avail_out;
    if (code != Z_OK && code != Z_BUF_ERROR) {
        job->reason = "out of memory";
        if (code == Z_DATA_ERROR)
            job->reason = stream->msg ? stream->msg : "bad data";
        return STEP_FAILED;
    }
    if (job->produced > job->budget) {
        job->hard_stopped = true;
        return STEP_BUDGET;
    }
    if (stream->data_type & ZLIB_BLOCK_END)
        return STEP_BLOCK_END;
    return stream->next_in == job->input_end && stream->avail_out > 0 ? STEP_DRY : STEP_MORE;
}

/*
 * At the beginning of a block, of which zlib already holds `unused` bits (0 to 7); with none of
 * them there must be a byte of payload left. A set BFINAL is
 * hidden from zlib, which would take it for the end of everything and want a reset and the window
 * once more: a hostile payload can have a final block in every two bytes.
 */
static void job_open_block(struct job *job, unsigned unused) {
    z_stream *stream = job->stream;
    const uint8_t *next = stream->next_in;
    job->block_bit = (uint64_t)(next - job->payload) * 8 - unused;
    job->block_final = false;
    if (unused == 0) {
        unused = 8;
        next++;
    }
    int header = next[-1] >> (8 - unused);
    if (!(header & 1))
        return;
    job->block_final = true;
    inflatePrime(stream, -1, 0);
    inflatePrime(stream, (int)unused, header & ~1);
    stream->next_in = next;
}

/* At the end of a block. Returns the number of bits zlib holds of the next one. */
static unsigned job_close_block(struct job *job) {
    unsigned unused = (unsigned)job->stream->data_type & 7;
    if (job->block_final && unused > 0) {
        inflatePrime(job->stream, -1, 0); /* the next block begins at a byte (RFC 7692 7.2.3.4) */
        unused = 0;
    }
    return unused;
}

/*
 * At a block's end with no whole byte of payload left: tells whether the payload ends here for
 * good, without a complete header of the block whose body was removed.
 */
static bool job_ends_bare(struct job *job, unsigned unused) {
    const uint8_t *end = job->payload + job->length;
    if (unused >= BLOCK_HEADER_BITS || (unused > 0 && end[-1] >> (8 - unused) != 0))
        return false;

    /* A kept tail is the body of an empty stored block. Data may end in the same four bytes, so the
     * last block must be of that type, with its header just before them. */
    size_t tail = sizeof removed_tail;
    if (unused == 0 && job->length > tail && memcmp(end - tail, removed_tail, tail) == 0 &&
        (job->block_bit + BLOCK_HEADER_BITS + 7) / 8 == job->length - tail) {
        uint64_t bit = job->block_bit;
        unsigned type = 0;
        for (unsigned i = 0; i < BLOCK_HEADER_BITS; i++, bit++)
            type |= ((unsigned)job->payload[bit / 8] >> bit % 8 & 1u) << i;
        job->tail_kept = type >> 1 == 0;
    }
    job->header_missing = !job->tail_kept;
    return true;
}

/* Takes the payload to its end. STEP_BLOCK_END: it ends there bare; STEP_DRY: inside a block. */
static enum step job_take_payload(struct job *job) {
    if (job->length == 0) { /* there may be no pointer either */
        job->stream->next_in = job->input_end = job->payload;
        job->header_missing = true;
        return STEP_BLOCK_END;
    }
    job->stream->next_in = job->payload;
    job->input_end = job->payload + job->length;
    job_open_block(job, 0);
    for (;;) {
        enum step step = job_step(job);
        if (step == STEP_MORE)
            continue;
        if (step != STEP_BLOCK_END)
            return step;
        unsigned unused = job_close_block(job);
        if (job->stream->next_in == job->input_end && job_ends_bare(job, unused))
            return STEP_BLOCK_END;
        job_open_block(job, unused);
    }
}

/*
 * Behind the payload: what the sender removed. The message is whole only if this ends a block, all
 * of it; no block can begin and end inside these four bytes. What they give when it does not is not
 * the message's.
 */
static void job_take_tail(struct job *job) {
    uint64_t produced = job->produced;
    job->stream->next_in = removed_tail;
    job->input_end = removed_tail + sizeof removed_tail;
    enum step step;
    do
        step = job_step(job);
    while (step == STEP_MORE);

    if (step == STEP_BLOCK_END && job->stream->next_in == job->input_end &&
        ((unsigned)job->stream->data_type & 7) == 0) {
        job->continuable = true;
        return;
    }
    job->produced = produced;
    job->hard_stopped = false;
    job->reason = "the data ends in the middle of a block";
}

/* Hands the result over and ends the job. */
static enum wsx_inflate_result job_finish(struct job *job, size_t input_used,
                                          struct wsx_inflate_output *output) {
    size_t length = (size_t)MIN(job->produced, MIN(job->limit, job->size));
    if (length == 0) {
        free(job->bytes);
        job->bytes = NULL;
    } else if (length < job->size) {
        uint8_t *smaller = realloc(job->bytes, length);
        if (smaller != NULL)
            job->bytes = smaller;
    }
    g_free(job->scratch);
    *output = (struct wsx_inflate_output){
        .bytes = job->bytes,
        .length = length,
        .full_length = job->produced,
        .tail_kept = job->tail_kept,
        .header_missing = job->header_missing,
        .hard_stopped = job->hard_stopped,
        .input_used = input_used,
        .reason = job->reason,
    };
    if (job->reason != NULL)
        return WSX_INFLATE_FAILED;
    if (job->hard_stopped || job->produced > length) {
        output->reason = "the message is larger than the limit";
        return WSX_INFLATE_LIMIT;
    }
    return WSX_INFLATE_OK;
}

/*
 * Takes a payload through an engine that stands at the message's beginning. whole: to the message's
 * end, or else only as far as the payload goes. *continuable: the engine stands where the next
 * message begins.
 */
static enum wsx_inflate_result run_job(struct engine *engine, const uint8_t *payload, size_t length,
                                       const struct wsx_inflate_limits *limits, bool whole,
                                       bool *continuable, struct wsx_inflate_output *output) {
    struct job job;
    job_init(&job, payload, length, limits);
    job.stream = &engine->stream;
    enum step step = job_take_payload(&job);
    size_t used = (size_t)(job.stream->next_in - payload);
    if (step == STEP_FAILED) /* zlib may have read ahead */
        used -= MIN(used, ((unsigned)job.stream->data_type & ZLIB_BITS) / 8);
    if (whole && step == STEP_DRY)
        job_take_tail(&job);
    if (!whole)
        job.tail_kept = job.header_missing = false;
    *continuable = job.continuable;
    return job_finish(&job, used, output);
}

static enum wsx_inflate_result refuse(struct wsx_inflate_output *output, const char *reason) {
    *output = (struct wsx_inflate_output){.reason = reason};
    return WSX_INFLATE_FAILED;
}

/* Loads this window and takes the payload through. */
static enum wsx_inflate_result run_from_window(struct engine *engine, const uint8_t *window,
                                               size_t window_length, const uint8_t *payload,
                                               size_t length,
                                               const struct wsx_inflate_limits *limits, bool whole,
                                               struct wsx_inflate_output *output) {
    bool continuable;
    if (!engine_load(engine, window, window_length))
        return refuse(output, "out of memory");
    return run_job(engine, payload, length, limits, whole, &continuable, output);
}

/* Holds the payload's distances against the negotiated window. window_length: what it began with.
 */
static void judge_distances(const struct wsx_inflate *inflate, const uint8_t *payload,
                            size_t length, size_t window_length, enum wsx_inflate_result result,
                            struct wsx_inflate_output *output) {
    uint32_t window = UINT32_C(1) << inflate->window_bits;
    if (window >= WSX_WINDOW_MAX)
        return;
    if (result != WSX_INFLATE_FAILED && window_length + output->full_length <= window)
        return; /* no distance can be larger than all there is */
    if (output->hard_stopped)
        length = output->input_used;
    output->bad_distance = wsx_distance_over(payload, length, window_length, window);
    output->window_exceeded = output->bad_distance > 0;
}

/* The history, in one piece. */
static const uint8_t *history_of(struct wsx_inflate *inflate) {
    size_t begin = inflate->history_begin;
    if (begin > 0) {
        uint8_t *straight = g_malloc(WSX_WINDOW_MAX);
        memcpy(straight, inflate->history + begin, WSX_WINDOW_MAX - begin);
        memcpy(straight + WSX_WINDOW_MAX - begin, inflate->history, begin);
        g_free(inflate->history);
        inflate->history = straight;
        inflate->history_begin = 0;
    }
    return inflate->history_length > 0 ? inflate->history : NULL;
}

static void history_reserve(struct wsx_inflate *inflate, size_t needed) {
    size_t size = MAX(inflate->history_size, HISTORY_MIN);
    while (size < needed)
        size *= 2;
    if (size > inflate->history_size) {
        inflate->history = g_realloc(inflate->history, size);
        inflate->history_size = size;
    }
}

/* A ring once it is full: what is new takes the place of what is oldest. */
static void history_append(struct wsx_inflate *inflate, const uint8_t *bytes, size_t length) {
    if (length == 0)
        return;
    if (length >= WSX_WINDOW_MAX) {
        bytes += length - WSX_WINDOW_MAX;
        length = WSX_WINDOW_MAX;
        inflate->history_length = inflate->history_begin = 0;
    }
    size_t all = inflate->history_length + length;
    history_reserve(inflate, MIN(all, WSX_WINDOW_MAX));
    size_t end = (inflate->history_begin + inflate->history_length) % WSX_WINDOW_MAX;
    size_t first = MIN(length, WSX_WINDOW_MAX - end);
    memcpy(inflate->history + end, bytes, first);
    memcpy(inflate->history, bytes + first, length - first);
    inflate->history_length = MIN(all, WSX_WINDOW_MAX);
    inflate->history_begin =
        (inflate->history_begin + all - inflate->history_length) % WSX_WINDOW_MAX;
}

static void forget_history(struct wsx_inflate *inflate) {
    g_free(inflate->history);
    inflate->history = NULL;
    inflate->history_length = inflate->history_size = inflate->history_begin = 0;
    inflate->generation = 0;
}

static void forget_earlier(struct wsx_inflate *inflate) {
    g_free(inflate->earlier);
    inflate->earlier = NULL;
    inflate->earlier_length = 0;
}

/* Takes over what a message has added to the history, which begins anew for an empty window. */
static void keep_context(struct wsx_inflate *inflate, struct engine *engine, bool from_history,
                         enum wsx_inflate_result result, const struct wsx_inflate_output *output) {
    if (result == WSX_INFLATE_FAILED || output->hard_stopped) {
        wsx_inflate_lose_context(inflate);
        return;
    }
    if (result == WSX_INFLATE_OK) {
        history_append(inflate, output->bytes, output->length);
        return;
    }
    /* The output is not all there, but its end is in zlib's own window, with what was before it. */
    uint8_t *window = g_malloc(WSX_WINDOW_MAX);
    uInt length = 0;
    inflateGetDictionary(&engine->stream, window, &length);
    if (from_history)
        inflate->history_length = inflate->history_begin = 0;
    history_append(inflate, window, length);
    g_free(window);
}

void wsx_inflate_init(struct wsx_inflate *inflate, unsigned window_bits, bool takeover) {
    *inflate = (struct wsx_inflate){
        .window_bits = window_bits >= 8 && window_bits <= MAX_WBITS ? window_bits : MAX_WBITS,
        .takeover = takeover,
        .context_known = true,
    };
}

void wsx_inflate_clear(struct wsx_inflate *inflate) {
    forget_history(inflate);
    forget_earlier(inflate);
}

void wsx_inflate_lose_context(struct wsx_inflate *inflate) {
    forget_history(inflate);
    inflate->context_known = !inflate->takeover;
}

void wsx_inflate_restart(struct wsx_inflate *inflate) {
    forget_history(inflate);
    forget_earlier(inflate);
    inflate->context_known = true;
}

/*
 * A message that refers to earlier ones although its sender promised an empty window: once more,
 * with their text. Succeeds only if the message inflates wholly.
 */
static bool explain_violation(struct wsx_inflate *inflate, struct engine *engine,
                              const uint8_t *payload, size_t length,
                              const struct wsx_inflate_limits *limits,
                              enum wsx_inflate_result *result, struct wsx_inflate_output *output) {
    size_t window_length = inflate->history_length;
    const uint8_t *window = history_of(inflate);
    struct wsx_inflate_output second;
    enum wsx_inflate_result second_result =
        run_from_window(engine, window, window_length, payload, length, limits, true, &second);
    if (second_result == WSX_INFLATE_FAILED || second.hard_stopped) {
        free(second.bytes);
        return false;
    }
    free(output->bytes);
    *output = second;
    *result = second_result;
    output->takeover_violated = true;
    inflate->earlier = g_malloc(window_length);
    memcpy(inflate->earlier, window, window_length);
    inflate->earlier_length = window_length;
    return true;
}

/* A function of its own in every build: tests/growth counts from one call of it to the next. */
__attribute__((used, noinline)) enum wsx_inflate_result
wsx_inflate_message(struct wsx_inflate *inflate, const uint8_t *payload, size_t length,
                    const struct wsx_inflate_limits *limits, struct wsx_inflate_output *output) {
    forget_earlier(inflate);
    if (!inflate->context_known)
        return refuse(output, "the context is not known");

    struct engine *engine = engine_find(inflate);
    bool continues = inflate->generation != 0 && engine->generation == inflate->generation;
    bool continuable = false;
    bool from_history = inflate->takeover;
    size_t window_length = from_history ? inflate->history_length : 0;
    inflate->generation = 0;
    if (!continues &&
        !engine_load(engine, from_history ? history_of(inflate) : NULL, window_length)) {
        wsx_inflate_lose_context(inflate);
        return refuse(output, "out of memory");
    }
    engine->generation = 0;
    enum wsx_inflate_result result =
        run_job(engine, payload, length, limits, true, &continuable, output);

    if (result == WSX_INFLATE_FAILED && !inflate->takeover && inflate->history_length > 0 &&
        strcmp(output->reason, too_far_back) == 0 &&
        explain_violation(inflate, engine, payload, length, limits, &result, output)) {
        from_history = true;
        window_length = inflate->earlier_length;
    }
    judge_distances(inflate, payload, length, window_length, result, output);
    if (!inflate->earlier && output->length > WSX_WINDOW_MAX && window_length > 0) {
        inflate->earlier = g_memdup2(history_of(inflate), window_length);
        inflate->earlier_length = window_length;
    }
    keep_context(inflate, engine, from_history, result, output);
    if (continuable && inflate->takeover && inflate->context_known)
        engine_keep(engine, inflate);
    return result;
}

enum wsx_inflate_result wsx_inflate_partial(struct wsx_inflate *inflate, const uint8_t *payload,
                                            size_t length, const struct wsx_inflate_limits *limits,
                                            struct wsx_inflate_output *output) {
    if (!inflate->context_known)
        return refuse(output, "the context is not known");
    size_t window_length;
    const uint8_t *window = wsx_inflate_window(inflate, &window_length);
    enum wsx_inflate_result result = run_from_window(engine_find(NULL), window, window_length,
                                                     payload, length, limits, false, output);
    judge_distances(inflate, payload, length, window_length, result, output);
    return result;
}

bool wsx_inflate_is_too_far(const struct wsx_inflate_output *output) {
    return output->reason && strcmp(output->reason, too_far_back) == 0;
}

const uint8_t *wsx_inflate_window(struct wsx_inflate *inflate, size_t *length) {
    bool known = inflate->takeover && inflate->context_known;
    *length = known ? inflate->history_length : 0;
    return known ? history_of(inflate) : NULL;
}

const uint8_t *wsx_inflate_earlier(const struct wsx_inflate *inflate, size_t *length) {
    *length = inflate->earlier_length;
    return inflate->earlier;
}

enum wsx_inflate_result wsx_inflate_again(const uint8_t *window, size_t window_length,
                                          const uint8_t *payload, size_t length,
                                          size_t output_limit, struct wsx_inflate_output *output) {
    struct wsx_inflate_limits limits = {.output = output_limit, .hard_output = output_limit};
    if (window_length > WSX_WINDOW_MAX) {
        window += window_length - WSX_WINDOW_MAX;
        window_length = WSX_WINDOW_MAX;
    }
    return run_from_window(engine_find(NULL), window, window_length, payload, length, &limits, true,
                           output);
}
