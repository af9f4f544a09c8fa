/// Image and compression codecs behind a few C functions: JPEG (libjpeg-turbo), PNG (libpng),
/// gzip (zlib) and SHA-256.
///
/// Every function that can fail returns a `cc_status` and, when it is not `CC_OK`, writes one
/// sentence about the fault to the caller's message buffer. Errors inside the libraries are
/// caught here (setjmp), so no longjmp ever crosses the caller. Input is untrusted: malformed or
/// truncated bytes end in a status, and no buffer is allocated before the declared dimensions
/// have been compared with the limits that the caller gives.
#ifndef CCODECS_H
#define CCODECS_H

#include <stddef.h>
#include <stdint.h>

typedef enum cc_status {
    CC_OK = 0,
    /// The bytes break the rules of their format.
    CC_MALFORMED = 1,
    /// The bytes end too early.
    CC_TRUNCATED = 2,
    /// A dimension or the output is above the given limit.
    CC_TOO_LARGE = 3,
    /// A legal file of a kind that is not read here.
    CC_UNSUPPORTED = 4,
    CC_OUT_OF_MEMORY = 5,
    /// The caller's buffer does not fit the image.
    CC_INVALID_ARGUMENT = 6,
} cc_status;

/// A caller's buffer for an error message; `bytes` may be NULL.
typedef struct cc_message {
    char *bytes;
    size_t capacity;
} cc_message;

/// What the header of a JPEG or PNG says.
typedef struct cc_image_header {
    uint32_t width;
    uint32_t height;
    /// Channels after decoding: 1 (grey) or 3 (RGB).
    uint32_t channels;
    /// Channels as stored: 1 to 4.
    uint32_t stored_channels;
    /// Bits per channel as stored.
    uint32_t bit_depth;
    /// Exif orientation, 1 (upright) to 8; 1 when there is none.
    uint32_t orientation;
} cc_image_header;

/// Reads the header of a JPEG. An image of more than `maximum_pixels` is CC_TOO_LARGE.
cc_status cc_jpeg_read_header(const uint8_t *bytes, size_t count, uint64_t maximum_pixels,
                              cc_image_header *header, cc_message message);

/// Decodes a JPEG to H×W×C bytes in `pixels`, which holds exactly `pixel_count` =
/// height × width × channels bytes. CMYK and YCCK become RGB by Pillow's formula. A stream that
/// ends before its end-of-image marker is CC_TRUNCATED; damage that the format can resynchronise
/// after is tolerated and counted in `warnings`.
cc_status cc_jpeg_decode(const uint8_t *bytes, size_t count, uint64_t maximum_pixels,
                         uint8_t *pixels, size_t pixel_count, uint32_t *warnings,
                         cc_message message);

/// Encodes 8-bit grey (1 channel) or RGB (3 channels) pixels as JPEG, with libjpeg's usual halved
/// resolution of colour. `quality` is 1 to 100. On success `*output` holds `*output_count` bytes to
/// be freed with cc_free.
cc_status cc_jpeg_encode(const uint8_t *pixels, uint32_t width, uint32_t height, uint32_t channels,
                         int quality, uint8_t **output, size_t *output_count, cc_message message);

/// Reads the header of a PNG. An image of more than `maximum_pixels` is CC_TOO_LARGE.
cc_status cc_png_read_header(const uint8_t *bytes, size_t count, uint64_t maximum_pixels,
                             cc_image_header *header, cc_message message);

/// Decodes a PNG of any colour type and depth to H×W×C bytes in `pixels`, which holds exactly
/// `pixel_count` = height × width × channels bytes. Palettes become RGB, 16 bits keep their high
/// byte, an alpha channel is dropped (as the usual loaders do; nothing is composited).
cc_status cc_png_decode(const uint8_t *bytes, size_t count, uint64_t maximum_pixels,
                        uint8_t *pixels, size_t pixel_count, cc_message message);

/// Encodes 8-bit grey (1 channel) or RGB (3 channels) pixels as PNG. On success `*output` holds
/// `*output_count` bytes to be freed with cc_free.
cc_status cc_png_encode(const uint8_t *pixels, uint32_t width, uint32_t height, uint32_t channels,
                        uint8_t **output, size_t *output_count, cc_message message);

/// Inflates gzip data (one or more members, checksums verified). Never allocates more than
/// `maximum_count` bytes of output; more than that is CC_TOO_LARGE. On success `*output` holds
/// `*output_count` bytes to be freed with cc_free.
cc_status cc_gzip_inflate(const uint8_t *bytes, size_t count, size_t maximum_count,
                          uint8_t **output, size_t *output_count, cc_message message);

/// Frees what an encoder or cc_gzip_inflate returned; NULL is allowed.
void cc_free(void *pointer);

/// A SHA-256 computation in progress (FIPS 180-4).
typedef struct cc_sha256 {
    uint32_t state[8];
    uint64_t byte_count;
    uint8_t block[64];
} cc_sha256;

void cc_sha256_start(cc_sha256 *hash);
void cc_sha256_add(cc_sha256 *hash, const uint8_t *bytes, size_t count);
void cc_sha256_finish(cc_sha256 *hash, uint8_t digest[32]);

#endif
