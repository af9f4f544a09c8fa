import Foundation
import Images
import Testing

/// Files of the checkout that tests read.
enum Fixture {
    /// `Tests/Goldens` of this checkout, whatever `DISTILL_GOLDEN_DIR` says: other sets of golden
    /// files do not have these pictures.
    static let folder = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent()
        .appendingPathComponent("Goldens")

    /// A small image written by `scripts/make_image_fixtures.py`.
    static func image(_ name: String) throws -> Image {
        try Image(contentsOf: url(name))
    }

    static func url(_ name: String) -> URL {
        folder.appendingPathComponent("images").appendingPathComponent(name)
    }

    static func bytes(_ name: String) throws -> [UInt8] {
        Array(try Data(contentsOf: url(name)))
    }
}

extension Image {
    /// Width, height and channels.
    var size: [Int] { [width, height, channels] }
}

extension ImageHeader {
    /// Width, height and channels.
    var size: [Int] { [width, height, channels] }
}

/// Expects two images to differ by at most `levels` in every byte, and says where they do not.
func expectClose(
    _ image: Image,
    _ expected: Image,
    levels: Int = 0,
    sourceLocation: SourceLocation = #_sourceLocation
) {
    guard image.width == expected.width, image.height == expected.height,
        image.channels == expected.channels
    else {
        Issue.record("found \(image), expected \(expected)", sourceLocation: sourceLocation)
        return
    }
    let differences = zip(image.bytes, expected.bytes).map { abs(Int($0) - Int($1)) }
    let largest = differences.max() ?? 0
    let first = differences.firstIndex { $0 > levels }
    #expect(
        largest <= levels,
        "differs by up to \(largest) levels, first at byte \(first ?? -1) of \(expected)",
        sourceLocation: sourceLocation
    )
}

/// A small generator with a fixed sequence (SplitMix64), for damage that is the same every time.
struct FixedGenerator: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}
