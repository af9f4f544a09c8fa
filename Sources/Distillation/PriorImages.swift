import Torch

/// Images that are stored as what a generative prior makes them of: latents z and changes Δ of the
/// feature map before a layer n.
///
/// ```
/// x = G_{≥n}( F_n(z) + Δ, z )
/// ```
///
/// Δ begins at zero. (The reference optimises the map itself, beside latents that its generator,
/// StyleGAN-XL, uses again in every later layer. A decoder does not, so its latents would have no
/// effect beside a free map; as a sum both have one, at the start that of the latents alone.)
package final class PriorImages {
    private let prior: any GenerativePrior
    private let layer: Int
    /// How many images go through the prior at the same time.
    private let imagesAtOnce: Int
    /// z, [N, …].
    package let latents: Tensor
    /// Δ, [N, …]; nil with n = 0, where it would be the latents once more.
    package let changes: Tensor?

    /// Begins with the latents of real images.
    ///
    /// - Parameters:
    ///   - images: [N, C, H, W], from 0 to 1.
    ///   - prior: The generator.
    ///   - layer: n, from 0 up to the number of the prior's layers, exclusive.
    ///   - imagesAtOnce: How many images go through the prior at the same time.
    package init(
        of images: Tensor,
        prior: any GenerativePrior,
        layer: Int,
        imagesAtOnce: Int
    ) {
        guard (0..<prior.layerCount).contains(layer) else {
            trap("PriorImages: layer \(layer) of a prior with \(prior.layerCount) layers")
        }
        self.prior = prior
        self.layer = layer
        self.imagesAtOnce = max(imagesAtOnce, 1)
        let ranges = PriorImages.ranges(0..<images.size(along: 0), max(imagesAtOnce, 1))
        (latents, changes) = withoutGradient {
            let latents = Tensor.concatenated(ranges.map { prior.latents(of: images[$0]) })
            guard layer > 0 else { return (latents, nil) }
            let map = prior.map(of: latents[0..<1], before: layer)
            let shape = [images.size(along: 0)] + map.shape.dropFirst()
            return (latents, .zeros(shape, device: latents.device))
        }
    }

    /// Number of images.
    package var count: Int { latents.size(along: 0) }

    /// The images as they are now, a constant: [N, C, H, W], about 0 to 1.
    package func images() -> Tensor {
        withoutGradient {
            .concatenated(
                PriorImages.ranges(0..<count, imagesAtOnce).map {
                    image(latents[$0], changes?[$0])
                }
            )
        }
    }

    /// What is optimised, by name; the tensors are those in use.
    package var values: StateDictionary {
        StateDictionary([("latents", latents)] + (changes.map { [("changes", $0)] } ?? []))
    }

    /// Sets the gradients of latents and changes to what an objective's gradient by all images
    /// means for them.
    ///
    /// Only a part of the images has its history in memory at a time: it is computed once more for
    /// that, as in the reference. So memory does not grow with the number of images.
    ///
    /// - Parameter gradient: That by the images, [N, C, H, W].
    package func propagate(_ gradient: Tensor) {
        let sums = values.map { Tensor.zeros(like: $0.value) }
        for part in PriorImages.ranges(0..<count, imagesAtOnce) {
            let leaves = values.map { $0.value.detached()[part] }
            for leaf in leaves { leaf.requiresGradient = true }
            let found = Tensor.gradients(
                of: [image(leaves[0], leaves.count > 1 ? leaves[1] : nil)],
                by: leaves,
                weights: [gradient[part]]
            )
            for (found, sum) in zip(found, sums) {
                if let found { sum[part].copy(from: found) }
            }
        }
        for ((_, value), sum) in zip(values, sums) { value.gradient = sum }
    }

    private func image(_ latents: Tensor, _ changes: Tensor?) -> Tensor {
        var map = prior.map(of: latents, before: layer)
        if let changes { map = map + changes }
        return prior.images(of: map, latents: latents, from: layer)
    }

    /// Neighbouring places, so many at a time.
    private static func ranges(_ range: Range<Int>, _ size: Int) -> [Range<Int>] {
        stride(from: range.lowerBound, to: range.upperBound, by: size).map {
            $0..<min($0 + size, range.upperBound)
        }
    }
}
