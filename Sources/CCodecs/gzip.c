#include "message.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

/// Output that grows by doubling up to a limit.
typedef struct growing_buffer {
    uint8_t *bytes;
    size_t count;
    size_t capacity;
    size_t maximum;
} growing_buffer;

static cc_status grow(growing_buffer *buffer, cc_message message) {
    if (buffer->capacity >= buffer->maximum) {
        return cc_fail(message, CC_TOO_LARGE, "it inflates to more than the limit of %zu bytes",
                       buffer->maximum);
    }
    size_t capacity = buffer->capacity == 0 ? 65536 : buffer->capacity;
    capacity = capacity > buffer->maximum / 2 ? buffer->maximum : capacity * 2;
    uint8_t *bytes = realloc(buffer->bytes, capacity);
    if (bytes == NULL) {
        return cc_fail(message, CC_OUT_OF_MEMORY, "no memory for %zu bytes", capacity);
    }
    buffer->bytes = bytes;
    buffer->capacity = capacity;
    return CC_OK;
}

/// Inflates one member at a time until the input is used up.
static cc_status inflate_members(z_stream *stream, const uint8_t *input, size_t count,
                                 growing_buffer *output, cc_message message) {
    size_t used = 0;
    uint8_t overflow;
    for (;;) {
        size_t left = count - used;
        stream->next_in = (Bytef *)(uintptr_t)(input + used);
        stream->avail_in = left > UINT_MAX ? UINT_MAX : (uInt)left;
        uInt given = stream->avail_in;

        // NB: at the limit one more byte of room shows whether more output would follow.
        int at_limit = output->count == output->maximum;
        if (!at_limit && output->count == output->capacity) {
            cc_status status = grow(output, message);
            if (status != CC_OK) return status;
        }
        size_t room = at_limit ? 1 : output->capacity - output->count;
        stream->next_out = at_limit ? &overflow : output->bytes + output->count;
        stream->avail_out = room > UINT_MAX ? UINT_MAX : (uInt)room;
        uInt offered = stream->avail_out;

        int result = inflate(stream, Z_NO_FLUSH);
        used += given - stream->avail_in;
        size_t produced = offered - stream->avail_out;
        if (at_limit && produced > 0) return grow(output, message);
        output->count += produced;

        if (result == Z_STREAM_END) {
            // Another member may follow; zero padding after the last one is allowed by gzip.
            while (used < count && input[used] == 0) used++;
            if (used == count) return CC_OK;
            inflateReset(stream);
            continue;
        }
        if (result == Z_MEM_ERROR) return cc_fail(message, CC_OUT_OF_MEMORY, "no memory");
        if (result == Z_NEED_DICT || result == Z_DATA_ERROR) {
            return cc_fail(message, CC_MALFORMED, "its gzip data are damaged at byte %zu (%s)", used,
                           stream->msg != NULL ? stream->msg : "unknown fault");
        }
        if (used == count && produced == 0) {
            return cc_fail(message, CC_TRUNCATED,
                           "its gzip data end too early, after %zu bytes that inflate to %zu", count,
                           output->count);
        }
    }
}

cc_status cc_gzip_inflate(const uint8_t *bytes, size_t count, size_t maximum_count,
                          uint8_t **output, size_t *output_count, cc_message message) {
    *output = NULL;
    *output_count = 0;
    z_stream stream;
    memset(&stream, 0, sizeof stream);
    // 16 + 15: gzip wrapper only, the largest window.
    if (inflateInit2(&stream, 16 + 15) != Z_OK) {
        return cc_fail(message, CC_OUT_OF_MEMORY, "no memory for the gzip decoder");
    }
    growing_buffer buffer = {NULL, 0, 0, maximum_count};
    cc_status status = inflate_members(&stream, bytes, count, &buffer, message);
    inflateEnd(&stream);
    if (status != CC_OK) {
        free(buffer.bytes);
        return status;
    }
    *output = buffer.bytes;
    *output_count = buffer.count;
    return CC_OK;
}
