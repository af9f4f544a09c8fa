import Checkpoints
import Datasets
import Distillation
import Foundation
import Models
import Torch
import Training

// Our side of Benchmarks/methods.sh: does what it is told, line by line.
//
//   distill-bench match FOLDER THREADS PRECISION
//
// FOLDER/settings.json says what is measured, as Benchmarks/methods.py writes it. First all that the
// other side needs goes into FOLDER: `pixels.safetensors`, the training set, and
// `start.safetensors`, the first images and the weights and real images of the steps whose losses are
// compared. Then the commands, each answered by a line:
//
//   losses          steps in float32 without augmentation: their losses
//   step N          N steps with augmentation: seconds of the clock and of the processors
//   gemm            10⁹ operations a second of a matrix product in the precision of the steps
//   memory          the largest resident set so far, bytes

/// DM or IDC-1 as `distill baseline` runs them, in the hands of a benchmark.
final class MatchingServer {
    private struct Settings: Codable {
        let method: String
        let network: String
        let imageSize: Int
        let channels: Int
        let imagesPerClass: Int
        let realBatchSize: Int
        let distance: GradientMatching.Distance
        let imageLearningRate: Double
        /// A folder with Fashion-MNIST; empty for random images.
        let data: String
        let lossSteps: Int
    }

    private static let seed: UInt64 = 0

    private let settings: Settings
    private let precision: DType?
    private let real: RealImages
    private var method: (any DistillationMethod)?

    init(_ arguments: ArraySlice<String>) throws {
        let arguments = Array(arguments)
        guard arguments.count == 3, let threads = Int(arguments[1]) else {
            fail("expected match FOLDER THREADS PRECISION")
        }
        Engine.keepFreedMemory()
        Engine.threadCount = threads
        precision = autocastType(arguments[2])
        let folder = URL(filePath: arguments[0])
        settings = try JSONDecoder().decode(
            Settings.self,
            from: Data(contentsOf: folder.appending(path: "settings.json"))
        )
        real = try RealImages(MatchingServer.images(settings))
        try write(to: folder)
    }

    /// Reads commands until there are no more.
    func serve() throws {
        reply("ready: \(Engine.fusedLoops), \(precision.map { "\($0)" } ?? "float32")")
        while let line = readLine() {
            let words = line.split(separator: " ").map(String.init)
            switch (words.first, words.dropFirst().compactMap(Int.init).first) {
            case ("losses", nil): reply(try losses().map { "\($0)" }.joined(separator: " "))
            case ("step", let count?): reply(try seconds(ofSteps: count))
            case ("gemm", nil): reply("\(FinetuningServer.productRate(precision))")
            case ("memory", nil): reply("\(Memory.peakBytes(on: .cpu))")
            default: fail("what is \"\(line)\"?")
            }
        }
    }

    /// Fashion-MNIST, or random images of ten classes.
    private static func images(_ settings: Settings) throws -> ImageSet {
        guard settings.data.isEmpty else {
            let images = try IDXDataset(folder: URL(filePath: settings.data), split: .train)
            let packed = try PackedImages(loading: images)
            return try ImageSet(
                images: packed.tensor(),
                labels: packed.labels,
                classNames: packed.classNames
            )
        }
        let (classes, perClass, side) = (10, 2 * settings.realBatchSize, settings.imageSize)
        var generator = RandomGenerator(seed: 1)
        let shape = [classes * perClass, settings.channels, side, side]
        return try ImageSet(
            images: (generator.uniform(shape) * 255).converted(to: .uint8),
            labels: (0..<classes * perClass).map { $0 / perClass },
            classNames: (0..<classes).map { "class \($0)" }
        )
    }

    /// Steps of the method, without anything that is no matching: IDC's training of networks.
    private func newMethod(
        augmentation: String?,
        precision: DType?
    ) throws -> any DistillationMethod {
        if settings.method == "dm" {
            var parameters = DistributionMatching.Parameters()
            parameters.network = settings.network
            parameters.realBatchSize = settings.realBatchSize
            parameters.imageLearningRate = settings.imageLearningRate
            parameters.augmentation = augmentation ?? parameters.augmentation
            return try DistributionMatching(
                real,
                imagesPerClass: settings.imagesPerClass,
                parameters: parameters,
                seed: Self.seed,
                precision: precision
            )
        }
        var parameters = IDC.Parameters()
        parameters.factor = 1
        parameters.network = settings.network
        parameters.matching.distance = settings.distance
        parameters.realBatchSize = settings.realBatchSize
        parameters.baseImageSize = settings.imageSize
        parameters.imageLearningRate = settings.imageLearningRate
        parameters.earlyEpochs = 0
        parameters.networkImages = 0
        parameters.augmentation = augmentation ?? parameters.augmentation
        return try IDC(
            real,
            imagesPerClass: settings.imagesPerClass,
            parameters: parameters,
            seed: Self.seed,
            precision: precision
        )
    }

    /// Writes what the other side begins with.
    private func write(to folder: URL) throws {
        let set = real.set
        let pixels = [("images", set.images), ("labels", Tensor(set.labels))]
        try Safetensors.save(
            StateDictionary(pixels),
            to: folder.appending(path: "pixels.safetensors")
        )
        var start = StateDictionary()
        start["mean"] = Tensor(real.statistics.mean.map { Float($0) })
        start["deviation"] = Tensor(real.statistics.deviation.map { Float($0) })
        start["images"] = try newMethod(augmentation: "none", precision: nil).optimized["images"]
        for step in 0..<settings.lossSteps {
            for label in 0..<set.classCount {
                let places = real.places(
                    settings.realBatchSize,
                    ofClass: label,
                    step: step,
                    seed: Self.seed
                )
                start["places.\(step).\(label)"] = Tensor(places)
            }
            // IDC keeps its first network for all of these steps.
            let number = settings.method == "dm" ? step : 0
            let network = try real.makeMatchingNetwork(
                NetworkName(settings.network),
                number: number,
                seed: Self.seed
            )
            start.merge(network.state().addingPrefix("network.\(step)."))
        }
        try Safetensors.save(start, to: folder.appending(path: "start.safetensors"))
    }

    private func losses() throws -> [Double] {
        let method = try newMethod(augmentation: "none", precision: nil)
        return try (0..<settings.lossSteps).map { _ in try method.update()["loss"] ?? .nan }
    }

    /// Steps as a run makes them, from where the last command stopped.
    private func seconds(ofSteps count: Int) throws -> String {
        let method = try method ?? newMethod(augmentation: nil, precision: precision)
        self.method = method
        return try measured { for _ in 0..<count { _ = try method.update() } }
    }
}
