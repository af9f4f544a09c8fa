import Torch

extension Device {
    /// How many images suit the device at once where no gradients are kept.
    ///
    /// On a processor few enough that the allocator keeps the memory of the maps between batches:
    /// larger ones come from the system each time, which doubles the time. Elsewhere as many as fill
    /// the device and still fit: 64 of 256×256 take 2 GiB for a map of 128 channels in float32.
    ///
    /// - Parameters:
    ///   - height: Rows of the images.
    ///   - width: Columns of the images.
    ///   - limit: The most that are of use, not on a processor.
    /// - Returns: At least 8.
    package func imagesAtOnce(height: Int, width: Int, atMost limit: Int = 256) -> Int {
        let pixels = max(height * width, 1)
        return kind == .cpu ? max(8, 65_536 / pixels) : min(limit, max(8, 4_194_304 / pixels))
    }

    /// How many images suit any device at once where their gradients are computed: as many as have
    /// 2²⁰ pixels together.
    ///
    /// - Parameters:
    ///   - height: Rows of the images.
    ///   - width: Columns of the images.
    /// - Returns: At least 1.
    package static func imagesWithGradientsAtOnce(height: Int, width: Int) -> Int {
        max(1, 1_048_576 / max(height * width, 1))
    }
}
