"""Writes philox.json: words of the generator Philox 4x32-10, from its definition alone.

Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011. The function is first
checked against the published vectors (Random123, kat_vectors), then evaluated at the counters that
RandomGenerator uses: key = seed, counter = (block, stream), each a pair of 32-bit words, low first.

    python3 philox.py > philox.json
"""

import json

MASK = 0xFFFFFFFF


def philox(counter, key):
    c0, c1, c2, c3 = counter
    k0, k1 = key
    for _ in range(10):
        a = 0xD2511F53 * c0
        b = 0xCD9E8D57 * c2
        c0, c1, c2, c3 = (b >> 32) ^ c1 ^ k0, b & MASK, (a >> 32) ^ c3 ^ k1, a & MASK
        k0, k1 = (k0 + 0x9E3779B9) & MASK, (k1 + 0xBB67AE85) & MASK
    return [c0, c1, c2, c3]


PUBLISHED = [
    ("00000000 00000000 00000000 00000000", "00000000 00000000",
     "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
    ("ffffffff ffffffff ffffffff ffffffff", "ffffffff ffffffff",
     "408f276d 41c83b0e a20bc7c6 6d5451fd"),
    ("243f6a88 85a308d3 13198a2e 03707344", "a4093822 299f31d0",
     "d16cfe09 94fdcceb 5001e420 24126ea1"),
]


def words(text):
    return [int(word, 16) for word in text.split()]


for counter, key, expected in PUBLISHED:
    assert philox(words(counter), words(key)) == words(expected), counter

CASES = [  # seed, stream, position in words, count
    (0, 0, 0, 8),
    (1, 0, 0, 8),
    (0, 1, 0, 8),
    (0xFFFFFFFFFFFFFFFF, 0xFFFFFFFFFFFFFFFF, (1 << 64) - 4, 4),
    (0x299F31D0A4093822, 0x0370734413198A2E, 4 * 0x05A308D3243F6A88, 4),
    (0x123456789ABCDEF0, (5 << 48) | (7 << 24) | 3, 4 * 0xFFFFFFFF, 12),  # the carry
    (42, 3 << 48, 6, 5),  # from the middle of a block
]

out = []
for seed, stream, position, count in CASES:
    found = []
    block = position // 4
    while len(found) < position % 4 + count:
        counter = [block & MASK, (block >> 32) & MASK, stream & MASK, stream >> 32]
        found += philox(counter, [seed & MASK, seed >> 32])
        block += 1
    out.append({
        "seed": str(seed), "stream": str(stream), "position": str(position),
        "words": found[position % 4:position % 4 + count],
    })
print(json.dumps(out, indent=1))
