#include "exif.h"

typedef struct tiff_reader {
    const uint8_t *bytes;
    size_t count;
    int is_little_endian;
} tiff_reader;

static uint32_t read16(const tiff_reader *tiff, size_t at) {
    uint32_t a = tiff->bytes[at], b = tiff->bytes[at + 1];
    return tiff->is_little_endian ? a | b << 8 : a << 8 | b;
}

static uint32_t read32(const tiff_reader *tiff, size_t at) {
    uint32_t a = read16(tiff, at), b = read16(tiff, at + 2);
    return tiff->is_little_endian ? a | b << 16 : a << 16 | b;
}

uint32_t cc_exif_orientation(const uint8_t *bytes, size_t count) {
    if (count < 14) return 1;
    tiff_reader tiff = {bytes, count, 0};
    if (bytes[0] == 'I' && bytes[1] == 'I') {
        tiff.is_little_endian = 1;
    } else if (bytes[0] != 'M' || bytes[1] != 'M') {
        return 1;
    }
    if (read16(&tiff, 2) != 42) return 1;
    size_t directory = read32(&tiff, 4);
    if (directory > count - 2) return 1;
    size_t entry_count = read16(&tiff, directory);
    for (size_t i = 0; i < entry_count; i++) {
        size_t entry = directory + 2 + 12 * i;
        if (entry + 12 > count) return 1;
        // Tag 0x0112 is the orientation: one value of type 3 (16-bit), stored in the entry.
        if (read16(&tiff, entry) == 0x0112 && read16(&tiff, entry + 2) == 3) {
            uint32_t orientation = read16(&tiff, entry + 8);
            return orientation >= 1 && orientation <= 8 ? orientation : 1;
        }
    }
    return 1;
}
