import Foundation
import Images
import Torch

/// Two classes of 32×32 squares, red and blue, in several shades.
enum RedAndBlue {
    /// Writes a folder of class folders.
    static func write(_ folder: URL, perClass: Int, seed: UInt64) throws {
        var generator = RandomGenerator(seed: seed)
        for (label, name) in ["blue", "red"].enumerated() {
            let place = folder.appendingPathComponent(name)
            try FileManager.default.createDirectory(at: place, withIntermediateDirectories: true)
            for index in 0..<perClass {
                let noise = generator.integers(32 * 32 * 3, below: 120)
                let bytes = noise.enumerated().map { position, noise in
                    UInt8(noise + (position % 3 == 2 - 2 * label ? 100 : 0))
                }
                let image = Image(width: 32, height: 32, channels: 3, bytes: bytes)
                try image.pngData().write(to: place.appendingPathComponent("\(index).png"))
            }
        }
    }
}
