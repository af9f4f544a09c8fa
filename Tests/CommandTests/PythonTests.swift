import Foundation
import Images
import TestSupport
import Testing

extension Python {
    /// Imports torchvision for its datasets, also where its operators were built for another torch
    /// and do not load: their names are enough then.
    fileprivate static let importTorchvision = """
        import re, sys, torch
        operators = torch.library.Library("torchvision", "FRAGMENT")
        for _ in range(20):
            try:
                import torchvision
                break
            except RuntimeError as error:
                name = re.search(r"operator torchvision::(\\w+) does not exist", str(error))
                if not name:
                    raise
                operators.define(name[1] + "(Tensor x) -> Tensor")
                for module in [m for m in sys.modules if m.split(".")[0] == "torchvision"]:
                    del sys.modules[module]

        """

    fileprivate static let hasTorchvision = output(importTorchvision, showsErrors: false) != nil
}

@Suite("Surrogates in Python", .timeLimit(.minutes(5)))
struct PythonTests {
    /// `file label` of every image, as metadata.jsonl says.
    private static func expected(_ surrogate: URL) throws -> [String] {
        let text = try String(
            contentsOf: surrogate.appendingPathComponent("metadata.jsonl"),
            encoding: .utf8
        )
        return try text.split(separator: "\n").map { line in
            let object = try JSONSerialization.jsonObject(with: Data(line.utf8))
            let entry = try #require(object as? [String: Any])
            let label = try #require(entry["label"] as? Int)
            return "\(try #require(entry["file_name"] as? String)) \(label)"
        }.sorted()
    }

    private static func check(_ program: String) throws {
        try withTemporaryFolder { folder in
            let small = try SmallRun(in: folder)
            let process = try DistillProcess(["sample", "recipe.yaml", "-o", "run"], in: folder)
            try #require(process.exitCode == 0, "\(process.errors)")
            let surrogate = small.folder.appendingPathComponent("run/surrogate")
            let output = try #require(Python.output(program, [surrogate.path]))
            let expected = try expected(surrogate)
            #expect(expected.count == 8)
            #expect(output.split(separator: "\n").map(String.init).sorted() == expected)
        }
    }

    @Test(
        "torchvision's ImageFolder finds the images with their labels",
        .enabled(if: Python.hasTorchvision, "needs torchvision in .venv or DISTILL_PYTHON")
    )
    func imageFolder() throws {
        try PythonTests.check(
            Python.importTorchvision + """
                import os, sys
                from torchvision.datasets import ImageFolder
                for path, label in ImageFolder(sys.argv[1]).samples:
                    print(os.path.relpath(path, sys.argv[1]), label)
                """
        )
    }

    @Test(
        "Hugging Face's imagefolder finds the images with their labels",
        .enabled(if: Python.has("datasets"), "needs datasets in .venv or DISTILL_PYTHON")
    )
    func datasets() throws {
        try PythonTests.check(
            """
            import os, sys, tempfile
            from datasets import load_dataset, Image
            root = sys.argv[1]
            with tempfile.TemporaryDirectory() as cache:
                data = load_dataset("imagefolder", data_dir=root, split="train", cache_dir=cache)
                for row in data.cast_column("image", Image(decode=False)):
                    print(os.path.relpath(row["image"]["path"], root), row["label"])
            """
        )
    }

    /// Exports the images of a method; `body` gets their folder and the export.
    private static func export(_ format: String, _ body: (URL, URL) throws -> Void) throws {
        try withTemporaryFolder { folder in
            _ = try SmallRun(in: folder, hasModel: false)
            let process = try DistillProcess(
                ["baseline", "random", "recipe.yaml", "-o", "run"],
                in: folder
            )
            try #require(process.exitCode == 0, "\(process.errors)")
            let export = try DistillProcess(
                ["export", "run", "--method", "random", "--format", format, "-o", "out/data"],
                in: folder
            )
            try #require(export.exitCode == 0, "\(export.errors)")
            try body(
                folder.appendingPathComponent("run/baselines/random"),
                folder.appendingPathComponent("out/data")
            )
        }
    }

    /// Exports a surrogate and has a program print label, first and last pixel of every image.
    private static func checkExport(_ format: String, _ program: String) throws {
        try export(format) { source, place in
            let expected = try expected(source).map { line in
                let words = line.split(separator: " ").map(String.init)
                let image = try Image(contentsOf: source.appendingPathComponent(words[0]))
                return "\(words[1]) \(image.bytes[0]) \(image.bytes[28 * 28 - 1])"
            }
            let output = try #require(Python.output(program, [place.path]))
            let lines = output.split(separator: "\n").map(String.init)
            #expect(lines.last == "left right")
            #expect(lines.dropLast().sorted() == expected.sorted())
        }
    }

