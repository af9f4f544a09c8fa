#include "exif.h"
#include "message.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// jpeglib.h needs stdio.h before it.
#include <jpeglib.h>
#include <jerror.h>

/// A progressive file of a few kilobytes can ask for thousands of passes over a large picture;
/// honest encoders use about ten.
enum { maximum_scans = 500 };

// MARK: Reading

typedef struct decoder {
    struct jpeg_decompress_struct jpeg;
    struct jpeg_error_mgr errors;
    struct jpeg_source_mgr source;
    struct jpeg_progress_mgr progress;
    jmp_buf on_error;
    cc_message message;
    cc_status status;
    int reached_end;
} decoder;

static decoder *decoder_of(j_common_ptr jpeg) { return (decoder *)jpeg->client_data; }

static void error_exit(j_common_ptr jpeg) {
    decoder *self = decoder_of(jpeg);
    char text[JMSG_LENGTH_MAX];
    jpeg->err->format_message(jpeg, text);
    switch (jpeg->err->msg_code) {
    case JERR_OUT_OF_MEMORY:
        self->status = CC_OUT_OF_MEMORY;
        break;
    case JERR_ARITH_NOTIMPL:
    case JERR_BAD_PRECISION:
    case JERR_CONVERSION_NOTIMPL:
    case JERR_SOF_UNSUPPORTED:
        self->status = CC_UNSUPPORTED;
        break;
    default:
        self->status = self->reached_end ? CC_TRUNCATED : CC_MALFORMED;
    }
    cc_fail(self->message, self->status, "libjpeg says: %s", text);
    longjmp(self->on_error, 1);
}

static void output_message(j_common_ptr jpeg) { (void)jpeg; }

static void limit_scans(j_common_ptr jpeg) {
    decoder *self = decoder_of(jpeg);
    if (!jpeg->is_decompressor || self->jpeg.input_scan_number <= maximum_scans) return;
    self->status = cc_fail(self->message, CC_MALFORMED, "it has more than %d progressive scans",
                           maximum_scans);
    longjmp(self->on_error, 1);
}

// The source is one block of memory. At its end libjpeg gets an end-of-image marker, so that it
// can finish, and the decoder remembers that the file was too short.

static void source_start(j_decompress_ptr jpeg) { (void)jpeg; }

static boolean source_refill(j_decompress_ptr jpeg) {
    static const JOCTET end_of_image[2] = {0xFF, JPEG_EOI};
    decoder_of((j_common_ptr)jpeg)->reached_end = 1;
    jpeg->src->next_input_byte = end_of_image;
    jpeg->src->bytes_in_buffer = 2;
    return TRUE;
}

static void source_skip(j_decompress_ptr jpeg, long count) {
    if (count <= 0) return;
    if ((size_t)count > jpeg->src->bytes_in_buffer) {
        source_refill(jpeg);
    } else {
        jpeg->src->next_input_byte += count;
        jpeg->src->bytes_in_buffer -= (size_t)count;
    }
}

static void source_end(j_decompress_ptr jpeg) { (void)jpeg; }

/// Creates the decoder inside the caller's setjmp scope.
static void start(decoder *self, const uint8_t *bytes, size_t count) {
    self->jpeg.err = jpeg_std_error(&self->errors);
    self->errors.error_exit = error_exit;
    self->errors.output_message = output_message;
    self->jpeg.client_data = self;
    jpeg_create_decompress(&self->jpeg);
    // NB: creating clears the structure but keeps `err` and `client_data`.
    self->progress.progress_monitor = limit_scans;
    self->jpeg.progress = &self->progress;
    self->source.init_source = source_start;
    self->source.fill_input_buffer = source_refill;
    self->source.skip_input_data = source_skip;
    self->source.resync_to_restart = jpeg_resync_to_restart;
    self->source.term_source = source_end;
    self->source.next_input_byte = bytes;
    self->source.bytes_in_buffer = count;
    self->jpeg.src = &self->source;
    // Exif data live in APP1.
    jpeg_save_markers(&self->jpeg, JPEG_APP0 + 1, 0xFFFF);
}

static uint32_t orientation_of(const decoder *self) {
    for (jpeg_saved_marker_ptr marker = self->jpeg.marker_list; marker; marker = marker->next) {
        if (marker->data_length > 6 && memcmp(marker->data, "Exif\0\0", 6) == 0) {
            return cc_exif_orientation(marker->data + 6, marker->data_length - 6);
        }
    }
    return 1;
}

