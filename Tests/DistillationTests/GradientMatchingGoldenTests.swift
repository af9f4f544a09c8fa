import Distillation
import Models
import NeuralNetworks
import TestSupport
import Testing
import Torch

@Suite("Gradient matching computes what the references compute", .tags(.golden))
struct GradientMatchingGoldenTests {
    /// The distances by the names in the files.
    static let ofDC: [String: GradientMatching] = [
        "ours": .dc, "mse": GradientMatching(distance: .mse, layers: .all),
        "cos": GradientMatching(distance: .globalCosine, layers: .all),
    ]
    static let ofIDC: [String: GradientMatching] = [
        "l1": .idc, "mse": GradientMatching(distance: .mse, layers: .convolutions),
        "cos": GradientMatching(distance: .cosine, layers: .convolutions),
    ]

    @Test("DC: loss and gradient", arguments: ["ours", "mse", "cos"], [256, 3, 1])
    func dc(name: String, imagesAtOnce: Int) throws {
        let golden = try Golden("dc_match")
        let matching = try #require(GradientMatchingGoldenTests.ofDC[name])
        try expectMatch(
            golden,
            matching,
            name,
            on: convNet(golden),
            imagesAtOnce: imagesAtOnce,
            tolerance: 3e-3
        )
    }

    @Test(
        "IDC: loss and gradient",
        arguments: ["idc_match_convnet", "idc_match_resnetap"],
        ["l1", "mse", "cos"]
    )
    func idc(file: String, name: String) throws {
        let golden = try Golden(file)
        let matching = try #require(GradientMatchingGoldenTests.ofIDC[name])
        let network = try network(golden)
        for imagesAtOnce in [256, 2] {
            try expectMatch(
                golden,
                matching,
                name,
                on: network,
                imagesAtOnce: imagesAtOnce,
                tolerance: 5e-3
            )
        }
    }

    @Test(
        "the same by the operations that a GPU takes",
        arguments: ["idc_match_convnet", "idc_match_resnetap"],
        ["l1", "mse", "cos"]
    )
    func composed(file: String, name: String) throws {
        try withoutFusedLoops {
            try idc(file: file, name: name)
            try dc(name: name == "l1" ? "ours" : name, imagesAtOnce: 3)
        }
    }

