import Datasets
import Evaluation
import Images
import TestSupport
import Testing
import Torch

@Suite("Photographs are prepared as in the published evaluation", .tags(.golden))
struct PhotographProtocolGoldenTests {
    @Test("images are resized and cropped as the reference's loader does")
    func resizes() throws {
        let golden = try Golden("center_crop")
        let crops = golden.group("expected.").names.filter { $0.contains(".eval_") }
        #expect(!crops.isEmpty)
        for name in crops {
            let number = String(name.prefix { $0 != "." })
            let expected = try golden["expected.\(name)"]  // [S, S, 3]
            let photograph = Photographs([try golden["input.\(number)"]])
            let size = expected.size(along: 0)
            let set = try EvaluationProtocol.guHard(imageSize: size).load(photograph)
            // One level: Pillow's versions differ in the order of rows and columns.
            expectClose(
                set.images[0].permuted(1, 2, 0).converted(to: .float32),
                expected.converted(to: .float32),
                absolute: 1,
                name
            )
        }
    }

    @Test("photographs of all sizes and grey ones become one set, larger or smaller")
    func mixedSizes() throws {
        let golden = try Golden("center_crop")
        var photographs = golden.group("input.").map(\.value)
        photographs.append(try #require(photographs.first).sliced(0..<1, along: 2))
        let source = Photographs(photographs)
        for proto in EvaluationProtocol.all where proto.resizesImages {
            let set = try proto.load(source, centerCrop: 16, channels: 1)
            let size = proto.imageSize
            #expect(set.images.shape == [photographs.count, 3, size, size])
            // The last one is grey.
            let last = set.images[photographs.count - 1]
            expectIdentical(last[0], last[1])
            expectIdentical(last[0], last[2])
        }
    }

    @Test("the other protocols take images as they are, or as they are asked for")
    func unchanged() throws {
        let golden = try Golden("center_crop")
        let photograph = try #require(golden.group("input.").map(\.value).first)
        let source = Photographs([photograph])
        let set = try EvaluationProtocol.guHard28.load(source)
        expectIdentical(set.images[0], photograph.permuted(2, 0, 1).contiguous())
        let crop = try EvaluationProtocol.guHard28.load(source, centerCrop: 28, channels: 1)
        #expect(crop.images.shape == [1, 1, 28, 28])
    }
}

/// Photographs [H, W, C] in memory, all of one class.
private struct Photographs: LabelledImages {
    let name = "photographs"
    let classNames = ["photograph"]
    let images: [Image]

    init(_ tensors: [Tensor]) {
        images = tensors.map { tensor in
            Image(
                width: tensor.size(along: 1),
                height: tensor.size(along: 0),
                channels: tensor.size(along: 2),
                bytes: tensor.contiguous().bytes()
            )
        }
    }

    var count: Int { images.count }
    func label(at index: Int) -> Int { 0 }
    func image(at index: Int) throws -> Image { images[index] }
    func identifier(at index: Int) -> String { "photograph \(index)" }
}
