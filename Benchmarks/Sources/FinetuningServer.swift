import Checkpoints
import Diffusion
import Distillation
import Foundation
import Models
import Torch
import Training

// Our side of Benchmarks/finetune.sh: does what it is told, line by line.
//
//   distill-bench finetune FOLDER BATCH THREADS PRECISION DEVICE [recompute]
//
// FOLDER holds dit.safetensors and vae/, as Benchmarks/finetune_pytorch.py writes them; PRECISION
// is float32, bfloat16, or auto for the faster one here; DEVICE is cpu, cuda or cuda:N. The commands,
// each answered by a line:
//
//   losses              updates in float32 on the batches of FOLDER/batches.safetensors: their losses
//   step N              N updates, latents from the cache: seconds
//   encode N PRECISION  N images: seconds
//   sample NAME B S N   the first N of S steps for B images, by ddpm or solver: seconds
//   gemm PRECISION      10⁹ operations a second of a matrix product
//   memory              the largest resident set so far, or all that a GPU gave out at once, bytes

/// A fine-tuning as `distill finetune` does it, in the hands of a benchmark.
final class FinetuningServer {
    /// The labels of the ten classes of ImageWoof among those of ImageNet.
    private static let labels = [193, 182, 258, 162, 155, 167, 159, 273, 207, 229]

    private let folder: URL
    private let weightsFile: URL
    private let batchSize: Int
    private let precision: DType?
    private let device: Device
    private let recomputes: Bool
    private let configuration: DiT.Configuration
    private var training: (method: MinimaxDiffusion, source: CachedLatents)?
    private var sampled: DiT?

    init(_ arguments: ArraySlice<String>) throws {
        let arguments = Array(arguments)
        guard (5...6).contains(arguments.count), let batchSize = Int(arguments[1]),
            let threads = Int(arguments[2]),
            arguments.count == 5 || arguments[5] == "recompute"
        else { fail("expected finetune FOLDER BATCH THREADS PRECISION DEVICE [recompute]") }
        device = try Device.named(arguments[4])
        Engine.keepFreedMemory()
        Engine.threadCount = threads
        folder = URL(filePath: arguments[0])
        self.batchSize = batchSize
        precision = autocastType(arguments[3], on: device)
        recomputes = arguments.count == 6
        weightsFile = folder.appending(path: "dit.safetensors")
        let checkpoint = try Checkpoint(contentsOf: weightsFile)
        guard case .dit(let sizes)? = checkpoint.recognizedWeights()?.sizes else {
            fail("\(weightsFile.path) is no DiT")
        }
        configuration = DiT.Configuration(sizes)
    }

    /// Reads commands until there are no more.
    func serve() throws {
        reply("ready: \(Engine.fusedLoops), \(precision.map { "\($0)" } ?? "float32")")
        while let line = readLine() {
            let words = line.split(separator: " ").map(String.init)
            let numbers = words.compactMap(Int.init)
            switch (words.first, numbers.count) {
            case ("losses", 0): reply(try losses().map { "\($0)" }.joined(separator: " "))
            case ("step", 1): reply(try seconds(ofSteps: numbers[0]))
            case ("encode", 1):
                reply(try seconds(ofEncoding: numbers[0], autocastType(words[2], on: device)))
            case ("sample", 3):
                reply(
                    try seconds(
                        ofSampling: words[1],
                        images: numbers[0],
                        steps: numbers[1],
                        taken: numbers[2]
                    )
                )
            case ("gemm", 0):
                reply("\(Self.productRate(autocastType(words[1], on: device), on: device))")
            case ("memory", 0): reply("\(Memory.peakBytes(on: device))")
            default: fail("what is \"\(line)\"?")
            }
        }
    }

    private var latentShape: [Int] {
        [configuration.channels, configuration.inputSize, configuration.inputSize]
    }

    // MARK: - Fine-tuning

    private func method(precision: DType?) throws -> MinimaxDiffusion {
        let model = DiT(awaitingWeights: configuration.withScaleFactors())
        try model.load(Safetensors.load(contentsOf: weightsFile), optional: DiT.isScaleFactor)
        model.move(to: device)
        var parameters = MinimaxDiffusion.Parameters()
        parameters.batchSize = batchSize
        parameters.recomputesActivations = recomputes
        return MinimaxDiffusion(
            model,
            networkLabels: Self.labels,
            latentShape: latentShape,
            parameters: parameters,
            seed: 0,
            precision: precision,
            device: device
        )
    }

