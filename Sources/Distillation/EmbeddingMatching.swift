import Models
import NeuralNetworks
import Torch
import Training

/// The objective of distribution matching: the squared distance of the mean embeddings of real and
/// synthetic images of a class, summed over the classes.
///
/// Every step has a network with new weights and draws of its own. Classes are embedded together
/// as far as memory allows; networks with batch norms always see all classes at once, as published.
public final class EmbeddingMatching: MatchingObjective {
    private let real: RealImages
    private let network: NetworkName
    private let realBatchSize: Int
    private let augmentation: SiameseAugmentation
    private let imagesAtOnce: Int
    private let seed: UInt64
    private let precision: DType?

    /// Describes the objective.
    ///
    /// - Parameters:
    ///   - real: The training set on its device.
    ///   - network: The network that embeds images.
    ///   - realBatchSize: Real images of each class in a step; fewer where a class has no more.
    ///   - augmentation: What changes real and synthetic images alike.
    ///   - imagesAtOnce: The most synthetic images whose gradient is computed at once; 0 for no
    ///     limit.
    ///   - seed: Of everything that is drawn.
    ///   - precision: `bfloat16` for autocast, or nil.
    /// - Throws: `NetworkError` for a network that does not fit the images, `TrainingError` for
    ///   numbers that make no sense.
    public init(
        _ real: RealImages,
        network: NetworkName,
        realBatchSize: Int,
        augmentation: SiameseAugmentation,
        imagesAtOnce: Int,
        seed: UInt64,
        precision: DType?
    ) throws {
        guard realBatchSize > 0, imagesAtOnce >= 0 else {
            throw TrainingError(
                .invalidOption,
                "realBatchSize is \(realBatchSize) and imagesAtOnce \(imagesAtOnce): expected at "
                    + "least 1, and 0 or more."
            )
        }
        self.real = real
        self.network = network
        self.realBatchSize = realBatchSize
        self.augmentation = augmentation
        self.imagesAtOnce = imagesAtOnce
        self.seed = seed
        self.precision = precision
        _ = try makeNetwork(step: 0)
    }

    /// The network of a step, on the device of the images, with frozen weights.
    private func makeNetwork(step: Int) throws(NetworkError) -> any ImageClassifier {
        let network = try real.makeMatchingNetwork(network, number: step, seed: seed)
        network.freeze()
        return network
    }

    /// The loss of a step and its gradient by the images.
    public func lossAndGradient(
        by images: Tensor,
        imagesPerClass: Int,
        step: Int
    ) throws -> (loss: Double, gradient: Tensor) {
        let network = try makeNetwork(step: step)
        let draws = (0..<real.set.classCount).map { label in
            var generator = RandomGenerator(
                seed: seed,
                purpose: .siamese,
                label: step,
                image: label
            )
            return augmentation.draw(
                height: real.set.height,
                width: real.set.width,
                using: &generator
            )
        }
        return lossAndGradient(
            network,
            // One class after the other: all of them may not fit into memory.
            real: { label in
                let places = real.places(realBatchSize, ofClass: label, step: step, seed: seed)
                return draws[label](real.normalized(places))
            },
            images: images,
            imagesPerClass: imagesPerClass,
            changes: draws
        )
    }

    /// The loss with everything given.
    ///
    /// - Parameters:
    ///   - network: The network, frozen, in training mode.
    ///   - real: Makes the augmented real images of a class.
    ///   - images: Synthetic images, [K·n, C, H, W], class by class.
    ///   - imagesPerClass: n.
    ///   - changes: The augmentation of each class.
    /// - Returns: The loss, and its gradient by `images`.
    package func lossAndGradient(
        _ network: any ImageClassifier,
        real: (Int) -> Tensor,
        images: Tensor,
        imagesPerClass: Int,
        changes: [SiameseAugmentation.Draw]
    ) -> (loss: Double, gradient: Tensor) {
        let n = imagesPerClass
        let needsAll = network.containsBatchNorm
        let targets = means(
            count: changes.count,
            of: real,
            in: network,
            chunk: needsAll ? nil : chunkSize
        )  // [K, F]
        let atOnce = imagesAtOnce == 0 || needsAll ? images.size(along: 0) : imagesAtOnce
        let classesAtOnce = max(1, atOnce / n)
        var loss = 0.0
        var gradients = [Tensor]()
        for first in stride(from: 0, to: changes.count, by: classesAtOnce) {
            let classes = first..<min(first + classesAtOnce, changes.count)
            let part = images.detached()[classes.lowerBound * n..<classes.upperBound * n]
            let result =
                n > atOnce
                ? inParts(part, atOnce, network, target: targets[first], changes[first])
                : together(part, network, targets: targets[classes], Array(changes[classes]))
            loss += result.loss
            gradients.append(result.gradient)
        }
        return (loss, gradients.count == 1 ? gradients[0] : .concatenated(gradients))
    }

