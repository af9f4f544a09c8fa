import NeuralNetworks
import TestSupport
import Testing
import Torch
import Training

@Suite("CutMix and the loss match the reference", .tags(.golden))
struct CutMixGoldenTests {
    @Test("box, mixed batch, loss and one step of SGD match")
    func matches() throws {
        let golden = try Golden("cutmix")
        let x = try golden["input.x"]
        let cases: [Double] = try golden["input.cases"].values()
        for index in 0..<cases.count / 3 {
            let row = Array(cases[index * 3..<index * 3 + 3])
            let mix = CutMix(
                lambda: row[0],
                row: Int(row[1]),
                column: Int(row[2]),
                height: x.size(along: 2),
                width: x.size(along: 3),
                permutation: try golden["input.perm"].values()
            )
            let box = [
                mix.rows.lowerBound, mix.columns.lowerBound, mix.rows.upperBound,
                mix.columns.upperBound,
            ]
            #expect(box == (try golden["expected.\(index).bbox"].values()), "case \(index)")
            let mixed = mix.mixed(x)
            expectIdentical(mixed, try golden["expected.\(index).mixed"], "case \(index)")

            let weight = try golden["input.weight"].copied()
            weight.requiresGradient = true
            let logits = mixed.flattened(from: 1).linear(weight: weight)
            let loss = mix.loss(logits, labels: try golden["input.y"])
            expectClose(loss, try golden["expected.\(index).loss"], absolute: 1e-5)
            let optimizer = SGD(
                [(name: "weight", tensor: weight)],
                learningRate: try golden.config["lr"].double
            )
            loss.backward()
            optimizer.step()
            expectClose(
                weight,
                try golden["expected.\(index).weight_after_sgd"],
                absolute: 1e-5,
                "case \(index)"
            )
        }
    }

    @Test("the hard-label loss and its gradient match")
    func crossEntropy() throws {
        let golden = try Golden("soft_label")
        let logits = try golden["input.student_logits"].copied()
        logits.requiresGradient = true
        let loss = logits.crossEntropy(to: try golden["input.labels"])
        expectClose(loss, try golden["expected.ce"], relative: 2e-4)
        loss.backward()
        let gradient = try #require(logits.gradient)
        expectClose(gradient, try golden["expected.ce_grad"], relative: 1e-4)
    }

    @Test("the learning rate of every epoch matches")
    func schedule() throws {
        let golden = try Golden("schedules")
        let schedules = golden.group("expected.multistep.")
        #expect(schedules.count > 0)
        for (name, expected) in schedules {
            let epochs = try #require(Int(name))
            let options = TrainingOptions(epochs: epochs)
            let rates = (0..<epochs).map { options.learningRate(atEpoch: $0) }
            expectClose(Tensor(rates), expected, relative: 1e-12, "\(epochs) epochs")
        }
    }
}