    /// The losses of updates in float32 on given batches.
    private func losses() throws -> [Double] {
        let batches = try Safetensors.load(
            contentsOf: folder.appending(path: "batches.safetensors")
        )
        let method = try method(precision: nil)
        func batch(_ place: Int) throws -> DiffusionBatch {
            func part(_ name: String) -> Tensor {
                guard let whole = batches[name] else { fail("batches.safetensors has no \(name)") }
                return whole[place].moved(to: device)
            }
            return DiffusionBatch(
                x0: part("x0"),
                noise: part("noise"),
                timesteps: part("timesteps"),
                labels: part("labels"),
                classes: part("classes").values()
            )
        }
        let count = batches["x0"]?.size(along: 0) ?? 0
        return try (0..<count).map { method.update(try batch($0)).loss }
    }

    /// Updates as a run makes them, from where the last command stopped.
    private func seconds(ofSteps count: Int) throws -> String {
        if training == nil {
            training = (
                try method(precision: precision),
                try RandomLatents.cache(
                    in: folder.appending(path: "latents"),
                    shape: latentShape,
                    classCount: Self.labels.count,
                    imagesPerClass: 8
                )
            )
        }
        guard let (method, source) = training else { fail("there is no training") }
        let last = method.step + count
        return try measured(on: device) { try method.run(on: source) { $0.step < last } }
    }

    // MARK: - Encoding and sampling

    private func seconds(ofEncoding count: Int, _ precision: DType?) throws -> String {
        let autoencoder = try AutoencoderKL.load(folder: folder.appending(path: "vae"))
        autoencoder.move(to: device)
        if let precision { autoencoder.lowerFrozenWeights(to: precision) }
        var generator = RandomGenerator(seed: 2)
        let side = 8 * configuration.inputSize
        let images = (generator.uniform([count, 3, side, side]) * 255).converted(to: .uint8)
            .moved(to: device)
        return measured(on: device) {
            withAutocast(precision, on: device) { _ = autoencoder.encoded(images) }
        }
    }

    /// Latents with guidance 4: two predictions an image and step, of all images at once.
    private func seconds(
        ofSampling name: String,
        images: Int,
        steps: Int,
        taken: Int
    ) throws -> String {
        if sampled == nil {
            let model = DiT(awaitingWeights: configuration)
            try model.load(Safetensors.load(contentsOf: weightsFile))
            model.move(to: device)
            model.freeze()
            if let precision { model.lowerFrozenWeights(to: precision) }
            sampled = model
        }
        guard let model = sampled else { fail("there is no model") }
        let labels = (0..<images).map { Self.labels[$0 % Self.labels.count] }
        var noise = NoiseSource(
            seed: 0,
            images: labels.enumerated().map { (label: $0.element, image: $0.offset) }
        )
        let start = noise.next(latentShape).moved(to: device)
        let (precision, device) = (precision, device)
        let network = ClassifierFreeGuidance(scale: 4, nullLabel: configuration.classCount)
            .guiding { x, timesteps, labels in
                withAutocast(precision, on: device) {
                    model(x, timesteps: timesteps, labels: labels)
                }
            }
        func take(_ sampler: some Sampler) -> String {
            measured(on: device) {
                var states = sampler.makeIterator()
                for _ in 0..<taken { _ = states.next() }
            }
        }
        if name == "ddpm" {
            return take(
                AncestralSampler(
                    try NoiseSchedule().respaced(.sections([steps])),
                    network: network,
                    start: start,
                    labels: Tensor(labels).moved(to: device),
                    noise: noise
                )
            )
        }
        return take(
            DPMSolverPlusPlus(
                try NoiseSchedule().respaced(.solver(steps)),
                network: network,
                start: start,
                labels: Tensor(labels).moved(to: device)
            )
        )
    }

    // MARK: - What the processor can do

    /// The best of five products of square matrices, in 10⁹ operations a second.
    static func productRate(_ precision: DType?, on device: Device = .cpu) -> Double {
        // Without instructions for bfloat16 a product takes a hundred times as long.
        let isSlow = precision == .bfloat16 && Precision.automatic(on: device) == .float32
        // On a GPU its matrices count in the peak of memory: small beside the values of a step.
        let size = device == .cpu ? (isSlow ? 512 : 2048) : 4096
        let a = Tensor.full([size, size], 0.5, dtype: precision ?? .float32, device: device)
        let seconds = (0..<6).map { _ in
            let start = ContinuousClock.now
            _ = a.matmul(a)
            device.synchronize()
            return (ContinuousClock.now - start) / .seconds(1)
        }
        return 2 * Double(size * size * size) / (seconds.dropFirst().min() ?? 1) / 1e9
    }
}
