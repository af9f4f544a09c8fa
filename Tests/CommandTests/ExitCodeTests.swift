import Foundation
import TestSupport
import Testing

@Suite("Exit codes and messages")
struct ExitCodeTests {
    /// `distill evaluate` on folders that are not there.
    private static func evaluate(_ options: String...) -> [String] {
        ["evaluate", "--train", "nowhere", "--test", "nowhere"] + options
    }

    /// `distill rank` on folders that are not there.
    private static func rank(_ options: String...) -> [String] {
        ["rank", "--surrogate", "nowhere", "--real", "nowhere", "--test", "nowhere"] + options
    }

    /// `distill run` of the demo with a setting.
    private static func demo(_ setting: String) -> [String] {
        ["run", "Recipes/fashion-mnist-demo.yaml", "--dry-run", "--set", setting]
    }

    /// Commands, and what their message says.
    private static let wrongUsages: [(arguments: [String], message: String)] = [
        (["runn"], "Unexpected argument 'runn'"),
        (["run"], "<recipe>"),
        (["evaluate"], "--train"),
        (["run", "x.yaml", "--steps", "3"], "Unknown option '--steps'"),
        (["doctor", "--threads", "0"], "--threads is 0"),
        (["doctor", "--device", "gpu"], "\"gpu\" is no device"),
        (demo("nme=x"), "Did you mean name?"),
        (["baseline", "best", "Recipes/fashion-mnist-demo.yaml"], "'best' is invalid"),
        (demo("baselines=[best]"), "no method \"best\""),
        (demo("evaluate.networks=[resnet-51]"), "\"resnet-51\" is no network"),
        (evaluate("--network", "resnet-51"), "\"resnet-51\" is no network"),
        (evaluate("--protocol", "gu-hard-29"), "\"gu-hard-29\" is no evaluation protocol"),
        (evaluate("--memory", "inf"), "--memory is in gigabytes"),
        (evaluate("--images-per-class", "0"), "--images-per-class must be at least 1"),
        (evaluate("--soft-labels", "nowhere"), "--soft-labels changes nothing here"),
        (evaluate("--teacher-network", "resnet-50"), "no teacher is named"),
        (rank(), "--output"),
        (rank("-o", "nowhere", "--seeds", "1", "1"), "--seeds must be one or more distinct"),
        (rank("-o", "nowhere", "--weight", "2"), "--weight must be between 0 and 1"),
        (rank("-o", "nowhere", "--teacher", "nowhere"), "--teacher changes nothing here"),
        (rank("-o", "nowhere", "--own-protocol", "rded-soft-300"), "has soft labels"),
    ]

    @Test("wrong usage is 64, and the message names what is wrong", arguments: wrongUsages)
    func usage(arguments: [String], message: String) throws {
        let process = try DistillProcess(arguments)
        #expect(process.exitCode == 64, "\(process.errors)")
        #expect(process.errors.contains(message), "\(process.errors)")
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

    @Test("doctor says nothing of CUDA where only the processor is asked for")
    func processor() throws {
        let text = try DistillProcess(["doctor", "--device", "cpu"])
        #expect(text.output.contains("device          cpu\n"), "\(text.output)")
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
