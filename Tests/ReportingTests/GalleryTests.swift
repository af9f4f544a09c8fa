import Foundation
import Images
import Reporting
import Testing

@Suite("The gallery")
struct GalleryTests {
    private func page(_ run: TemporaryRun) throws -> String {
        try Report(run: run.url).write(gnuplot: nil)
        return try run.text("report.html").replacing(Words.space, with: " ")
    }

    private func count(_ text: String, in page: String) -> Int {
        page.components(separatedBy: text).count - 1
    }

    /// An image that no file format makes smaller.
    private func noise(_ size: Int, seed: UInt64) -> Image {
        var state = seed &* 2_862_933_555_777_941_757 &+ 3_037_000_493
        let bytes = (0..<size * size * 3).map { _ -> UInt8 in
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return UInt8(truncatingIfNeeded: state >> 56)
        }
        return Image(width: size, height: size, channels: 3, bytes: bytes)
    }

    /// A finished run whose surrogate has been compared with real images.
    static func compared() throws -> TemporaryRun {
        let run = try TemporaryRun.finished()
        try run.write(TemporaryRun.png, to: "neighbours/00-t-shirt-top/17.png")
        try run.write(
            """
            {"features": "pixels-2", "train": "f00", "images": {
             "surrogate/00-t-shirt-top/0.png": {"real": "train-images #17",
               "meanSquaredDistance": 0.0144, "picture": "neighbours/00-t-shirt-top/17.png"},
             "surrogate/00-t-shirt-top/1.png": {"real": "train-images #17",
               "meanSquaredDistance": 0, "picture": "neighbours/00-t-shirt-top/17.png"},
             "baselines/dit/01-ankle-boot/0.png": {"real": "train-images #3",
               "meanSquaredDistance": 0.25, "picture": "neighbours/01-ankle-boot/3.png"}}}
            """,
            to: "neighbours.json"
        )
        try run.write(
            """
            {"file_name": "00-t-shirt-top/0.png", "label": 0, "source": "train-images #5"}
            {"file_name": "00-t-shirt-top/1.png", "label": 0}

            """,
            to: "baselines/random/metadata.jsonl"
        )
        try run.write(
            """
            {"file_name": "01-ankle-boot/1.png", "label": 1, "source": "a \\"b\\" #1"}

            """,
            to: "baselines/dit/metadata.jsonl"
        )
        return run
    }

    @Test("Every image is a button that names its file")
    func buttons() throws {
        let page = try page(TemporaryRun.finished())
        #expect(count("<button type=\"button\" class=\"open\"", in: page) == 12)
        #expect(page.contains("data-file=\"baselines/dit/01-ankle-boot/1.png\""))
        #expect(page.contains("<p id=\"gallery-hint\" hidden>Select an image to enlarge it.</p>"))
        #expect(!page.contains("id=\"real-"))
    }

    @Test("Similar real images come from the files of the run, each once")
    func neighbours() throws {
        let page = try page(Self.compared())
        for text in [
            "data-note=\"Nearest training image of the class: train-images #17. The pixels of the two differ by 12 % of the range from black to white (root mean square).\" data-real=\"real-1-1\"",
            "data-note=\"A copy: its pixels are those of the training image train-images #17.\" data-real=\"real-1-1\"",
            "alt=\"Training image train-images #17\"",
            // Its picture is lost, which is no reason to hide the distance.
            "train-images #3. The pixels of the two differ by 50 % of the range from black to white (root mean square).\" data-real=\"\"",
            "to see the training image of its class whose pixels differ least.</p>",
        ] {
            #expect(page.contains(text), "\(text)")
        }
        #expect(count("<img id=\"real-", in: page) == 1)
    }

