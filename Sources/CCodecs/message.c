#include "message.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

cc_status cc_fail(cc_message message, cc_status status, const char *format, ...) {
    if (message.bytes != NULL && message.capacity > 0) {
        va_list arguments;
        va_start(arguments, format);
        vsnprintf(message.bytes, message.capacity, format, arguments);
        va_end(arguments);
    }
    return status;
}

cc_status cc_check_size(uint64_t width, uint64_t height, uint64_t maximum_pixels,
                        cc_message message) {
    if (width == 0 || height == 0) {
        return cc_fail(message, CC_MALFORMED, "its header says %llu x %llu pixels",
                       (unsigned long long)width, (unsigned long long)height);
    }
    if (height > maximum_pixels / width) {
        return cc_fail(message, CC_TOO_LARGE,
                       "its header says %llu x %llu pixels, more than the limit of %llu pixels",
                       (unsigned long long)width, (unsigned long long)height,
                       (unsigned long long)maximum_pixels);
    }
    return CC_OK;
}

void cc_free(void *pointer) { free(pointer); }
