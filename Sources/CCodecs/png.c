#include "message.h"

#include <png.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

// MARK: Shared by reading and writing

typedef struct codec {
    cc_message message;
    cc_status status;
    jmp_buf on_error;
    // Reading.
    const uint8_t *input;
    size_t input_count;
    size_t input_used;
    // Writing.
    uint8_t *output;
    size_t output_count;
    size_t output_capacity;
} codec;

static void handle_error(png_structp png, png_const_charp text) {
    codec *self = png_get_error_ptr(png);
    // A status that is set already (truncated, no memory) has its own message.
    if (self->status == CC_OK) {
        self->status = cc_fail(self->message, CC_MALFORMED, "libpng says: %s", text);
    }
    longjmp(self->on_error, 1);
}

static void ignore_warning(png_structp png, png_const_charp text) {
    (void)png;
    (void)text;
}

// MARK: Reading

static void read_input(png_structp png, png_bytep target, size_t count) {
    codec *self = png_get_io_ptr(png);
    if (count > self->input_count - self->input_used) {
        self->status = cc_fail(self->message, CC_TRUNCATED,
                               "it ends too early, after %zu bytes: part of it is missing",
                               self->input_count);
        png_error(png, "truncated");
    }
    memcpy(target, self->input + self->input_used, count);
    self->input_used += count;
}

/// libpng's limits are per side (width and height), so the pixel limit is checked on top.
static void read_header(png_structp png, png_infop info, codec *self, uint64_t maximum_pixels,
                        cc_image_header *header) {
    png_set_read_fn(png, self, read_input);
    png_set_user_limits(png, 0x7FFFFFFF, 0x7FFFFFFF);
    png_set_chunk_cache_max(png, 1000);
    png_set_chunk_malloc_max(png, 8000000);
    png_read_info(png, info);
    header->width = png_get_image_width(png, info);
    header->height = png_get_image_height(png, info);
    header->bit_depth = png_get_bit_depth(png, info);
    header->stored_channels = png_get_channels(png, info);
    header->orientation = 1;
    int color_type = png_get_color_type(png, info);
    header->channels = (color_type & PNG_COLOR_MASK_COLOR) ? 3 : 1;
    self->status = cc_check_size(header->width, header->height, maximum_pixels, self->message);
    if (self->status != CC_OK) png_error(png, "size");
}

/// Asks libpng for 8-bit grey or RGB, whatever is stored.
static void normalise(png_structp png, png_infop info) {
    int color_type = png_get_color_type(png, info);
    if (color_type == PNG_COLOR_TYPE_PALETTE) png_set_palette_to_rgb(png);
    if (color_type == PNG_COLOR_TYPE_GRAY && png_get_bit_depth(png, info) < 8) {
        png_set_expand_gray_1_2_4_to_8(png);
    }
    // The high byte, as Pillow keeps it.
    if (png_get_bit_depth(png, info) == 16) png_set_strip_16(png);
    // NB: palette_to_rgb makes an alpha channel of a palette's tRNS chunk, so it is stripped too.
    png_set_strip_alpha(png);
}

static void read_rows(png_structp png, png_infop info, codec *self, uint8_t *pixels,
                      const cc_image_header *header) {
    normalise(png, info);
    int passes = png_set_interlace_handling(png);
    png_read_update_info(png, info);
    size_t stride = (size_t)header->width * header->channels;
    if (png_get_rowbytes(png, info) != stride) {
        self->status = cc_fail(self->message, CC_MALFORMED, "its rows have %zu bytes, not %zu",
                               (size_t)png_get_rowbytes(png, info), stride);
        png_error(png, "row size");
    }
    for (int pass = 0; pass < passes; pass++) {
        for (size_t y = 0; y < header->height; y++) {
            png_read_row(png, pixels + y * stride, NULL);
        }
    }
    png_read_end(png, NULL);
}

