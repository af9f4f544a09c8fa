#ifndef CCODECS_MESSAGE_H
#define CCODECS_MESSAGE_H

#include "CCodecs.h"

/// Writes a message (printf style, cut to fit) and returns `status`.
cc_status cc_fail(cc_message message, cc_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/// Whether width × height is between 1 and `maximum_pixels`; else writes the message.
cc_status cc_check_size(uint64_t width, uint64_t height, uint64_t maximum_pixels,
                        cc_message message);

#endif
