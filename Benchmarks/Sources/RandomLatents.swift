import Datasets
import Distillation
import Foundation
import Images
import Torch

/// Images that are only counted: their latents are drawn, not encoded.
struct RandomLatents: LabelledImages {
    let name = "random latents"
    let classNames: [String]
    let imagesPerClass: Int

    var count: Int { classNames.count * imagesPerClass }
    func label(at index: Int) -> Int { index / imagesPerClass }
    func image(at index: Int) -> Image { Image(width: 8, height: 8, channels: 3, filledWith: 0) }
    func identifier(at index: Int) -> String { "\(index)" }

    /// A cache of them, with mirrored images, as `distill encode` writes it.
    static func cache(
        in folder: URL,
        shape: [Int],
        classCount: Int,
        imagesPerClass: Int
    ) throws -> CachedLatents {
        let key = LatentCacheKey(dataset: "random", autoencoder: "none", imageSize: 0, channels: 0)
        var generator = RandomGenerator(seed: 1)
        _ = try LatentCache.write(
            RandomLatents(
                classNames: (0..<classCount).map { "class \($0)" },
                imagesPerClass: imagesPerClass
            ),
            key: key,
            to: folder,
            encoder: { images in
                let shape = [images.size(along: 0)] + shape
                return (generator.normal(shape), generator.uniform(shape) * 0.1)
            }
        )
        return try CachedLatents(LatentCache(opening: folder, expecting: key), flips: true)
    }
}
