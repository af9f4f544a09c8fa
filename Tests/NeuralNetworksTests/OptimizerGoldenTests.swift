import Foundation
import NeuralNetworks
import TestSupport
import Testing
import Torch

@Suite("Optimizers follow the reference's trajectories", .tags(.golden))
struct OptimizerGoldenTests {
    private let golden: Golden

    init() throws { golden = try Golden("optimizers") }

    /// The names of the parameters in the file.
    private var names: [String] { golden.group("input.param.").names }

    /// max|a−b| ≤ 2e-6·max(1, max|b|), as the file says.
    private func expect(
        _ a: Tensor,
        _ name: String,
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        let b = try golden[name]
        let scale = max(1, b.count > 0 ? b.magnitude().max().item : 0)
        expectClose(a, b, absolute: 2e-6 * scale, name, sourceLocation: sourceLocation)
    }

    private func parameters(channelsLast: Bool = false) throws -> [(name: String, tensor: Tensor)] {
        try names.map { name in
            var tensor = try golden["input.param.\(name)"].copied()
            if channelsLast, tensor.rank == 4 { tensor = tensor.contiguous(channelsLast: true) }
            tensor.requiresGradient = true
            return (name: name, tensor: tensor)
        }
    }

    private func optimizer(
        _ key: String,
        _ parameters: [(name: String, tensor: Tensor)]
    ) throws -> any Optimizer {
        let settings = golden.config[key]
        let decay = settings["weight_decay"].isNull ? 0 : try settings["weight_decay"].double
        guard key.hasPrefix("adamw") else {
            return SGD(
                parameters,
                learningRate: try settings["lr"].double,
                momentum: settings["momentum"].isNull ? 0 : try settings["momentum"].double,
                weightDecay: decay
            )
        }
        var configuration = AdamW.Configuration(weightDecay: decay)
        if !settings["betas"].isNull {
            configuration.beta1 = try settings["betas"].array[0].double
            configuration.beta2 = try settings["betas"].array[1].double
        }
        if !settings["eps"].isNull { configuration.epsilon = try settings["eps"].double }
        return AdamW(
            parameters,
            learningRate: try settings["lr"].double,
            configuration: configuration
        )
    }

    private func step(
        _ optimizer: any Optimizer,
        _ parameters: [(name: String, tensor: Tensor)],
        _ number: Int
    ) throws {
        for (name, tensor) in parameters {
            let gradient = try golden["input.grads.\(name)"][number].copied()
            // Backward gives gradients the layout of their parameter.
            let isChannelsLast = tensor.rank == 4 && !tensor.isContiguous()
            tensor.gradient = isChannelsLast ? gradient.contiguous(channelsLast: true) : gradient
        }
        optimizer.step()
    }

    private func run(_ key: String, channelsLast: Bool) throws {
        let parameters = try parameters(channelsLast: channelsLast)
        let optimizer = try optimizer(key, parameters)
        let steps = try golden["input.grads.\(names[0])"].size(along: 0)
        for number in 0..<steps {
            try step(optimizer, parameters, number)
            for (name, tensor) in parameters {
                let expected = "expected.\(key).step\(number + 1).\(name)"
                if golden.state[expected] != nil { try expect(tensor.detached(), expected) }
            }
        }
        let state = optimizer.state()
        for kind in ["exp_avg", "exp_avg_sq", "momentum_buffer"] {
            for name in golden.group("expected.\(key).\(kind).").names {
                try expect(
                    try #require(state["\(kind).\(name)"]),
                    "expected.\(key).\(kind).\(name)"
                )
            }
        }
        #expect(!golden.group("expected.\(key).step\(steps).").names.isEmpty)
    }

    @Test("every variant of SGD and AdamW, in both memory layouts", arguments: [false, true])
    func trajectories(_ channelsLast: Bool) throws {
        let keys = try golden.config.object.keys.sorted()
        #expect(!keys.isEmpty)
        for key in keys { try run(key, channelsLast: channelsLast) }
    }