/// Reads the header, checks it against the limits and chooses the output colour space.
static cc_status read_header(decoder *self, uint64_t maximum_pixels, cc_image_header *header) {
    jpeg_read_header(&self->jpeg, TRUE);
    cc_status status = cc_check_size(self->jpeg.image_width, self->jpeg.image_height,
                                     maximum_pixels, self->message);
    if (status != CC_OK) return status;
    switch (self->jpeg.jpeg_color_space) {
    case JCS_GRAYSCALE:
        self->jpeg.out_color_space = JCS_GRAYSCALE;
        break;
    case JCS_RGB:
    case JCS_YCbCr:
        self->jpeg.out_color_space = JCS_RGB;
        break;
    case JCS_CMYK:
    case JCS_YCCK:
        self->jpeg.out_color_space = JCS_CMYK;
        break;
    default:
        return cc_fail(self->message, CC_UNSUPPORTED,
                       "it has %d colour components of an unknown kind",
                       self->jpeg.num_components);
    }
    header->width = self->jpeg.image_width;
    header->height = self->jpeg.image_height;
    header->channels = self->jpeg.out_color_space == JCS_GRAYSCALE ? 1 : 3;
    header->stored_channels = (uint32_t)self->jpeg.num_components;
    header->bit_depth = (uint32_t)self->jpeg.data_precision;
    header->orientation = orientation_of(self);
    return CC_OK;
}

/// Rounded a * b / 255 for bytes.
static uint32_t product255(uint32_t a, uint32_t b) {
    uint32_t x = a * b + 128;
    return ((x >> 8) + x) >> 8;
}

/// Adobe's inverted CMYK to RGB, as Pillow does: white minus ink, times white minus black.
static void rgb_from_inverted_cmyk(const uint8_t *cmyk, uint8_t *rgb, size_t width) {
    for (size_t x = 0; x < width; x++, cmyk += 4, rgb += 3) {
        uint32_t light = cmyk[3];
        for (int c = 0; c < 3; c++) {
            rgb[c] = (uint8_t)(light - product255(255u - cmyk[c], light));
        }
    }
}

static cc_status read_rows(decoder *self, const cc_image_header *header, uint8_t *pixels) {
    jpeg_start_decompress(&self->jpeg);
    size_t stride = (size_t)header->width * header->channels;
    int is_cmyk = self->jpeg.out_color_space == JCS_CMYK;
    JSAMPARRAY scratch = NULL;
    if (is_cmyk) {
        scratch = self->jpeg.mem->alloc_sarray((j_common_ptr)&self->jpeg, JPOOL_IMAGE,
                                               header->width * 4, 1);
    }
    while (self->jpeg.output_scanline < self->jpeg.output_height) {
        uint8_t *row = pixels + self->jpeg.output_scanline * stride;
        JSAMPROW target = is_cmyk ? scratch[0] : row;
        jpeg_read_scanlines(&self->jpeg, &target, 1);
        if (is_cmyk) rgb_from_inverted_cmyk(target, row, header->width);
    }
    jpeg_finish_decompress(&self->jpeg);
    if (self->reached_end) {
        return cc_fail(self->message, CC_TRUNCATED,
                       "it ends before its end-of-image marker: part of the picture is missing");
    }
    return CC_OK;
}

cc_status cc_jpeg_read_header(const uint8_t *bytes, size_t count, uint64_t maximum_pixels,
                              cc_image_header *header, cc_message message) {
    decoder self;
    memset(&self, 0, sizeof self);
    self.message = message;
    if (setjmp(self.on_error) == 0) {
        start(&self, bytes, count);
        self.status = read_header(&self, maximum_pixels, header);
    }
    jpeg_destroy_decompress(&self.jpeg);
    return self.status;
}

cc_status cc_jpeg_decode(const uint8_t *bytes, size_t count, uint64_t maximum_pixels,
                         uint8_t *pixels, size_t pixel_count, uint32_t *warnings,
                         cc_message message) {
    decoder self;
    memset(&self, 0, sizeof self);
    self.message = message;
    *warnings = 0;
    if (setjmp(self.on_error) == 0) {
        start(&self, bytes, count);
        cc_image_header header;
        self.status = read_header(&self, maximum_pixels, &header);
        if (self.status == CC_OK &&
            pixel_count != (size_t)header.width * header.height * header.channels) {
            self.status = cc_fail(message, CC_INVALID_ARGUMENT, "the pixel buffer does not fit");
        }
        if (self.status == CC_OK) self.status = read_rows(&self, &header, pixels);
    }
    *warnings = (uint32_t)self.errors.num_warnings;
    jpeg_destroy_decompress(&self.jpeg);
    return self.status;
}

