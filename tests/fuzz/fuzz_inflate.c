/*
 * fuzz_inflate.c - messages of one direction through permessage-deflate: any bytes, windows, limits
 * and losses. What came out comes out again from the window that was told.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "fuzz.h"

#include "inflate.h"

static void touch(const uint8_t *bytes, size_t length) {
    volatile uint8_t sum = 0;
    for (size_t i = 0; i < length; i++)
        sum = (uint8_t)(sum ^ bytes[i]);
}

static void check_again(const struct wsx_inflate *inflate, const uint8_t *payload, size_t length,
                        const struct wsx_inflate_output *output, const uint8_t *window,
                        size_t window_length) {
    struct wsx_inflate_output again;
    size_t earlier_length;
    const uint8_t *earlier = wsx_inflate_earlier(inflate, &earlier_length);
    if (earlier) {
        window = earlier;
        window_length = earlier_length;
    }
    wsx_inflate_again(window, window_length, payload, length, output->length, &again);
    FUZZ_CHECK(again.length == output->length);
    FUZZ_CHECK(!output->length || memcmp(again.bytes, output->bytes, output->length) == 0);
    free(again.bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    struct fuzz_input input = {bytes, size};
    struct wsx_inflate inflate;
    uint8_t head = fuzz_byte(&input), limit = fuzz_byte(&input);
    struct wsx_inflate_limits limits = {.output = limit & 1 ? limit : 1 << 18,
                                        .hard_output = limit & 2 ? 1 << 12 : 1 << 20,
                                        .ratio = limit & 4 ? 20 : 0};
    wsx_inflate_init(&inflate, 8u + (head & 7u), head & 8);
    while (input.left > 1) {
        uint8_t what = fuzz_byte(&input);
        size_t length = fuzz_byte(&input) * (what & 64 ? 8u : 1u);
        const uint8_t *payload = fuzz_take(&input, &length);
        struct wsx_inflate_output output;
        size_t window_length;
        const uint8_t *window = wsx_inflate_window(&inflate, &window_length);
        uint8_t *copy = malloc(window_length + 1);
        if (window_length)
            memcpy(copy, window, window_length);
        if (!inflate.context_known && (what & 1))
            wsx_inflate_restart(&inflate);
        bool known = inflate.context_known;
        if ((what & 30) == 30) {
            wsx_inflate_lose_context(&inflate);
        } else if ((what & 30) == 28) {
            wsx_inflate_partial(&inflate, payload, length, &limits, &output);
            touch(output.bytes, output.length);
            free(output.bytes);
        } else {
            enum wsx_inflate_result result =
                wsx_inflate_message(&inflate, payload, length, &limits, &output);
            FUZZ_CHECK(known || result == WSX_INFLATE_FAILED);
            FUZZ_CHECK(output.length <= output.full_length);
            touch(output.bytes, output.length);
            if (result == WSX_INFLATE_OK && !(what & 1))
                check_again(&inflate, payload, length, &output, copy, window_length);
            free(output.bytes);
        }
        free(copy);
    }
    wsx_inflate_clear(&inflate);
    return 0;
}
