import Models
import NeuralNetworks
import TestSupport
import Testing
import Torch

extension Golden {
    /// Names and shapes of a network's parameters in the reference's order.
    func parameterOrder() throws -> [(name: String, shape: [Int])] {
        let text = try #require(metadata["parameter_order"])
        return try JSONValue(text: text).array.map { entry in
            let pair = try entry.array
            return (try pair[0].string, try pair[1].array.map { try $0.int })
        }
    }

    /// Gives a network the weights that are stored here, or those of the rule.
    func loadWeights(into network: Module) throws {
        if config["rule"] == .bool(true) {
            // Running statistics are as they are at the start.
            try network.load(weightsByRule()) {
                $0.contains(".running_") || $0.hasSuffix(".num_batches_tracked")
            }
        } else {
            try network.load(group("model."))
        }
    }

    /// Compares the gradients of the mean cross entropy by weights and images.
    ///
    /// NB: in float64. The gradient of a ReLU jumps at 0, and an activation may lie within the
    /// rounding of float32 from it, which differs between processors (`evalnet_convnet6_full_rule`
    /// has one at −1.6e-7: PyTorch itself misses the golden on processors without AVX-512). A shift
    /// before a batch normalisation, with nothing but convolutions between, has gradient 0: what is
    /// computed, here and in the golden, is rounding below 1e-14.
    ///
    /// - Parameters:
    ///   - network: The network with the golden's weights; it is left in float64.
    ///   - isZero: True for the names of weights whose gradient is rounding alone.
    /// - Throws: If the file lacks a tensor or the network a gradient.
    func expectGradients(
        of network: any ImageClassifier,
        whereZero isZero: (String) -> Bool = { _ in false }
    ) throws {
        network.move(to: device, dtype: .float64)
        let x = try self["input.x"].converted(to: .float64)
        x.requiresGradient = true
        network(x).crossEntropy(to: try self["input.y"]).backward()
        var gradients = Dictionary(
            uniqueKeysWithValues: network.parameters().map { ($0.name, $0.tensor.gradient) }
        )
        gradients["input.x"] = x.gradient
        let expected = group("grad.")
        #expect(expected.count > 10)
        for (name, expected) in expected {
            let gradient = try #require(gradients[name] ?? nil, "\(name)")
            expectClose(
                gradient,
                isZero(name) ? .zeros(like: expected) : expected,
                relative: isZero(name) ? 0 : 2e-3,
                absolute: isZero(name) ? 1e-4 : 1e-13,
                name
            )
        }
    }

    /// The weights of goldens that store none: pseudo-random numbers in ±1, scaled.
    private func weightsByRule() throws -> StateDictionary {
        let seed = UInt64(try config["seed"].int)
        var state = StateDictionary()
        for (index, (name, shape)) in try parameterOrder().enumerated() {
            let count = shape.reduce(1, *)
            let r = Golden.pseudoRandom(seed: seed, index: index, count: count)
            if let check = self.state["check.rule.\(index)"] {
                #expect(Array(r.prefix(4)) == check.values(as: Float.self))
            }
            let values: [Float] =
                if shape.count > 1 {
                    r.map { $0 * Float((3 / Double(count / shape[0])).squareRoot()) }
                } else if name.hasSuffix("weight") {
                    r.map { 1 + $0 * 0.2 }
                } else {
                    r.map { $0 * 0.1 }
                }
            state[name] = Tensor(values, shape: shape)
        }
        return state
    }

    /// Numbers in ±1 that every language can make: those of tensor `index`.
    static func pseudoRandom(seed: UInt64, index: Int, count: Int) -> [Float] {
        let key = mix64(seed &* 1_000_003 &+ UInt64(index))
        return (0..<count).map { place in
            Float(mix64(key &+ UInt64(place)) >> 40) / Float(1 << 23) - 1
        }
    }

    private static func mix64(_ x: UInt64) -> UInt64 {
        var x = x &+ 0x9E37_79B9_7F4A_7C15
        x = (x ^ x >> 30) &* 0xBF58_476D_1CE4_E5B9
        x = (x ^ x >> 27) &* 0x94D0_49BB_1331_11EB
        return x ^ x >> 31
    }
}