/// Reads the header and, when `pixels` is not NULL, the picture.
static cc_status read_png(const uint8_t *bytes, size_t count, uint64_t maximum_pixels,
                          cc_image_header *header, uint8_t *pixels, size_t pixel_count,
                          cc_message message) {
    codec self;
    memset(&self, 0, sizeof self);
    self.message = message;
    self.input = bytes;
    self.input_count = count;
    // NB: set before setjmp and not changed after it, so both are valid when it returns again.
    png_structp png =
        png_create_read_struct(PNG_LIBPNG_VER_STRING, &self, handle_error, ignore_warning);
    png_infop info = png == NULL ? NULL : png_create_info_struct(png);
    if (info == NULL) {
        png_destroy_read_struct(&png, NULL, NULL);
        return cc_fail(message, CC_OUT_OF_MEMORY, "no memory for the PNG decoder");
    }
    if (setjmp(self.on_error) == 0) {
        read_header(png, info, &self, maximum_pixels, header);
        if (pixels != NULL) {
            if (pixel_count != (size_t)header->width * header->height * header->channels) {
                self.status =
                    cc_fail(message, CC_INVALID_ARGUMENT, "the pixel buffer does not fit");
                png_error(png, "buffer");
            }
            read_rows(png, info, &self, pixels, header);
        }
    }
    png_destroy_read_struct(&png, &info, NULL);
    return self.status;
}

cc_status cc_png_read_header(const uint8_t *bytes, size_t count, uint64_t maximum_pixels,
                             cc_image_header *header, cc_message message) {
    return read_png(bytes, count, maximum_pixels, header, NULL, 0, message);
}

cc_status cc_png_decode(const uint8_t *bytes, size_t count, uint64_t maximum_pixels,
                        uint8_t *pixels, size_t pixel_count, cc_message message) {
    cc_image_header header;
    return read_png(bytes, count, maximum_pixels, &header, pixels, pixel_count, message);
}

// MARK: Writing

static void write_output(png_structp png, png_bytep source, size_t count) {
    codec *self = png_get_io_ptr(png);
    size_t needed = self->output_count + count;
    if (needed > self->output_capacity) {
        size_t capacity = self->output_capacity * 2 > needed ? self->output_capacity * 2 : needed;
        if (capacity < 4096) capacity = 4096;
        uint8_t *output = realloc(self->output, capacity);
        if (output == NULL) {
            self->status = cc_fail(self->message, CC_OUT_OF_MEMORY, "no memory for %zu bytes",
                                   capacity);
            png_error(png, "memory");
        }
        self->output = output;
        self->output_capacity = capacity;
    }
    memcpy(self->output + self->output_count, source, count);
    self->output_count = needed;
}

static void flush_output(png_structp png) { (void)png; }

cc_status cc_png_encode(const uint8_t *pixels, uint32_t width, uint32_t height, uint32_t channels,
                        uint8_t **output, size_t *output_count, cc_message message) {
    *output = NULL;
    *output_count = 0;
    if (channels != 1 && channels != 3) {
        return cc_fail(message, CC_INVALID_ARGUMENT, "a PNG is written from 1 or 3 channels");
    }
    codec self;
    memset(&self, 0, sizeof self);
    self.message = message;
    png_structp png =
        png_create_write_struct(PNG_LIBPNG_VER_STRING, &self, handle_error, ignore_warning);
    png_infop info = png == NULL ? NULL : png_create_info_struct(png);
    if (info == NULL) {
        png_destroy_write_struct(&png, NULL);
        return cc_fail(message, CC_OUT_OF_MEMORY, "no memory for the PNG encoder");
    }
    if (setjmp(self.on_error) == 0) {
        png_set_write_fn(png, &self, write_output, flush_output);
        png_set_IHDR(png, info, width, height, 8,
                     channels == 1 ? PNG_COLOR_TYPE_GRAY : PNG_COLOR_TYPE_RGB, PNG_INTERLACE_NONE,
                     PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
        png_write_info(png, info);
        for (size_t y = 0; y < height; y++) {
            png_write_row(png, pixels + y * width * channels);
        }
        png_write_end(png, NULL);
    }
    png_destroy_write_struct(&png, &info);
    if (self.status != CC_OK) {
        free(self.output);
        return self.status;
    }
    *output = self.output;
    *output_count = self.output_count;
    return CC_OK;
}