    @Test(
        "an exported folder opens with torchvision",
        .enabled(if: Python.hasTorchvision, "needs torchvision in .venv or DISTILL_PYTHON")
    )
    func exportedFolder() throws {
        try PythonTests.checkExport(
            "imagefolder",
            Python.importTorchvision + """
                from torchvision.datasets import ImageFolder
                data = ImageFolder(sys.argv[1])
                for image, label in data:
                    pixels = image.convert("L").tobytes()
                    print(label, pixels[0], pixels[-1])
                print(*data.classes)
                """
        )
    }

    @Test(
        "exported shards hold every file, its label and the names of the classes",
        .enabled(if: Python.has("tarfile"), "needs Python: make setup, or DISTILL_PYTHON")
    )
    func exportedShards() throws {
        // Nothing but Python's own library, so that it never depends on what else is installed.
        let program = """
            import glob, hashlib, sys, tarfile
            for path in sorted(glob.glob(sys.argv[1] + "/*.tar")):
                with tarfile.open(path) as shard:
                    files = {m.name: shard.extractfile(m).read() for m in shard.getmembers()}
                for name in files:
                    if name.endswith(".png"):
                        label = files[name[:-4] + ".cls"].decode()
                        print(label, hashlib.sha256(files[name]).hexdigest())
            print(*open(sys.argv[1] + "/classnames.txt").read().split("\\n"))
            """
        try PythonTests.export("tar-shards") { source, output in
            let expected = try PythonTests.expected(source).map { line in
                let words = line.split(separator: " ").map(String.init)
                // The file of the image, byte by byte.
                let file = try Data(contentsOf: source.appendingPathComponent(words[0]))
                var hash = SHA256()
                hash.add(file)
                return "\(words[1]) \(hash.hexadecimalDigest)"
            }
            let lines = try #require(Python.output(program, [output.path])).split(separator: "\n")
                .map(String.init)
            #expect(lines.last == "left right ")
            #expect(lines.dropLast().sorted() == expected.sorted())
            #expect(Set(expected).count == 8)
        }
    }

    @Test(
        "an exported .pt opens with torch.load",
        .enabled(if: Python.has("torch"), "needs torch in .venv or DISTILL_PYTHON")
    )
    func exportedTorch() throws {
        try PythonTests.checkExport(
            "pt",
            """
            import sys, torch
            data = torch.load(sys.argv[1], weights_only=True)
            for image, label in zip(data["images"], data["labels"]):
                print(label.item(), image[0, 0, 0].item(), image[0, -1, -1].item())
            print(*data["classes"].split("\\n"))
            """
        )
    }

    @Test(
        "an exported safetensors file holds images and labels",
        .enabled(if: Python.has("numpy"), "needs numpy in .venv or DISTILL_PYTHON")
    )
    func exportedSafetensors() throws {
        // The format is read by hand: a length, a JSON head, bytes.
        try PythonTests.checkExport(
            "safetensors",
            """
            import json, struct, sys
            import numpy
            raw = open(sys.argv[1], "rb").read()
            size = struct.unpack("<Q", raw[:8])[0]
            head = json.loads(raw[8:8 + size])
            def tensor(name, kind):
                entry = head[name]
                begin, end = entry["data_offsets"]
                flat = numpy.frombuffer(raw[8 + size + begin:8 + size + end], kind)
                return flat.reshape(entry["shape"])
            for image, label in zip(tensor("images", "u1"), tensor("labels", "<i8")):
                print(label, image[0, 0, 0], image[0, -1, -1])
            print(*json.loads(head["__metadata__"]["classes"]))
            """
        )
    }

    @Test("an export never writes over anything, and names what is missing")
    func refusedExport() throws {
        try withTemporaryFolder { folder in
            let none = try DistillProcess(["export", "run", "--format", "pt"], in: folder)
            #expect(none.exitCode == 66)
            let place = folder.appendingPathComponent("run/baselines/dit")
            try FileManager.default.createDirectory(at: place, withIntermediateDirectories: true)
            let other = try DistillProcess(["export", "run", "--format", "pt"], in: folder)
            #expect(other.exitCode == 66)
            #expect(other.errors.contains("--method dit"), "\(other.errors)")
            let wrong = try DistillProcess(["export", "run", "--format", "zip"], in: folder)
            #expect(wrong.exitCode == 64)
        }
    }
}
