import Evaluation
import Foundation
import Models
import TestSupport
import Testing
import Torch
import Training

@Suite("Soft labels of a teacher")
struct TeacherTests {
    private static let names = ["across", "down"]

    private func lines(_ count: Int, seed: UInt64 = 1, noise: Int = 60) -> EvaluationSet {
        .lines(count, size: 16, channels: 3, names: Self.names, noise: noise, seed: seed)
    }

    private func options(
        _ proto: String,
        epochs: Int,
        seeds: [Int] = [0],
        selection: EvaluationOptions.Selection = .last
    ) throws -> EvaluationOptions {
        EvaluationOptions(
            method: "test",
            network: .convNet(depth: 2),
            evaluationProtocol: try .named(proto),
            epochs: epochs,
            evaluations: epochs,
            selection: selection,
            seeds: seeds,
            precision: .float32
        )
    }

    /// Trains a teacher by the command's own function and reads it from its file.
    private func makeTeacher(_ folder: URL, names: [String] = names) throws -> Teacher {
        let file = folder.appendingPathComponent("teacher.safetensors")
        let result = try evaluate(
            train: lines(40),
            test: lines(40, seed: 2),
            options: options("gu-hard-64+size=16", epochs: 10),
            savingNetworkTo: file
        )
        #expect(result.last.mean > 0.9)
        let saved = try TrainedNetwork(contentsOf: file)
        #expect(saved.description.accuracy == result.last.mean)
        #expect(saved.description.network == .convNet(depth: 2))
        var description = saved.description
        description.classNames = names
        return try Teacher(
            TrainedNetwork(description: description, weights: saved.weights),
            path: file.path,
            digest: "digest"
        )
    }

    @Test("a student learns from the teacher alone", arguments: ["rded-soft-300", "fkd-300"])
    func student(_ proto: String) throws {
        try withTemporaryFolder { folder in
            let teacher = try makeTeacher(folder)
            // The student's own labels are wrong: what it learns comes from the teacher.
            let right = lines(40, seed: 3)
            let wrong = EvaluationSet(
                images: try ImageSet(
                    images: right.images.images,
                    labels: right.images.labels.map { 1 - $0 },
                    classNames: Self.names
                ),
                path: "wrong",
                fingerprint: "wrong"
            )
            let result = try evaluate(
                train: wrong,
                test: lines(40, seed: 2),
                options: options("\(proto)+size=16+temperature=1+batch=10", epochs: 20),
                teacher: teacher
            )
            #expect(result.last.mean > 0.9)
            #expect(result.teacher?.accuracy ?? 0 > 0.9)
            // The test set is not looked at before the last fifth of the epochs.
            #expect(result.evaluations == 4)
            #expect(result.evaluationProtocol.contains("+size=16+epochs=20+batch=10+temperature=1"))
        }
    }

    @Test("stored scores give the result of computed ones, and later seeds only read them")
    func storedLabels() throws {
        try withTemporaryFolder { folder in
            let teacher = try makeTeacher(folder)
            let store = folder.appendingPathComponent("labels")
            let (train, test) = (lines(7, seed: 3), lines(40, seed: 2, noise: 200))
            let options = try options("fkd-300+size=16+batch=3", epochs: 4, seeds: [0, 1])
            func run(_ options: EvaluationOptions) throws -> EvaluationResult {
                try evaluate(
                    train: train,
                    test: test,
                    options: options,
                    teacher: teacher,
                    softLabels: store
                )
            }
            let first = try run(options)
            let files = try FileManager.default.contentsOfDirectory(atPath: store.path).sorted()
            #expect(files == (1...4).map { String(format: "epoch-%05d.safetensors", $0) })
            #expect(try run(options).last == first.last)
            // Labels of another training set are refused, not used.
            let error = #expect(throws: TrainingError.self) {
                try evaluate(
                    train: lines(7, seed: 4),
                    test: test,
                    options: options,
                    teacher: teacher,
                    softLabels: store
                )
            }
            #expect(error?.message.contains("epoch-00001") == true)
        }
    }

    @Test("a teacher with its classes in another order is refused before it labels anything")
    func wrongOrder() throws {
        try withTemporaryFolder { folder in
            let teacher = try makeTeacher(folder, names: Self.names.reversed())
            let error = #expect(throws: TrainingError.self) {
                try evaluate(
                    train: lines(4),
                    test: lines(40, seed: 2),
                    options: options("rded-soft-300+size=16", epochs: 1),
                    teacher: teacher
                )
            }
            #expect(error?.code == .unfitNetwork)
            #expect(error?.message.contains("order") == true)
        }
    }

    @Test("images that are cut in training cannot choose the epoch")
    func holdoutOfLargerImages() throws {
        try withTemporaryFolder { folder in
            let teacher = try makeTeacher(folder)
            func measure(_ size: Int) throws -> EvaluationResult {
                try evaluate(
                    train: .lines(20, size: size, channels: 3, names: Self.names),
                    test: lines(40, seed: 2),
                    options: options("rded-soft-300+size=16", epochs: 1, selection: .holdout),
                    teacher: teacher
                )
            }
            let error = #expect(throws: TrainingError.self) { try measure(24) }
            #expect(error?.code == .invalidOption)
            #expect(error?.message.contains("24×24") == true)
            #expect(try measure(16).heldBackImages == 4)
        }
    }

    @Test("what teachers cannot do is said before any work")
    func refusals() throws {
        try withTemporaryFolder { folder in
            let teacher = try makeTeacher(folder)
            func refused(
                _ proto: String,
                _ teacher: Teacher?,
                size: Int = 16,
                names: [String] = Self.names
            ) -> TrainingError? {
                #expect(throws: TrainingError.self) {
                    try evaluate(
                        train: .lines(4, size: size, channels: 3, names: names),
                        test: .lines(4, size: size, channels: 3, names: names, seed: 2),
                        options: options(proto, epochs: 1),
                        teacher: teacher
                    )
                }
            }
            #expect(refused("rded-soft-300+size=16", nil)?.code == .invalidOption)
            #expect(refused("gu-hard-64+size=16", teacher)?.code == .invalidOption)
            #expect(refused("rded-soft-300+size=32", teacher, size: 32)?.code == .unfitImages)
            let strangers = refused("rded-soft-300+size=16", teacher, names: ["down", "round"])
            #expect(strangers?.code == .differingClasses)
            #expect(strangers?.message.contains("\"round\"") == true)
        }
    }
}
