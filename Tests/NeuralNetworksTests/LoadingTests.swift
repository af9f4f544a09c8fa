import Checkpoints
import Foundation
import NeuralNetworks
import TestSupport
import Testing
import Torch

@Suite("Loading weights into modules")
struct LoadingTests {
    @Test("the state of one module makes another one equal")
    func loading() throws {
        let source = Whole()
        withoutGradient {
            for (place, tensor) in source.state().tensors.values.enumerated() {
                tensor.fill(with: Double(place))
            }
        }
        let target = Whole()
        try target.load(source.state())
        for (name, tensor) in target.state() {
            expectIdentical(tensor, try #require(source.state()[name]), name)
            #expect(!tensor.sharesStorage(with: try #require(source.state()[name])))
        }
        #expect(target.trainableParameters().count == source.trainableParameters().count)
    }

    @Test("another element type is converted")
    func conversion() throws {
        let layer = Linear(2, 1, usesBias: false)
        let weight = Tensor([1.5, 2], shape: [1, 2]).converted(to: .bfloat16)
        try layer.load(StateDictionary([("weight", weight)]))
        #expect(layer.weight.dtype == .float32)
        expectValues(layer.weight, [1.5, 2], shape: [1, 2])
    }

    @Test("an average that does not fit is not called an optimizer")
    func averages() {
        let parameter = (name: "p", tensor: Tensor.ones([2]))
        let average = ExponentialMovingAverage(of: [parameter], decay: 0.5)
        let error = #expect(throws: StateMismatchError.self) {
            try average.load(StateDictionary([("p", .ones([3]))]))
        }
        #expect(error?.subject == "the average of the trained weights")
        #expect(error?.misshaped == ["ema.p expected [2], found [3]"])
    }

    @Test("all mismatches are listed at once and nothing is changed")
    func mismatches() throws {
        let whole = Whole()
        var state = whole.state().mapValues { $0.detached().copied() * 0 }
        state["base_weight"] = nil
        state["parts.1.shift"] = nil
        state["kernel"] = .zeros([2, 2, 1, 1])
        state["pos_embed"] = .zeros([4])
        state["head.weight"] = .zeros([1])
        state["parts.2.scale"] = .zeros([3])
        let error = #expect(throws: StateMismatchError.self) { try whole.load(state) }
        #expect(error?.missing == ["base_weight", "parts.1.shift"])
        #expect(error?.unexpected == ["head.weight", "parts.2.scale"])
        #expect(
            error?.misshaped == [
                "pos_embed expected [1, 4], found [4]",
                "kernel expected [2, 2, 3, 3], found [2, 2, 1, 1]",
            ]
        )
        let text = error?.description ?? ""
        for part in ["Whole", "missing: base_weight, parts.1.shift", "unexpected: head.weight"] {
            #expect(text.contains(part))
        }
        expectClose(whole.first.scale, .ones([3]))
    }

    @Test("named exceptions may be missing or left over")
    func exceptions() throws {
        let whole = Whole()
        var state = whole.state().mapValues { $0.detached().copied() * 0 }
        state["base_weight"] = nil
        state["head.weight"] = .zeros([1])
        try whole.load(
            state,
            optional: { $0 == "base_weight" },
            ignored: { $0.hasPrefix("head.") }
        )
        expectClose(whole.weight, .ones([2]))
        expectClose(whole.first.scale, .zeros([3]))
    }

    @Test("a trained parameter never aliases the file it was loaded from")
    func noAliases() throws {
        try withTemporaryFolder { folder in
            let url = folder.appendingPathComponent("x.safetensors")
            let layer = Linear(4, 4)
            try Safetensors.save(layer.state(), to: url)
            let before = try Data(contentsOf: url)
            let loaded = try Safetensors.load(contentsOf: url)
            let other = Linear(4, 4)
            try other.load(loaded)
            for (name, tensor) in other.state() {
                #expect(!tensor.sharesStorage(with: try #require(loaded[name])))
            }
            other(.ones([1, 4])).sum().backward()
            SGD(other.trainableParameters(), learningRate: 1).step()
            #expect(other.weight.sum().item == -16)
            expectClose(try #require(loaded["weight"]), .zeros([4, 4]))
            #expect(try Data(contentsOf: url) == before)
        }
    }

    @Test("the weights of a file survive it bit by bit")
    func throughAFile() throws {
        try withTemporaryFolder { folder in
            var generator = RandomGenerator(seed: 1)
            let layer = BatchNorm2d(channels: 3)
            _ = layer(generator.normal([4, 3, 2, 2]))
            let url = folder.appendingPathComponent("x.safetensors")
            try Safetensors.save(layer.state(), to: url)
            let other = BatchNorm2d(channels: 3)
            try other.load(try Safetensors.load(contentsOf: url))
            for (name, tensor) in other.state() {
                expectIdentical(tensor, try #require(layer.state()[name]), name)
            }
        }
    }
}
