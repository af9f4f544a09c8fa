import Foundation
import Reporting
import Testing

@Suite("Files of a run folder")
struct RunFolderTests {
    private func failure(_ run: TemporaryRun) throws -> ReportError {
        try #require(throws: ReportError.self) { try Report(run: run.url).write(gnuplot: nil) }
    }

    @Test("A step that was logged twice counts once, with its last values")
    func repeatedSteps() throws {
        let metrics = try #require(try TemporaryRun.finished().folder().metrics)
        let steps = metrics.steps(of: "finetune")
        #expect(steps.map { $0["step"] } == [10, 20])
        #expect(steps.map { $0["loss"] } == [0.5, 0.3])
        #expect(metrics.records.filter { $0.stage == "evaluate" }.count == 4)
        #expect(metrics.records.filter { $0.stage == "sample" }.count == 1)
    }

    @Test("Steps are put in order, and values that are no numbers are left out")
    func orderAndNulls() throws {
        let run = try TemporaryRun()
        try run.write(
            """
            {"stage":"pretrain","step":2,"loss":null,"note":"x"}
            {"stage":"pretrain","step":1,"loss":0.5,"new":[1,2]}
            """,
            to: "metrics.jsonl"
        )
        let steps = try #require(try run.folder().metrics).steps(of: "pretrain")
        #expect(steps.map { $0["step"] } == [1, 2])
        #expect(steps.map { $0["loss"] } == [0.5, nil])
    }

    @Test("A last line that was cut off is left out, and the page says so")
    func tornLine() throws {
        let run = try TemporaryRun()
        try run.write("{\"stage\":\"pretrain\",\"step\":1}\n{\"stage\":\"pre", to: "metrics.jsonl")
        #expect(try run.folder().metrics?.records.count == 1)
        try Report(run: run.url).write(gnuplot: nil)
        #expect(try run.text("report.html").contains("was cut off in the middle"))
    }

    @Test("A broken line in the middle is an error that names file and line")
    func brokenLine() throws {
        let run = try TemporaryRun()
        try run.write("{\"stage\":\"a\"}\n{\"stage\":\n{\"stage\":\"b\"}\n", to: "metrics.jsonl")
        let error = try failure(run)
        #expect(error.code == .malformedFile)
        #expect(error.message.contains("metrics.jsonl: line 2 "))
    }

    @Test(
        "Malformed results are errors that name the file and the key",
        arguments: [
            ("{", "not valid JSON"),
            ("[]", "the top level"),
            (
                "{\"results\": [{\"method\": \"dit\"}]}",
                "'imagesPerClass' is missing in 'results.[0]'"
            ),
            ("{\"costs\": [{\"stage\": 3, \"seconds\": 1}]}", "'costs.[0].stage'"),
            (
                "{\"results\": [\(TemporaryRun.result("dit", [0.5, 0.7], mean: 0.9, deviation: 0))]}",
                "results[0].last (dit) says mean 0.9, but its values average 0.6"
            ),
            (
                "{\"results\": [\(TemporaryRun.result("dit", [78, 79], mean: 78.5, deviation: 0))]}",
                "between 0 and 1"
            ),
            (
                "{\"results\": [\(TemporaryRun.result("dit", [], mean: 0.5, deviation: 0))]}",
                "has no values"
            ),
        ]
    )
    func malformedResults(_ text: String, _ fault: String) throws {
        let run = try TemporaryRun()
        try run.write(text, to: "results.json")
        let error = try failure(run)
        #expect(error.code == .malformedFile)
        #expect(error.message.contains("results.json: "))
        #expect(error.message.contains(fault), "\(error)")
    }

    @Test("A provenance that is no JSON is an error that names the file")
    func malformedProvenance() throws {
        let run = try TemporaryRun()
        try run.write("version: 1", to: "provenance.json")
        #expect(try failure(run).message.contains("provenance.json: this is not valid JSON"))
    }

    @Test("A recipe that is no text is an error that names the file")
    func malformedRecipe() throws {
        let run = try TemporaryRun()
        try run.write(Data([0xFF, 0xFE, 0x00]), to: "recipe.resolved.yaml")
        #expect(
            try failure(run).message.contains("recipe.resolved.yaml: the file is not UTF-8 text")
        )
    }

    @Test("An image that is neither PNG nor JPEG is an error that names it")
    func malformedImage() throws {
        let run = try TemporaryRun()
        try run.write("<html>", to: "surrogate/cat/0.png")
        let error = try failure(run)
        #expect(error.code == .malformedFile)
        #expect(error.message.contains("surrogate/cat/0.png: this is neither a PNG nor a JPEG"))
    }

    @Test("A folder that is missing, or that holds no run, is refused")
    func noRun() throws {
        let run = try TemporaryRun()
        #expect(try failure(run).code == .notARunFolder)
        let missing = run.url.appending(path: "missing")
        let error = try #require(throws: ReportError.self) { try Report(run: missing) }
        #expect(error.code == .notARunFolder)
        #expect(error.message.contains("missing: there is no such folder"))
    }

    @Test("A page that cannot be written is an error that names it")
    func unwritable() throws {
        let run = try TemporaryRun.finished()
        try run.write("x", to: "report.html/in-the-way")
        let error = try failure(run)
        #expect(error.code == .unwritable)
        #expect(error.message.contains("report.html cannot be written"))
    }

    @Test("Images are in the order of their numbers, classes in the order of their names")
    func imageOrder() throws {
        let run = try TemporaryRun()
        for index in [10, 2, 0] { try run.write(TemporaryRun.png, to: "surrogate/b/\(index).png") }
        try run.write("{}", to: "surrogate/metadata.jsonl")
        try run.write("not an image", to: "surrogate/b/notes.txt")
        let surrogate = try #require(try run.folder().surrogate)
        #expect(surrogate.classes.keys.sorted() == ["b"])
        #expect(
            surrogate.classes["b"]?.map(\.lastPathComponent) == ["0.png", "2.png", "10.png"]
        )
    }

    @Test("The surrogate's method is the one among the results that is no baseline")
    func surrogateMethod() throws {
        let run = try TemporaryRun()
        try run.write(TemporaryRun.png, to: "surrogate/a/0.png")
        try run.write(TemporaryRun.png, to: "baselines/random/a/0.png")
        let results = ["glad", "random"].map {
            TemporaryRun.result($0, [0.5, 0.5], mean: 0.5, deviation: 0)
        }
        try run.write("{\"results\": [\(results.joined(separator: ","))]}", to: "results.json")
        #expect(try run.folder().surrogate?.method == "glad")
    }
}