    @Test("a saved and loaded optimizer goes on bit by bit")
    func resuming() throws {
        for key in try golden.config.object.keys.sorted() {
            let parameters = try parameters()
            let optimizer = try optimizer(key, parameters)
            for number in 0..<2 { try step(optimizer, parameters, number) }

            let copies = parameters.map { (name: $0.name, tensor: $0.tensor.detached().copied()) }
            for (_, tensor) in copies { tensor.requiresGradient = true }
            let other = try self.optimizer(key, copies)
            try other.load(optimizer.state().mapValues { $0.copied() })
            for number in 2..<4 {
                try step(optimizer, parameters, number)
                try step(other, copies, number)
            }
            for (a, b) in zip(parameters, copies) { expectIdentical(a.tensor, b.tensor, key) }
            for (name, tensor) in optimizer.state() {
                expectIdentical(tensor, try #require(other.state()[name]), name)
            }
        }
    }

    @Test("the running average follows the reference, also when its decay changes")
    func average() throws {
        let start = try parameters()
        let live = start.map { (name: $0.name, tensor: $0.tensor.detached().copied()) }
        let slow = ExponentialMovingAverage(of: live, decay: 0.9999)
        let steps = try golden["input.grads.\(names[0])"].size(along: 0)
        func follow(_ average: ExponentialMovingAverage) throws {
            for number in 0..<steps {
                for ((name, tensor), first) in zip(live, start) {
                    tensor.copy(
                        from: first.tensor.detached()
                            + (try golden["input.grads.\(name)"][number])
                    )
                }
                average.update()
            }
        }
        try follow(slow)
        for (name, tensor) in slow.state() {
            try expect(tensor, "expected.ema_after_decay_0p9999.\(name)")
        }
        let fast = ExponentialMovingAverage(of: live, decay: 0.9)
        try fast.load(slow.state())
        try follow(fast)
        for (name, tensor) in fast.state() {
            try expect(tensor, "expected.ema_after_decay_0p9.\(name)")
        }
    }
}

@Suite("Schedules and losses follow the reference", .tags(.golden))
struct ScheduleGoldenTests {
    @Test("the learning rate drops at two thirds and five sixths of the epochs")
    func multiStep() throws {
        let golden = try Golden("schedules")
        let cases = golden.group("expected.multistep.")
        #expect(cases.count > 0)
        for (name, tensor) in cases {
            let epochs = try #require(Int(name))
            let schedule = LearningRateSchedule.multiStep(
                milestones: [2 * epochs / 3, 5 * epochs / 6],
                factor: 0.2
            )
            let rates = (0..<tensor.count).map { 0.01 * schedule.factor(at: $0) }
            expectClose(Tensor(rates), tensor, relative: 1e-12, name)
        }
    }

    @Test("half of a half cosine")
    func halfCosine() throws {
        let cases = try Golden("schedules").group("expected.rded_cosine.")
        #expect(cases.count > 0)
        for (name, tensor) in cases {
            let schedule = LearningRateSchedule.halfCosine(total: try #require(Int(name)))
            let rates = (0..<tensor.count).map { 1e-3 * schedule.factor(at: $0) }
            expectClose(Tensor(rates), tensor, relative: 1e-12, name)
        }
    }

    @Test("cross entropy and its gradient")
    func crossEntropy() throws {
        let golden = try Golden("soft_label")
        let logits = try golden["input.student_logits"].copied()
        logits.requiresGradient = true
        let loss = logits.crossEntropy(to: try golden["input.labels"])
        expectClose(loss.detached(), try golden["expected.ce"], relative: 2e-4)
        loss.backward()
        expectClose(
            try #require(logits.gradient),
            try golden["expected.ce_grad"],
            relative: 1e-4
        )
    }

    @Test("soft labels with a temperature, and their gradient")
    func softLabels() throws {
        let golden = try Golden("soft_label")
        let cases = golden.group("expected.kl.T")
        #expect(cases.count > 0)
        for (name, expected) in cases {
            let temperature = try #require(Double(name))
            let student = try golden["input.student_logits"].copied()
            student.requiresGradient = true
            let target = (try golden["input.teacher_logits"] / temperature).softmax(along: 1)
            let loss =
                (student / temperature).logSoftmax(along: 1).klDivergence(to: target).sum()
                / Double(student.size(along: 0))
            expectClose(loss.detached(), expected, relative: 2e-4, name)
            loss.backward()
            expectClose(
                try #require(student.gradient),
                try golden["expected.kl_grad.T\(name)"],
                relative: 1e-4,
                name
            )
        }
    }
}