    @Test(
        "the gradients of the real images are those of the convolutions",
        arguments: ["idc_match_convnet", "idc_match_resnetap"]
    )
    func realGradients(file: String) throws {
        let golden = try Golden(file)
        let network = try network(golden)
        let names = network.parameters().filter { $0.tensor.rank == 4 }.map(\.name)
        let expected = golden.group("expected.conv_grad_real.")
        #expect(Set(names) == Set(expected.names))
        for imagesAtOnce in [256, 1] {
            let gradients = GradientMatching.idc.gradients(
                of: network,
                on: (try golden["input.real"], try golden["input.label_real"]),
                options: .init(imagesAtOnce: imagesAtOnce)
            )
            for (name, gradient) in zip(names, gradients) {
                expectClose(gradient, try #require(expected[name]), relative: 1e-3, name)
            }
        }
    }

    @Test("a network with batch norms sees all images at once, whatever the bound")
    func batchNorm() throws {
        var generator = RandomGenerator(seed: 4, purpose: .initialization)
        let network = try NetworkName("convnet-2-w8-batchnorm").makeClassifier(
            imageSize: 8,
            channels: 3,
            classCount: 2,
            using: &generator
        )
        let batch = (generator.normal([6, 3, 8, 8]), Tensor([0, 1, 0, 1, 1, 0]))
        let other = (generator.normal([4, 3, 8, 8]), Tensor([0, 1, 0, 1]))
        func match(_ imagesAtOnce: Int) -> (distance: Double, gradient: Tensor) {
            let options = GradientMatching.Options(imagesAtOnce: imagesAtOnce)
            let real = GradientMatching.dc.gradients(of: network, on: batch, options: options)
            return GradientMatching.dc.match(real, with: other, on: network, options: options)
        }
        let (whole, parts) = (match(0), match(2))
        #expect(whole.distance == parts.distance)
        expectIdentical(whole.gradient, parts.gradient)
    }

    private func expectMatch(
        _ golden: Golden,
        _ matching: GradientMatching,
        _ name: String,
        on network: any ImageClassifier,
        imagesAtOnce: Int,
        tolerance: Double
    ) throws {
        let real = matching.gradients(
            of: network,
            on: (try golden["input.real"], try golden["input.label_real"])
        )
        let (distance, gradient) = matching.match(
            real,
            with: (try golden["input.syn"], try golden["input.label_syn"]),
            on: network,
            options: .init(imagesAtOnce: imagesAtOnce)
        )
        let expected = try golden["expected.loss.\(name)"].item
        #expect(abs(distance - expected) <= 1e-4 * abs(expected), "\(distance) \(expected)")
        let slope = try golden["expected.grad_syn.\(name)"]
        expectClose(gradient, slope, relative: tolerance, name)
        let cosine =
            (gradient * slope).sum().item
            / (gradient.norm().item * slope.norm().item)
        #expect(cosine > 0.9999)
        #expect(network.parameters().allSatisfy { $0.tensor.gradient == nil })
    }

    private func network(_ golden: Golden) throws -> any ImageClassifier {
        guard try golden.config["net"].string == "resnet_ap" else { return try convNet(golden) }
        var generator = RandomGenerator(seed: 0)
        let network = try ResNetAP(
            ResNetAP.Configuration(
                imageSize: golden.config["net_size"].int,
                classCount: golden.config["nclass"].int,
                depth: golden.config["depth"].int,
                width: Int(golden.config["width"].double * 64)
            ),
            using: &generator
        )
        try network.load(golden.group("model."))
        return network
    }

    private func convNet(_ golden: Golden) throws -> ConvNet {
        var generator = RandomGenerator(seed: 0)
        let depth = try golden.config["depth"].int
        let network = try ConvNet(
            ConvNet.Configuration(
                imageSize: golden.config["size"].int,
                channels: golden["input.real"].size(along: 1),
                classCount: golden.config["nclass"].int,
                depth: depth,
                width: golden.config["width"].int
            ),
            using: &generator
        )
        var weights = golden.group("model.")
        if weights["features.0.weight"] != nil {
            // VICO-UoE counts all layers of a block: convolution, norm, ReLU, pooling.
            weights = StateDictionary(
                weights.map { name, tensor in
                    let parts = name.split(separator: ".").map(String.init)
                    guard parts[0] == "features", let place = Int(parts[1]) else {
                        return (name, tensor)
                    }
                    let kind = place % 4 == 0 ? "conv" : "norm"
                    return ("layers.\(kind).\(place / 4).\(parts[2])", tensor)
                }
            )
        }
        try network.load(weights)
        return network
    }
}

@Suite("Multi-formation decodes what the reference decodes", .tags(.golden))
struct MultiFormationGoldenTests {
    @Test("one factor, its labels and its gradient", arguments: [2, 3])
    func single(factor: Int) throws {
        let golden = try Golden("idc_multiformation")
        let images = try golden["input.images"].copied()
        images.requiresGradient = true
        let decoded = MultiFormation(factor: factor)
            .decoded(images, labels: try labels(golden, "input.labels"))
        expectClose(decoded.images, try golden["expected.single.\(factor)"], absolute: 1e-5)
        #expect(decoded.labels == (try labels(golden, "expected.single.\(factor).labels")))
        (decoded.images * (try golden["input.single.\(factor).r"])).sum().backward()
        expectClose(
            try #require(images.gradient),
            try golden["expected.single.\(factor).grad_images"],
            absolute: 1e-5
        )
    }

    @Test("as many as a bound allows", arguments: [2, 3])
    func bound(factor: Int) throws {
        let golden = try Golden("idc_multiformation")
        let formation = MultiFormation(factor: factor, mode: .bound)
        let bound = try golden.config["bound"].int
        let stored = try labels(golden, "input.labels")
        let decoded = formation.decoded(
            try golden["input.images"],
            labels: stored,
            bound: bound
        )
        expectClose(decoded.images, try golden["expected.bound.\(factor)"], absolute: 1e-5)
        #expect(decoded.labels == (try labels(golden, "expected.bound.\(factor).labels")))
        #expect(formation.decodedCount(stored.count, bound: bound) == decoded.labels.count)
        #expect(decoded.labels.count <= bound)
    }

    @Test("all factors")
    func multi() throws {
        let golden = try Golden("idc_multiformation")
        let formation = MultiFormation(factor: 3, mode: .multi)
        let stored = try labels(golden, "input.labels")
        let decoded = formation.decoded(try golden["input.images"], labels: stored)
        let count = Int(try golden["expected.multi.3.count"].item)
        #expect(decoded.images.size(along: 0) == count)
        #expect(formation.decodedCount(stored.count) == count)
        #expect(decoded.labels == (try labels(golden, "expected.multi.3.labels")))
        let tail = try golden["expected.multi.3.tail"]
        let last = count - tail.size(along: 0)..<count
        expectClose(decoded.images[last], tail, absolute: 1e-5)
    }

    @Test("stored images made of real ones", arguments: [2, 3])
    func mixed(factor: Int) throws {
        let golden = try Golden("idc_multiformation")
        expectIdentical(
            MultiFormation.mixed(try golden["input.mix.\(factor)"], factor: factor),
            try golden["expected.mix.\(factor)"]
        )
    }

    private func labels(_ golden: Golden, _ name: String) throws -> [Int] {
        try golden[name].values()
    }
}
