import Checkpoints
import Foundation
import NeuralNetworks
import TestSupport
import Testing
import Torch

/// A module with everything a module can have.
private class Base: Module {
    @Parameter("base_weight") var weight: Tensor

    override init() {
        super.init()
        weight = .ones([2])
    }
}

private final class Part: Module {
    @Parameter var scale: Tensor
    @Parameter var shift: Tensor?
    @Buffer var count: Tensor
    @Buffer(isPersistent: false) var table: Tensor

    init(hasShift: Bool) {
        super.init()
        scale = .ones([3])
        shift = hasShift ? .zeros([3]) : nil
        count = .zeros([], dtype: .int64)
        table = .ones([7])
    }
}

private final class Whole: Base {
    @Child("first_part") var first: Part
    @Child var parts: [Part]
    @Child var absent: Part?
    @Child var present: Part?
    @Parameter("pos_embed", isConstant: true) var positions: Tensor
    @Parameter(isMatrix: true) var kernel: Tensor
    let plain = 3

    override init() {
        super.init()
        first = Part(hasShift: true)
        parts = [Part(hasShift: false), Part(hasShift: true)]
        absent = nil
        present = Part(hasShift: false)
        positions = .ones([1, 4])
        kernel = .ones([2, 2, 3, 3])
    }
}

@Suite("Modules")
struct ModuleTests {
    private static let parameterNames = [
        "base_weight", "pos_embed", "kernel", "first_part.scale", "first_part.shift",
        "parts.0.scale", "parts.1.scale", "parts.1.shift", "present.scale",
    ]

    @Test("parameters are found by their checkpoint names, a module's own first")
    func names() {
        let whole = Whole()
        #expect(whole.parameters().map(\.name) == Self.parameterNames)
        #expect(
            whole.children().map(\.key) == ["first_part", "parts.0", "parts.1", "present"]
        )
        #expect(whole.parameterCount == 2 + 4 + 36 + 5 * 3 + 1 * 3)
    }

    @Test("the state has persistent buffers too, in PyTorch's order")
    func state() {
        #expect(
            Whole().state().names == [
                "base_weight", "pos_embed", "kernel", "first_part.scale", "first_part.shift",
                "first_part.count", "parts.0.scale", "parts.0.count", "parts.1.scale",
                "parts.1.shift", "parts.1.count", "present.scale", "present.count",
            ]
        )
    }

    @Test("new parameters are trained, constant ones never")
    func training() {
        let whole = Whole()
        let trained = Self.parameterNames.filter { $0 != "pos_embed" }
        #expect(whole.trainableParameters().map(\.name) == trained)
        whole.freeze()
        #expect(whole.trainableParameters().isEmpty)
        whole.train { $0.hasSuffix("shift") || $0 == "pos_embed" }
        #expect(
            whole.trainableParameters().map(\.name) == ["first_part.shift", "parts.1.shift"]
        )
    }

    @Test("a frozen parameter collects no gradient and stays as it is")
    func freezing() {
        let layer = Linear(2, 1)
        layer.train { $0 == "bias" }
        layer(.ones([4, 2])).sum().backward()
        #expect(layer.weight.gradient == nil)
        #expect(layer.bias?.gradient?.item == 4)
    }

    @Test("training and evaluation reach every part and are restored")
    func modes() {
        struct Stop: Error {}
        let whole = Whole()
        #expect(whole.isTraining && whole.parts[1].isTraining)
        #expect(throws: Stop.self) {
            try whole.evaluating {
                #expect(!whole.isTraining && !whole.parts[1].isTraining)
                throw Stop()
            }
        }
        #expect(whole.isTraining && whole.parts[1].isTraining)
        whole.setTraining(false)
        whole.evaluating {}
        #expect(!whole.isTraining && !whole.first.isTraining)
    }

    @Test("moving to another type keeps what is trained and leaves integers alone")
    func moving() {
        let whole = Whole()
        whole.train { $0 == "kernel" }
        whole.move(to: .cpu, dtype: .float64)
        #expect(whole.kernel.dtype == .float64 && whole.kernel.requiresGradient)
        #expect(!whole.weight.requiresGradient)
        #expect(whole.first.count.dtype == .int64)
        #expect(whole.first.table.dtype == .float64)
        #expect(whole.trainableParameters().map(\.name) == ["kernel"])
    }

    @Test("a move that changes nothing keeps the tensors that an optimizer holds")
    func movingNowhere() {
        let layer = Linear(2, 1)
        let optimizer = SGD(layer.trainableParameters(), learningRate: 1)
        layer.move(to: .cpu)
        layer.useChannelsLast()
        layer(.ones([1, 2])).sum().backward()
        optimizer.step()
        expectValues(layer.weight, [-1, -1], shape: [1, 2])
    }

    @Test("frozen matrices are stored in a lower precision, nothing else")
    func lowering() {
        let whole = Whole()
        whole.lowerFrozenWeights(to: .bfloat16)
        #expect(whole.kernel.dtype == .float32)
        whole.freeze()
        whole.lowerFrozenWeights(to: .bfloat16)
        #expect(whole.kernel.dtype == .bfloat16)
        #expect(whole.weight.dtype == .float32)
    }

    @Test("channels-last order reaches convolutions and keeps them trained")
    func channelsLast() {
        let whole = Whole()
        whole.useChannelsLast()
        #expect(whole.kernel.isContiguous(channelsLast: true))
        #expect(whole.kernel.requiresGradient)
        expectClose(whole.kernel, .ones([2, 2, 3, 3]))
    }
}

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