    /// Mean embeddings of the images of each class: [K, F], float32.
    ///
    /// As many classes as fit into a chunk are embedded together; a class that does not fit is
    /// embedded part by part.
    ///
    /// - Parameters:
    ///   - count: K, number of classes.
    ///   - batch: Makes the images of a class.
    ///   - network: The network.
    ///   - chunk: The most images that are embedded at once; nil for those of all classes.
    /// - Returns: One row a class.
    package func means(
        count: Int,
        of batch: (Int) -> Tensor,
        in network: any ImageClassifier,
        chunk: Int?
    ) -> Tensor {
        let chunk = chunk ?? Int.max
        return withoutGradient {
            var rows = [Tensor]()
            // Classes that are embedded at once, none alone above a chunk.
            var together = [Tensor]()
            var imageCount = 0
            func embedTogether() {
                guard !together.isEmpty else { return }
                let all = embedded(
                    together.count == 1 ? together[0] : .concatenated(together),
                    network
                )
                var start = 0
                for x in together {
                    let size = x.size(along: 0)
                    rows.append(all[start..<start + size].sum(along: 0) / Double(size))
                    start += size
                }
                together = []
                imageCount = 0
            }
            for label in 0..<count {
                let x = batch(label)
                let size = x.size(along: 0)
                if imageCount + size > chunk { embedTogether() }
                if size <= chunk {
                    together.append(x)
                    imageCount += size
                } else {
                    let sums = stride(from: 0, to: size, by: chunk).map {
                        embedded(x[$0..<min($0 + chunk, size)], network).sum(along: 0)
                    }
                    rows.append(Tensor.stacked(sums).sum(along: 0) / Double(size))
                }
            }
            embedTogether()
            return .stacked(rows)
        }
    }

    /// φ(x): [B, C, H, W] → [B, F], float32.
    private func embedded(_ x: Tensor, _ network: any ImageClassifier) -> Tensor {
        withAutocast(precision, on: x.device) {
            network.features(network.inPreferredOrder(x))
        }.converted(to: .float32)
    }

    /// Classes with one graph for all of their images.
    private func together(
        _ images: Tensor,
        _ network: any ImageClassifier,
        targets: Tensor,
        _ changes: [SiameseAugmentation.Draw]
    ) -> (loss: Double, gradient: Tensor) {
        images.requiresGradient = true
        let parts = images.chunked(changes.count, along: 0)
        var x = Tensor.concatenated(zip(parts, changes).map { $1($0) })  // [k·n, C, H, W]
        x = embedded(x, network)  // [k·n, F]
        x = x.reshaped(changes.count, -1, x.size(along: 1)).mean(along: 1)  // [k, F]
        let loss = (targets - x).squared().sum()
        loss.backward()
        return (loss.item, images.gradient ?? .zeros(like: images))
    }

    /// One class in parts: the gradient of its mean embedding m is 2·(m − target), which the second
    /// pass hands on, part by part.
    private func inParts(
        _ images: Tensor,
        _ size: Int,
        _ network: any ImageClassifier,
        target: Tensor,
        _ change: SiameseAugmentation.Draw
    ) -> (loss: Double, gradient: Tensor) {
        let count = images.size(along: 0)
        let mean = means(count: 1, of: { _ in change(images) }, in: network, chunk: size)[0]  // [F]
        let difference = mean - target
        let weights = difference.unsqueezed(0) * (2 / Double(count))  // [1, F]
        let gradients = stride(from: 0, to: count, by: size).map { start -> Tensor in
            let part = images[start..<min(start + size, count)].detached()
            part.requiresGradient = true
            let x = embedded(change(part), network)
            x.backward(weights: weights.expanded(x.shape))
            return part.gradient ?? .zeros(like: part)
        }
        return (difference.squared().sum().item, .concatenated(gradients))
    }

    /// Real images that are embedded at once.
    private var chunkSize: Int {
        real.set.device.imagesAtOnce(
            height: real.set.height,
            width: real.set.width,
            atMost: 1024
        )
    }
}

extension Module {
    /// Whether what it computes for an image depends on the others of the batch.
    package var containsBatchNorm: Bool {
        self is BatchNorm2d || children().contains { $0.module.containsBatchNorm }
    }
}
