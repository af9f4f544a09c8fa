import Foundation
import TestSupport
import Testing

/// The Python of the checkout, or the one that the variable PYTHON names.
private enum Python {
    static let executable = URL(
        fileURLWithPath: ProcessInfo.processInfo.environment["PYTHON"]
            ?? DistillProcess.root.appendingPathComponent(".venv/bin/python").path
    )

    /// What a program prints; nil if it fails.
    static func output(_ program: String, _ arguments: [String] = []) -> String? {
        let process = Process()
        process.executableURL = executable
        process.arguments = ["-c", program] + arguments
        let pipe = Pipe()
        process.standardOutput = pipe
        process.standardError = FileHandle.nullDevice
        guard (try? process.run()) != nil else { return nil }
        let data = pipe.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return process.terminationStatus == 0 ? String(decoding: data, as: UTF8.self) : nil
    }

    static func has(_ module: String) -> Bool { output("import \(module)") != nil }

    /// Imports torchvision for its datasets, also where its operators were built for another torch
    /// and do not load: their names are enough then.
    static let importTorchvision = """
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

    static let hasTorchvision = output(importTorchvision) != nil
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
        .enabled(if: Python.hasTorchvision, "needs torchvision in PYTHON")
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
        .enabled(if: Python.has("datasets"), "needs datasets in PYTHON")
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
}
