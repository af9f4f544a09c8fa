#ifndef CCODECS_EXIF_H
#define CCODECS_EXIF_H

#include <stddef.h>
#include <stdint.h>

/// The orientation (1 to 8) in TIFF-structured Exif data (starting with "II" or "MM"); 1 when it
/// is missing or senseless.
uint32_t cc_exif_orientation(const uint8_t *tiff, size_t count);

#endif
