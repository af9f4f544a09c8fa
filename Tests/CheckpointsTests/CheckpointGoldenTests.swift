import Checkpoints
import Foundation
import TestSupport
import Testing
import Torch

@Suite("Checkpoints of every format behave as behaviour.json says", .tags(.golden))
struct CheckpointGoldenTests {
    static func files(_ expected: String) -> [String] {
        SafetensorsGoldenTests.behaviour.filter { $0.value["expect"] == .string(expected) }
            .keys.sorted()
    }

    @Test("the list of files is there")
    func listIsThere() {
        let files = Self.files("load")
        #expect(files.contains { $0.hasSuffix("_zip.pt") })
        #expect(files.contains { $0.hasSuffix("_legacy.pt") })
        #expect(Self.files("error").contains { $0.hasSuffix(".pt") })
    }

    /// Compares with the stored values; half-precision ones are stored widened.
    private func check(_ checkpoint: Checkpoint, _ path: String) throws {
        let expected = try Golden("checkpoints/expected").group("\(path)/")
        for (name, tensor) in expected {
            let found = try #require(checkpoint[name], "\(path) \(name)")
            let entry = try #require(checkpoint.entry(named: name))
            #expect(entry.shape == found.shape && entry.dtype == found.dtype)
            expectIdentical(found.converted(to: tensor.dtype), tensor, "\(path) \(name)")
        }
        // A training checkpoint has the state of its optimizer, too.
        let isTraining = checkpoint.content["opt"] != nil
        if expected.count > 0, !isTraining {
            #expect(Set(expected.names) == Set(checkpoint.entries.map(\.name)), "\(path)")
        }
    }

    @Test("a valid file gives exactly the expected tensors", arguments: files("load"))
    func loads(_ path: String) throws {
        let checkpoint = try Checkpoint(contentsOf: Golden.url("checkpoints/\(path)"))
        #expect(!checkpoint.entries.isEmpty)
        try check(checkpoint, path)
        #expect(checkpoint.state().count == checkpoint.entries.count)
    }

    @Test("a broken or dangerous file is refused with its name", arguments: files("error"))
    func refuses(_ path: String) throws {
        let url = Golden.url("checkpoints/\(path)")
        let error = #expect(throws: CheckpointError.self) { try Checkpoint(contentsOf: url) }
        #expect(error?.code == .malformed || error?.code == .unsupported)
        #expect(error?.message.contains(url.path) == true)
    }

    @Test(
        "what may be refused is read rightly or refused",
        arguments: files("load_or_error") + files("no_crash")
    )
    func either(_ path: String) throws {
        let url = Golden.url("checkpoints/\(path)")
        do {
            try check(try Checkpoint(contentsOf: url), path)
        } catch let error as CheckpointError {
            #expect(error.message.contains(url.path))
        }
    }

    @Test(
        "a call in a pickle is named and not made",
        arguments: files("error").filter { $0.contains("system") || $0.contains("eval") }
    )
    func callsAreNamed(_ path: String) {
        let error = #expect(throws: CheckpointError.self) {
            try Checkpoint(contentsOf: Golden.url("checkpoints/\(path)"))
        }
        #expect(error?.code == .unsupported)
        let name = path.contains("eval") ? ".eval" : ".system"
        #expect(error?.reason.contains(name) == true, "\(error?.message ?? "")")
        #expect(error?.remedy.contains("Nothing of the file was executed") == true)
    }

    @Test(
        "a training checkpoint has its settings as plain data",
        arguments: files("load").filter { $0.hasPrefix("training") }
    )
    func settings(_ path: String) throws {
        let checkpoint = try Checkpoint(contentsOf: Golden.url("checkpoints/\(path)"))
        let settings = try #require(checkpoint.content["args"])
        guard case .dictionary(let members) = settings else {
            Issue.record("the settings are \(settings)")
            return
        }
        #expect(members.count > 3)
        guard case .integer = settings["memory_size"], case .number = settings["lambda_pos"],
            case .text = settings["spec"]
        else {
            Issue.record("the settings are \(settings)")
            return
        }
        #expect(checkpoint.groups.contains("ema") && checkpoint.groups.contains("model"))
    }

    @Test("plain values keep their kinds")
    func plainValues() throws {
        let checkpoint = try Checkpoint(contentsOf: Golden.url("checkpoints/nested_zip.pt"))
        let content = checkpoint.content
        guard case .dictionary(let members) = content else {
            Issue.record("the content is \(content)")
            return
        }
        let weights = try #require(content["state_dict"])
        for entry in checkpoint.entries where entry.name.hasPrefix("state_dict/") {
            let key = String(entry.name.dropFirst("state_dict/".count))
            #expect(weights[key] == .tensor(entry.name))
        }
        let kinds = members.map { member in
            switch member.value {
            case .none: "none"
            case .bool: "bool"
            case .integer: "integer"
            case .number: "number"
            case .text: "text"
            case .bytes: "bytes"
            case .list: "list"
            case .dictionary: "dictionary"
            case .tensor: "tensor"
            }
        }
        #expect(Set(kinds).isSuperset(of: ["dictionary", "integer", "number", "list", "text"]))
    }
}
