import Foundation
import TestSupport
import Testing

@Suite("Exit codes and messages")
struct ExitCodeTests {
    @Test(
        "wrong usage is 64",
        arguments: [
            ["runn"], ["run"], ["evaluate"], ["run", "x.yaml", "--steps", "3"],
            ["doctor", "--threads", "0"], ["doctor", "--device", "gpu"],
            ["baseline", "random", "Recipes/fashion-mnist-demo.yaml", "--set", "nme=x"],
            ["baseline", "best", "Recipes/fashion-mnist-demo.yaml"],
            [
                "run", "Recipes/fashion-mnist-demo.yaml", "--dry-run", "--set", "baselines=[best]",
            ],
            [
                "run", "Recipes/fashion-mnist-demo.yaml", "--dry-run", "--set",
                "evaluate.networks=[resnet-51]",
            ],
            ["evaluate", "--train", "nowhere", "--test", "nowhere", "--network", "resnet-51"],
            ["evaluate", "--train", "nowhere", "--test", "nowhere", "--protocol", "gu-hard-29"],
            ["evaluate", "--train", "nowhere", "--test", "nowhere", "--memory", "inf"],
            ["evaluate", "--train", "nowhere", "--test", "nowhere", "--images-per-class", "0"],
            ["evaluate", "--train", "nowhere", "--test", "nowhere", "--soft-labels", "nowhere"],
            [
                "evaluate", "--train", "nowhere", "--test", "nowhere", "--teacher-network",
                "resnet-50",
            ],
            ["rank", "--surrogate", "nowhere", "--real", "nowhere", "--test", "nowhere"],
            [
                "rank", "--surrogate", "nowhere", "--real", "nowhere", "--test", "nowhere", "-o",
                "nowhere", "--seeds", "1", "1",
            ],
            [
                "rank", "--surrogate", "nowhere", "--real", "nowhere", "--test", "nowhere", "-o",
                "nowhere", "--weight", "2",
            ],
            [
                "rank", "--surrogate", "nowhere", "--real", "nowhere", "--test", "nowhere", "-o",
                "nowhere", "--teacher", "nowhere",
            ],
            [
                "rank", "--surrogate", "nowhere", "--real", "nowhere", "--test", "nowhere", "-o",
                "nowhere", "--own-protocol", "rded-soft-300",
            ],
        ]
    )
    func usage(arguments: [String]) throws {
        let process = try DistillProcess(arguments)
        #expect(process.exitCode == 64, "\(process.errors)")
        #expect(!process.errors.isEmpty)
        #expect(!process.errors.contains("Fatal error"))
    }

    @Test(
        "a missing file is 66, and is named",
        arguments: [
            ["run", "nowhere.yaml"], ["inspect", "nowhere.safetensors"], ["report", "nowhere"],
            ["evaluate", "--train", "nowhere", "--test", "nowhere"],
            [
                "rank", "--surrogate", "nowhere", "--real", "nowhere", "--test", "nowhere", "-o",
                "nowhere",
            ],
        ]
    )
    func missing(arguments: [String]) throws {
        let process = try DistillProcess(arguments)
        #expect(process.exitCode == 66, "\(process.errors)")
        #expect(process.errors.contains("nowhere"))
    }

    @Test("every damaged checkpoint is 65 for inspect, with its name and the fault")
    func damaged() throws {
        let folder = Golden.url("checkpoints/bad")
        let files = try FileManager.default.contentsOfDirectory(atPath: folder.path)
            .filter { !$0.hasPrefix("big_endian") }.sorted()
        #expect(files.count > 40)
        for file in files {
            let process = try DistillProcess(
                ["inspect", folder.appendingPathComponent(file).path])
            #expect(process.exitCode == 65, "\(file): \(process.errors)")
            #expect(process.errors.contains(file))
        }
    }

    @Test("a recipe with an unknown key names the nearest known one")
    func unknownKey() throws {
        try withTemporaryFolder { folder in
            let recipe = folder.appendingPathComponent("r.yaml")
            try Data("finetune: {minimax: {stepz: 3}}".utf8).write(to: recipe)
            let process = try DistillProcess(["run", recipe.path], in: folder)
            #expect(process.exitCode == 64)
            #expect(process.errors.contains("Did you mean steps?"), "\(process.errors)")
            let left = try FileManager.default.contentsOfDirectory(atPath: folder.path)
            #expect(left == ["r.yaml"])
        }
    }

    @Test("--json prints one object as the last line of standard output")
    func json() throws {
        let doctor = try DistillProcess(["doctor", "--json", "--device", "cpu"])
        #expect(doctor.exitCode == 0)
        #expect(try doctor.json()["libtorch"] is String)
        let file = Golden.url("checkpoints/flat.safetensors").path
        let inspect = try DistillProcess(["inspect", file, "--json"])
        #expect(try inspect.json()["kind"] as? String == "safetensors file")
        #expect(inspect.errors.isEmpty)
    }

    @Test("a run without a model says what is missing")
    func noModel() throws {
        try withTemporaryFolder { folder in
            let recipe = folder.appendingPathComponent("r.yaml")
            try Data("name: x".utf8).write(to: recipe)
            // A run without data stops with a clear error, not with a trap.
            let process = try DistillProcess(["run", recipe.path], in: folder)
            #expect(process.exitCode == 66 || process.exitCode == 64, "\(process.errors)")
            #expect(process.errors.contains("model.weights"), "\(process.errors)")
        }
    }
}
