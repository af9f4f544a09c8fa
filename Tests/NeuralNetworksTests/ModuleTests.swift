import NeuralNetworks
import TestSupport
import Testing
import Torch

/// A module with everything a module can have.
class Base: Module {
    @Parameter("base_weight") var weight: Tensor

    override init() {
        super.init()
        weight = .ones([2])
    }
}

final class Part: Module {
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

final class Whole: Base {
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