// MARK: Writing

typedef struct encoder {
    struct jpeg_compress_struct jpeg;
    struct jpeg_error_mgr errors;
    struct jpeg_destination_mgr destination;
    jmp_buf on_error;
    cc_message message;
    cc_status status;
    uint8_t *output;
    size_t output_count;
    size_t output_capacity;
} encoder;

static void encoder_exit(j_common_ptr jpeg) {
    encoder *self = jpeg->client_data;
    char text[JMSG_LENGTH_MAX];
    jpeg->err->format_message(jpeg, text);
    self->status =
        jpeg->err->msg_code == JERR_OUT_OF_MEMORY ? CC_OUT_OF_MEMORY : CC_INVALID_ARGUMENT;
    cc_fail(self->message, self->status, "libjpeg says: %s", text);
    longjmp(self->on_error, 1);
}

// The destination is one block of memory that doubles when it is full. libjpeg's own, whose block
// the caller frees after an error, may have freed that block before and made a larger one.

static void make_room(encoder *self) {
    size_t filled = self->output_capacity;
    size_t capacity = filled == 0 ? 65536 : 2 * filled;
    uint8_t *output = realloc(self->output, capacity);
    if (output == NULL) {
        self->status = cc_fail(self->message, CC_OUT_OF_MEMORY, "no memory for %zu bytes", capacity);
        longjmp(self->on_error, 1);
    }
    self->output = output;
    self->output_capacity = capacity;
    self->destination.next_output_byte = output + filled;
    self->destination.free_in_buffer = capacity - filled;
}

static void destination_start(j_compress_ptr jpeg) { make_room(jpeg->client_data); }

static boolean destination_extend(j_compress_ptr jpeg) {
    make_room(jpeg->client_data);
    return TRUE;
}

static void destination_end(j_compress_ptr jpeg) {
    encoder *self = jpeg->client_data;
    self->output_count = self->output_capacity - self->destination.free_in_buffer;
}

/// Writes the picture inside the caller's setjmp scope.
static void write_jpeg(encoder *self, const uint8_t *pixels, uint32_t width, uint32_t height,
                       uint32_t channels, int quality) {
    self->jpeg.err = jpeg_std_error(&self->errors);
    self->errors.error_exit = encoder_exit;
    self->errors.output_message = output_message;
    self->jpeg.client_data = self;
    jpeg_create_compress(&self->jpeg);
    self->destination.init_destination = destination_start;
    self->destination.empty_output_buffer = destination_extend;
    self->destination.term_destination = destination_end;
    self->jpeg.dest = &self->destination;
    self->jpeg.image_width = width;
    self->jpeg.image_height = height;
    self->jpeg.input_components = (int)channels;
    self->jpeg.in_color_space = channels == 1 ? JCS_GRAYSCALE : JCS_RGB;
    jpeg_set_defaults(&self->jpeg);
    jpeg_set_quality(&self->jpeg, quality, TRUE);
    self->jpeg.optimize_coding = TRUE;
    jpeg_start_compress(&self->jpeg, TRUE);
    size_t stride = (size_t)width * channels;
    while (self->jpeg.next_scanline < height) {
        // libjpeg only reads rows, but its interface does not say so.
        JSAMPROW row = (JSAMPROW)(pixels + self->jpeg.next_scanline * stride);
        jpeg_write_scanlines(&self->jpeg, &row, 1);
    }
    jpeg_finish_compress(&self->jpeg);
}

cc_status cc_jpeg_encode(const uint8_t *pixels, uint32_t width, uint32_t height, uint32_t channels,
                         int quality, uint8_t **output, size_t *output_count, cc_message message) {
    *output = NULL;
    *output_count = 0;
    if (channels != 1 && channels != 3) {
        return cc_fail(message, CC_INVALID_ARGUMENT, "a JPEG is written from 1 or 3 channels");
    }
    encoder self;
    memset(&self, 0, sizeof self);
    self.message = message;
    if (setjmp(self.on_error) == 0) {
        write_jpeg(&self, pixels, width, height, channels, quality);
    }
    jpeg_destroy_compress(&self.jpeg);
    if (self.status != CC_OK) {
        free(self.output);
        return self.status;
    }
    *output = self.output;
    *output_count = self.output_count;
    return CC_OK;
}
