/*
 * fuzz_plugin.c - the whole plugin inside Wireshark's library, see inside.h.
 *
 * The first byte chooses how packets are gone through. Then steps: a byte (bit 0 the direction, the
 * others what happens to the segment), two bytes of length, and the segment's bytes.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "fuzz.h"
#include "inside.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length) {
    struct fuzz_input input = {bytes, length};
    struct inside_flow flow;
    unsigned how = fuzz_byte(&input);
    inside_begin(&flow, how);
    while (input.left > 3 && !inside_is_full()) {
        unsigned what = fuzz_byte(&input);
        size_t size = (size_t)fuzz_byte(&input) << 8;
        size |= fuzz_byte(&input);
        size = size > INSIDE_SEGMENT_MAX ? INSIDE_SEGMENT_MAX : size;
        const uint8_t *segment = fuzz_take(&input, &size);
        inside_segment(&flow, what, segment, (unsigned)size);
    }
    inside_dissect(how);
    return 0;
}
