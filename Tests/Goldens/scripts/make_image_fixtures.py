"""Writes the small images of ../images.

    python3 -m venv /tmp/venv && /tmp/venv/bin/pip install pillow
    /tmp/venv/bin/python make_image_fixtures.py

PNG: every colour type and bit depth, written here byte by byte; their pixels follow a formula
that the tests repeat (`level`). JPEG: written and read back by Pillow; the expected pixels lie
beside each as `NAME.expected.png`. `resized-*.png` are Pillow's results for `photograph.png`.
"""

import io
import os
import struct
import zlib

from PIL import Image, ImageOps

HERE = os.path.dirname(os.path.abspath(__file__))
TARGET = os.path.join(HERE, "..", "images")
WIDTH, HEIGHT = 13, 9


def level(x, y, channel, depth):
    """The stored value: a pattern that uses all bits and differs between channels."""
    return (x * 7919 + y * 104729 + channel * 15485863 + x * y * 31) % (1 << depth)


def pack(samples, depth):
    """Samples of one row as PNG stores them."""
    if depth == 16:
        return b"".join(struct.pack(">H", s) for s in samples)
    if depth == 8:
        return bytes(samples)
    bits = "".join(format(s, f"0{depth}b") for s in samples)
    bits += "0" * (-len(bits) % 8)
    return bytes(int(bits[i : i + 8], 2) for i in range(0, len(bits), 8))


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


ADAM7 = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]


def write_png(name, color_type, depth, channels, interlaced=False, extra=b"", limit=None):
    def row(y, xs):
        samples = [level(x, y, c, depth) for x in xs for c in range(channels)]
        if limit:
            samples = [s % limit for s in samples]
        return b"\0" + pack(samples, depth)

    data = b""
    passes = ADAM7 if interlaced else [(0, 0, 1, 1)]
    for x0, y0, dx, dy in passes:
        xs = range(x0, WIDTH, dx)
        if len(xs):
            data += b"".join(row(y, xs) for y in range(y0, HEIGHT, dy))
    header = struct.pack(">IIBBBBB", WIDTH, HEIGHT, depth, color_type, 0, 0, int(interlaced))
    with open(os.path.join(TARGET, name + ".png"), "wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + extra)
        file.write(chunk(b"IDAT", zlib.compress(data)) + chunk(b"IEND", b""))


def palette(count):
    """Entry i is (7 i, 255 - 3 i, 11 i + 5), modulo 256."""
    entries = [((7 * i) % 256, (255 - 3 * i) % 256, (11 * i + 5) % 256) for i in range(count)]
    return chunk(b"PLTE", bytes(v for entry in entries for v in entry))


def write_pngs():
    for depth in (1, 2, 4, 8, 16):
        write_png(f"grey-{depth}", 0, depth, 1)
    write_png("grey-4-interlaced", 0, 4, 1, interlaced=True)
    write_png("grey-8-transparent", 0, 8, 1, extra=chunk(b"tRNS", struct.pack(">H", 3)))
    for depth in (8, 16):
        write_png(f"grey-alpha-{depth}", 4, depth, 2)
        write_png(f"rgb-{depth}", 2, depth, 3)
        write_png(f"rgb-alpha-{depth}", 6, depth, 4)
    write_png("rgb-8-interlaced", 2, 8, 3, interlaced=True)
    for depth in (1, 2, 4, 8):
        count = min(1 << depth, 200)
        write_png(f"palette-{depth}", 3, depth, 1, extra=palette(count), limit=count)
    transparency = chunk(b"tRNS", bytes([0, 128, 255]))
    write_png("palette-8-transparent", 3, 8, 1, extra=palette(200) + transparency, limit=200)


def write_jpegs(photograph):
    def save(name, image, **options):
        data = io.BytesIO()
        image.save(data, "JPEG", quality=85, **options)
        with open(os.path.join(TARGET, name + ".jpg"), "wb") as file:
            file.write(data.getvalue())
        # As the usual loaders do it: turned upright, then three channels unless grey.
        expected = ImageOps.exif_transpose(Image.open(data))
        expected = expected if expected.mode == "L" else expected.convert("RGB")
        expected.save(os.path.join(TARGET, name + ".expected.png"), optimize=True)

    small = photograph.resize((45, 37), Image.Resampling.BICUBIC)
    save("rgb-420", small)
    save("rgb-444", small, subsampling=0)
    save("progressive", small, progressive=True)
    save("grey", small.convert("L"))
    save("cmyk", small.convert("CMYK"))
    for orientation in range(2, 9):
        exif = Image.Exif()
        exif[0x0112] = orientation
        save(f"orientation-{orientation}", small.resize((20, 11)), exif=exif)


def write_resized(photograph):
    photograph.save(os.path.join(TARGET, "photograph.png"), optimize=True)
    filters = {"nearest": 0, "bilinear": 2, "bicubic": 3, "box": 4}
    for name, resample in filters.items():
        for size in ((31, 17), (100, 90), (64, 23), (50, 120)):
            resized = photograph.resize(size, resample)
            resized.save(os.path.join(TARGET, f"resized-{name}-{size[0]}x{size[1]}.png"))
    photograph.convert("L").save(os.path.join(TARGET, "photograph-grey.png"), optimize=True)
    grey = photograph.convert("L").resize((23, 31), 3)
    grey.save(os.path.join(TARGET, "resized-grey-bicubic-23x31.png"))


if __name__ == "__main__":
    os.makedirs(TARGET, exist_ok=True)
    source = Image.open(os.path.join(HERE, "..", "center_crop_images", "0.png"))
    photograph = source.crop((90, 60, 154, 112))
    write_pngs()
    write_jpegs(photograph)
    write_resized(photograph)
