// swift-tools-version: 6.2
import PackageDescription

// libtorch: `make setup` points the link `.libtorch` at the folder of the PyPI package `torch`.
let libtorch = Context.packageDirectory + "/.libtorch"

let torchHeaders: [CXXSetting] = [
    .unsafeFlags([
        "-isystem", libtorch + "/include",
        "-isystem", libtorch + "/include/torch/csrc/api/include",
        // Without libtorch one error tells what to do, and nothing else.
        "-Wfatal-errors",
    ])
]

#if os(macOS)
    let executableFolder = "@executable_path"
#else
    let executableFolder = "$ORIGIN"
#endif

/// Where the command looks for shared libraries: first beside an installed copy (`make install`),
/// then in this checkout.
let runPaths = [
    executableFolder + "/../lib/distill/torch/lib",
    executableFolder + "/../lib/distill/swift",
    libtorch + "/lib",
]

let torchLibraries: [LinkerSetting] = [
    .unsafeFlags(
        ["-L", libtorch + "/lib"] + runPaths.flatMap { ["-Xlinker", "-rpath", "-Xlinker", $0] }
    ),
    .linkedLibrary("c10"),
    .linkedLibrary("torch_cpu"),
]

/// Test targets find files of the checkout by their own path, so none needs resources.
func tests(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .testTarget(
        name: name,
        dependencies: dependencies + ["TestSupport"],
        path: "Tests/\(name)"
    )
}

let package = Package(
    name: "DatasetDistillation",
    platforms: [.macOS(.v14)],
    products: [
        .executable(name: "distill", targets: ["distill"]),
        .library(
            name: "DatasetDistillation",
            targets: [
                "Torch", "NeuralNetworks", "Checkpoints", "Images", "Datasets", "Models",
                "Diffusion", "Training", "Distillation", "Evaluation", "Experiments", "Reporting",
            ]
        ),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
        .package(url: "https://github.com/hummingbird-project/swift-mustache", from: "2.1.0"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.0"),
    ],
    targets: [
        // The boundary to C and C++.
        .target(name: "CTorch", cxxSettings: torchHeaders, linkerSettings: torchLibraries),
        .target(
            name: "CCodecs",
            linkerSettings: [
                .linkedLibrary("jpeg"), .linkedLibrary("png"), .linkedLibrary("z"),
            ]
        ),

        // The engine.
        .target(
            name: "Torch",
            dependencies: [
                "CTorch", .product(name: "OrderedCollections", package: "swift-collections"),
            ]
        ),
        .target(name: "NeuralNetworks", dependencies: ["Torch"]),
        .target(name: "Checkpoints", dependencies: ["Torch"]),

        // Images and datasets.
        .target(name: "Images", dependencies: ["CCodecs"]),
        .target(name: "Datasets", dependencies: ["Torch", "Images", "Checkpoints"]),

        // Models, diffusion, methods.
        .target(name: "Models", dependencies: ["NeuralNetworks", "Checkpoints"]),
        .target(name: "Diffusion", dependencies: ["NeuralNetworks"]),
        .target(name: "Training", dependencies: ["Datasets", "Models"]),
        .target(name: "Distillation", dependencies: ["Training", "Diffusion"]),
        .target(name: "Evaluation", dependencies: ["Training"]),

        // Experiments, reports, the command.
        .target(
            name: "Experiments",
            dependencies: ["Distillation", "Evaluation", "Yams"]
        ),
        .target(
            name: "Reporting",
            dependencies: ["Images", .product(name: "Mustache", package: "swift-mustache")]
        ),
        .executableTarget(
            name: "distill",
            dependencies: [
                "Experiments", "Reporting", "Evaluation", "Training", "Models", "NeuralNetworks",
                "Datasets", "Images", "Checkpoints", "Torch",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ]
        ),

        // Measurements beside PyTorch: `make bench`.
        .executableTarget(
            name: "distill-bench",
            dependencies: ["Distillation"],
            path: "Benchmarks/Sources"
        ),

        // Tests.
        .target(
            name: "TestSupport",
            dependencies: ["Torch", "Checkpoints"],
            path: "Tests/TestSupport"
        ),
        tests("TorchTests", ["Torch", "CTorch"]),
        tests("NeuralNetworksTests", ["NeuralNetworks"]),
        tests("CheckpointsTests", ["Checkpoints"]),
        tests("ImagesTests", ["Images"]),
        tests("DatasetsTests", ["Datasets"]),
        tests("ModelsTests", ["Models"]),
        tests("DiffusionTests", ["Diffusion", "Models"]),
        tests("TrainingTests", ["Training"]),
        tests("DistillationTests", ["Distillation"]),
        tests("EvaluationTests", ["Evaluation"]),
        tests("ExperimentsTests", ["Experiments"]),
        tests("ReportingTests", ["Reporting", "Images"]),
        tests("CommandTests", ["Images", "Reporting", "distill"]),
    ],
    cxxLanguageStandard: .cxx20
)
