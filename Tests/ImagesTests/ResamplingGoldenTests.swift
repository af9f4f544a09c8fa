import Foundation
import Images
import TestSupport
import Testing

@Suite("Resampling equals Pillow", .tags(.golden))
struct ResamplingGoldenTests {
    @Test(
        "Resizing gives Pillow's bytes",
        arguments: ResamplingFilter.allCases,
        [(31, 17), (100, 90), (64, 23), (50, 120)]
    )
    func resize(filter: ResamplingFilter, size: (width: Int, height: Int)) throws {
        let image = try Fixture.image("photograph.png")
        let name = "resized-\(filter.rawValue)-\(size.width)x\(size.height).png"
        expectClose(
            image.resized(width: size.width, height: size.height, filter: filter),
            try Fixture.image(name)
        )
    }

    @Test("Grey is Pillow's mode L, and grey images are resized alike")
    func grey() throws {
        let grey = try Fixture.image("photograph.png").converted(toChannels: 1)
        expectClose(grey, try Fixture.image("photograph-grey.png"))
        expectClose(
            grey.resized(width: 23, height: 31, filter: .bicubic),
            try Fixture.image("resized-grey-bicubic-23x31.png")
        )
    }
}

/// `center_crop.safetensors`: exact with Pillow's fixed-point arithmetic.
@Suite("Centre crops equal the reference", .tags(.golden))
struct CenterCropGoldenTests {
    let file: Golden

    init() throws { file = try Golden("center_crop") }

    func image(_ name: String) throws -> Image {
        let tensor = try file[name]
        let shape = tensor.shape
        return Image(
            width: shape[1],
            height: shape[0],
            channels: shape[2],
            bytes: tensor.bytes()
        )
    }

    /// The numbers of the pictures and the names of their crops of one kind.
    func crops(_ kind: String) -> [(number: String, name: String)] {
        file.group("expected.").names.filter { $0.contains(".\(kind)_") }
            .map { (String($0.prefix { $0 != "." }), "expected.\($0)") }
    }

    @Test("The PNG files hold the pictures of the golden file")
    func inputs() throws {
        let inputs = file.group("input.").names
        #expect(!inputs.isEmpty)
        for number in inputs {
            let url = Golden.url("center_crop_images/\(number).png")
            expectClose(try Image(contentsOf: url), try image("input.\(number)"))
        }
    }

    @Test("The ADM crop is exact")
    func adm() throws {
        #expect(!crops("adm").isEmpty)
        for (number, name) in crops("adm") {
            let expected = try image(name)
            expectClose(try image("input.\(number)").centerCropped(to: expected.width), expected)
        }
    }

    @Test("The evaluation crop is exact")
    func evaluation() throws {
        #expect(!crops("eval").isEmpty)
        for (number, name) in crops("eval") {
            let expected = try image(name)
            let crop = try image("input.\(number)").resized(shortSide: expected.width)
                .middleSquare(of: expected.width)
            expectClose(crop, expected)
        }
    }
}