    @Test("Real images are no neighbours of themselves, and others say what they began as")
    func sources() throws {
        let run = try Self.compared()
        let page = try page(run)
        for text in [
            "data-note=\"This is the training image train-images #5.\" data-real=\"\"",
            "data-note=\"This is a training image.\" data-real=\"\"",
            "data-origin=\"It was initialised from a &quot;b&quot; #1.\"",
        ] {
            #expect(page.contains(text), "\(text)")
        }
        #expect(
            try Report(run: run.url).comparedImages() == [
                "baselines/dit/00-t-shirt-top/0.png", "baselines/dit/00-t-shirt-top/1.png",
                "baselines/dit/01-ankle-boot/0.png", "baselines/dit/01-ankle-boot/1.png",
                "surrogate/00-t-shirt-top/0.png", "surrogate/00-t-shirt-top/1.png",
                "surrogate/01-ankle-boot/0.png", "surrogate/01-ankle-boot/1.png",
            ]
        )
    }

    @Test("Damaged files of neighbours and origins are named")
    func damaged() throws {
        let run = try Self.compared()
        try run.write("{\"file_name\": 3}\n", to: "surrogate/metadata.jsonl")
        let line = #expect(throws: ReportError.self) { try page(run) }
        #expect(line?.message.contains("surrogate/metadata.jsonl: line 1: ") == true)
        try run.write("{\"images\": []}", to: "neighbours.json")
        let file = #expect(throws: ReportError.self) { try page(run) }
        #expect(file?.message.contains("neighbours.json: 'images'") == true, "\(file as Any)")
    }

    @Test("The page allows its own script and no other")
    func policy() throws {
        let page = try page(TemporaryRun.finished())
        let script = try #require(page.firstMatch(of: #/<script>((?s).*?)</script>/#)?.output.1)
        let digest = Data(SHA256.digest(of: Data(script.utf8))).base64EncodedString()
        #expect(page.contains("script-src 'sha256-\(digest)'"))
        #expect(count("<script", in: page) == 1)
        #expect(!page.contains("onclick"))

        let empty = try TemporaryRun()
        try empty.write("finetune: {}\n", to: "recipe.resolved.yaml")
        #expect(try !self.page(empty).contains("<script"))
    }

    @Test("Photographs are scaled and compressed, as many as fit into the page")
    func photographs() throws {
        let run = try TemporaryRun()
        let image = noise(300, seed: 1).resized(width: 600, height: 400, filter: .bicubic)
        let data = try image.pngData()
        #expect(data.count > 200_000)
        for name in ["a", "b", "c", "d", "e", "f"] {
            for index in 0..<12 { try run.write(data, to: "surrogate/\(name)/\(index).png") }
        }
        let page = try page(run)
        #expect(page.utf8.count < 15_000_000)
        #expect(count("<img ", in: page) == 60)
        #expect(count("width=\"384\" height=\"256\"", in: page) == 60)
        #expect(count("data:image/jpeg;base64,", in: page) == 60)
        #expect(page.contains("The first 10 of up to 12 images are shown."))
        #expect(page.contains("scaled to 256 pixels"))
        #expect(!page.contains("class=\"pixels\""))
    }

    @Test("However large the images are, the page stays below 15 MB and says what is left out")
    func sizeLimit() throws {
        let run = try TemporaryRun()
        // Noise needs more than the plan allows for.
        for index in 0..<10 {
            let data = try noise(128, seed: UInt64(index)).pngData()
            try run.write(data, to: "surrogate/class-0/\(index).png")
        }
        for number in 1..<110 {
            try run.link("surrogate/class-0", as: "surrogate/class-\(number)")
        }
        let page = try page(run)
        #expect(page.utf8.count < 15_000_000)
        #expect(page.utf8.count > 8_000_000)
        let shown = try #require(
            page.firstMatch(of: #/The first (\d+) of 110 classes are shown/#)?.output.1
        )
        #expect(count("<section class=\"class\">", in: page) == Int(shown))
    }

    @Test("A photograph that cannot be decoded is named where it has to be scaled")
    func undecodable() throws {
        let run = try TemporaryRun()
        let image = TemporaryRun.png(width: 200, byteCount: 400_000)
        for index in 0..<40 { try run.write(image, to: "surrogate/class-\(index)/0.png") }
        let error = #expect(throws: ReportError.self) { try page(run) }
        #expect(error?.message.contains("class-0/0.png: this cannot be decoded") == true)
    }
}
