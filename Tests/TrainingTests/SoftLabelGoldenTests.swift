import NeuralNetworks
import TestSupport
import Testing
import Torch
import Training

@Suite("Soft labels and RDED's changes of images match the reference", .tags(.golden))
struct SoftLabelGoldenTests {
    @Test("the loss and its gradient match at every temperature", arguments: [1, 4, 20])
    func loss(_ temperature: Int) throws {
        let golden = try Golden("soft_label")
        let student = try golden["input.student_logits"].copied()
        student.requiresGradient = true
        let loss = student.softLabelLoss(
            teacher: try golden["input.teacher_logits"],
            temperature: Double(temperature)
        )
        expectClose(loss, try golden["expected.kl.T\(temperature)"], relative: 2e-4)
        loss.backward()
        let expected = try golden["expected.kl_grad.T\(temperature)"]
        expectClose(
            try #require(student.gradient),
            expected,
            absolute: 1e-4 * expected.magnitude().max().item
        )
    }

    @Test("patches are shuffled as strips of columns, then of rows")
    func patches() throws {
        let golden = try Golden("soft_label")
        let order = try golden["input.patch_order"]
        let image = try golden["input.patch_image"].unsqueezed(0)
        let shuffled = PatchShuffle.shuffled(
            image,
            columnsAndRows: [(order[0].values(), order[1].values())]
        )
        expectIdentical(shuffled[0], try golden["expected.shuffled_patches"])
    }

    @Test("crops with a widened filter match torchvision's")
    func antialiasedCrops() throws {
        let golden = try Golden("crop_antialiased")
        let boxes = try golden["input.boxes"]
        let expected = try golden["expected.crops"]
        let crops = CropBox.antialiased(
            try golden["input.images"],
            boxes: (0..<boxes.size(along: 0)).map { place in
                let box: [Int] = boxes[place].values()
                return CropBox(top: box[0], left: box[1], height: box[2], width: box[3])
            },
            height: expected.size(along: 2),
            width: expected.size(along: 3)
        )
        expectClose(crops, expected, absolute: 1e-6)
    }

    @Test("weight decay of this AdamW leaves tensors with one axis alone")
    func decay() throws {
        let golden = try Golden("soft_label")
        for (key, decays) in [("decayed", true), ("not_decayed", false)] {
            // Names of an example: "weight" with more than one axis decays.
            let names = try JSONValue(text: try #require(golden.metadata[key])).array
            #expect(!names.isEmpty)
            let parameter = Tensor.ones(decays ? [2, 2] : [4])
            parameter.requiresGradient = true
            let optimizer = AdamW(
                [(name: "p", tensor: parameter)],
                learningRate: 0.1,
                configuration: .init(weightDecay: 0.5, decaysOnlyMatrices: true)
            )
            parameter.gradient = .zeros(like: parameter)
            optimizer.step()
            let expected = Tensor.full(parameter.shape, decays ? 0.95 : 1)
            expectClose(parameter.detached(), expected, absolute: 1e-6)
        }
    }
}
