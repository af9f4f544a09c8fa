import Datasets
import Foundation
import Images
import TestSupport
import Testing
import Torch

@Suite("Packed images as tensors")
struct PackedTensorTests {
    @Test("Channels come first and every value keeps its place")
    func tensor() throws {
        try withTemporaryFolder { folder in
            let images = (0..<3).map { k in
                Image(
                    width: 4,
                    height: 2,
                    channels: 3,
                    bytes: (0..<24).map { UInt8(k * 24 + $0) }
                )
            }
            let writer = try SurrogateWriter(folder: folder, classNames: ["a", "b"])
            try writer.write(images[0], label: 0, index: 0)
            try writer.write(images[1], label: 1, index: 0)
            try writer.write(images[2], label: 1, index: 1)
            let packed = try PackedImages(loading: ImageFolder(folder))

            let tensor = packed.tensor()
            #expect(tensor.dtype == .uint8)
            #expect(tensor.shape == [3, 3, 2, 4])
            #expect(tensor.isContiguous())
            var expected: [UInt8] = []
            for image in images {
                for c in 0..<3 {
                    for y in 0..<2 {
                        for x in 0..<4 { expected.append(image[x, y, c]) }
                    }
                }
            }
            #expect(tensor.bytes() == expected)
            let labels: [Int64] = packed.labelTensor().values()
            #expect(labels == [0, 1, 1])
        }
    }
}
