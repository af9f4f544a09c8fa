import Checkpoints
import Foundation
import TestSupport
import Testing
import Torch

@Suite("Safetensors files behave as behaviour.json says", .tags(.golden))
struct SafetensorsGoldenTests {
    /// What a file of the golden folder should do, by path.
    static let behaviour: [String: JSONValue] = {
        guard let data = try? Data(contentsOf: Golden.url("checkpoints/behaviour.json")),
            let value = try? JSONValue(text: String(decoding: data, as: UTF8.self))
        else { return [:] }
        return (try? value.object) ?? [:]
    }()

    static func files(_ expected: String) -> [String] {
        behaviour.filter {
            $0.key.hasSuffix(".safetensors") && $0.value["expect"] == .string(expected)
        }.keys.sorted()
    }

    @Test("the list of files is there")
    func listIsThere() {
        #expect(!Self.files("load").isEmpty)
        #expect(!Self.files("error").isEmpty)
    }

    @Test("a valid file gives exactly the expected tensors", arguments: files("load"))
    func loads(_ path: String) throws {
        let state = try Safetensors.load(contentsOf: Golden.url("checkpoints/\(path)"))
        #expect(state.count > 0)
        let expected = try Golden("checkpoints/expected").group("\(path)/")
        for (name, tensor) in expected {
            let found = try #require(state[name])
            // Half-precision values are stored widened there.
            expectIdentical(found.converted(to: tensor.dtype), tensor, "\(path) \(name)")
        }
        if expected.count > 0 { #expect(Set(expected.names) == Set(state.names)) }
    }

    @Test("a broken file is refused with an error that names it", arguments: files("error"))
    func refuses(_ path: String) throws {
        let url = Golden.url("checkpoints/\(path)")
        let error = #expect(throws: CheckpointError.self) {
            try Safetensors.load(contentsOf: url)
        }
        #expect(error?.code == .malformed)
        #expect(error?.message.contains(url.path) == true)
    }
}
