import Foundation
import TestSupport
import Testing
import Torch

@Suite("Commands on a CUDA device, whatever it computes", .requiresCUDA, .timeLimit(.minutes(10)))
struct CUDACommandTests {
    /// All that go without weights from elsewhere, each as short as it can be.
    private static let methods = [
        "--set", "baselines=[random, k-center, herding, dit, dm, idc-1, idc]",
        "--set", "sample.imagesPerClass=2", "--set", "coreset.epochs=1",
        "--set", "dm.iterations=2",
        "--set", "idc.network=convnet-3", "--set", "idc.factor=2", "--set", "idc.networks=1",
        "--set", "idc.matchesPerNetwork=2", "--set", "idc.earlyEpochs=1",
        "--set", "idc.networkImages=8",
    ]

    /// Runs the command where everything that comes from the device is zeros.
    private func distill(
        _ arguments: [String],
        _ variables: String = "",
        in folder: URL? = nil
    ) throws -> DistillProcess {
        let visible = ProcessInfo.processInfo.environment["CUDA_VISIBLE_DEVICES"]
        let devices = visible.map { "export CUDA_VISIBLE_DEVICES='\($0)'" }
        return try DistillProcess(
            shell: """
                \(devices ?? "unset CUDA_VISIBLE_DEVICES")
                export CUDA_STAND_IN_ZEROS=1 \(variables)
                exec "$0" "$@"
                """,
            arguments,
            in: folder
        )
    }

    @Test("a run of the methods and networks works on the device from end to end")
    func wholeRun() throws {
        try withTemporaryFolder { folder in
            let run = try SmallRun(in: folder)
            let device = "cuda:\(Device.cudaDeviceCount - 1)"
            let process = try distill(
                ["run", "recipe.yaml", "-o", "run", "--device", device, "--quiet"]
                    + CUDACommandTests.methods + [
                        "--set", "evaluate.networks=[convnet-3, resnet-10]",
                    ],
                in: run.folder
            )
            #expect(process.exitCode == 0, "\(process.errors)")
            let file = folder.appendingPathComponent("run/results.json")
            let results = try #require(
                try JSONSerialization.jsonObject(with: Data(contentsOf: file)) as? [String: Any]
            )
            #expect((results["results"] as? [Any])?.count == 2 * 8)
            let costs = try #require(results["costs"] as? [[String: Any]])
            let stages = [
                "finetune", "sample", "baseline dm", "baseline idc", "evaluate dm convnet-3",
            ]
            for stage in stages {
                let cost = try #require(costs.first { $0["stage"] as? String == stage }, "\(stage)")
                #expect(cost["device"] as? String == device)
                #expect(cost["peakMemoryBytes"] as? Int ?? 0 > 0, "\(stage)")
            }
        }
    }

    @Test("--deterministic works on the device, or is refused before any work")
    func deterministic() throws {
        try withTemporaryFolder { folder in
            let small = try SmallRun(in: folder)
            func run(_ baselines: String) throws -> DistillProcess {
                try distill(
                    ["run", "recipe.yaml", "-o", "run", "--device", "cuda", "--quiet"]
                        + CUDACommandTests.methods
                        + ["--set", "baselines=[\(baselines)]", "--deterministic"],
                    in: small.folder
                )
            }
            let refused = try run("random, dm")
            #expect(refused.exitCode == 64)
            #expect(refused.errors.contains("dm.augmentation"), "\(refused.errors)")
            let made = folder.appendingPathComponent("run/surrogate")
            #expect(!FileManager.default.fileExists(atPath: made.path))
            let process = try run("random, k-center, herding, dit, idc-1")
            #expect(process.exitCode == 0, "\(process.errors)")
        }
    }

    @Test("doctor tells of the device")
    func doctor() throws {
        let facts = try distill(["doctor", "--json"]).json()
        #expect(facts["device"] as? String == "cuda:0")
        #expect(facts["cudaDevices"] as? Int == Device.cudaDeviceCount)
        #expect(facts["deviceMemoryBytes"] as? Int == Memory.totalBytes(of: .cuda))
        let text = try distill(["doctor"])
        #expect(text.output.contains(" CUDA device"), "\(text.output)")
        #expect(text.output.contains(" with "), "\(text.output)")
    }

    @Test("a machine with the CUDA build and no device is told apart", .requiresCUDAStandIn)
    func noDevice() throws {
        let text = try distill(["doctor"], "CUDA_STAND_IN_DEVICES=0")
        #expect(text.output.contains("(a CUDA build of libtorch, but no CUDA device)"))
    }

    @Test("an update of the fine-tuning waits once for the device", .requiresCUDAStandIn)
    func waits() throws {
        try withTemporaryFolder { folder in
            let run = try SmallRun(in: folder)
            func waits(steps: Int) throws -> Int {
                let file = folder.appendingPathComponent("counts-\(steps)")
                let process = try distill(
                    [
                        "finetune", "recipe.yaml", "-o", "run-\(steps)", "--device", "cuda",
                        "--quiet",
                        "--set", "finetune.minimax.steps=\(steps)",
                        "--set", "finetune.checkpointEvery=1000", "--set", "finetune.logEvery=1000",
                    ],
                    "CUDA_STAND_IN_COUNTS='\(file.path)'",
                    in: run.folder
                )
                #expect(process.exitCode == 0, "\(process.errors)")
                let words = try String(contentsOf: file, encoding: .utf8).split {
                    " \n".contains($0)
                }
                let place = try #require(words.firstIndex(of: "waits"))
                return try #require(Int(words[place + 1]))
            }
            #expect(try waits(steps: 30) - waits(steps: 10) == 20)
        }
    }

    @Test("without a driver that is new enough, the processor does the work", .requiresCUDAStandIn)
    func driver() throws {
        let variables = "CUDA_STAND_IN_ERROR=35"
        let process = try distill(["doctor", "--json"], variables)
        #expect(try process.json()["device"] as? String == "cpu")
        #expect(process.errors.contains("driver"), "\(process.errors)")
        let refusal = try distill(["doctor", "--device", "cuda"], variables)
        #expect(refusal.exitCode == 64)
        #expect(refusal.errors.contains("sees no CUDA device"), "\(refusal.errors)")
        #expect(refusal.errors.contains("nvidia-smi"), "\(refusal.errors)")
    }

    @Test("a device that is too small is an error with a remedy", .requiresCUDAStandIn)
    func exhaustion() throws {
        try withTemporaryFolder { folder in
            let run = try SmallRun(in: folder)
            let process = try distill(
                ["run", "recipe.yaml", "-o", "run", "--device", "cuda", "--quiet"],
                "CUDA_STAND_IN_MEMORY=3e6",
                in: run.folder
            )
            #expect(process.exitCode == 1)
            #expect(process.errors.contains("out of memory"), "\(process.errors)")
            #expect(process.errors.contains("smaller batch"), "\(process.errors)")
        }
    }
}
