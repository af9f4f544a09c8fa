import Experiments
import Foundation
import TestSupport
import Testing

@Suite("Run folders")
struct RunFolderTests {
    @Test("a folder belongs to one recipe; another one names what differs and changes nothing")
    func otherRecipe() throws {
        try withTemporaryFolder { folder in
            let url = folder.appendingPathComponent("run")
            var recipe = Recipe()
            _ = try RunFolder(url, for: recipe)
            let resolved = url.appendingPathComponent("recipe.resolved.yaml")
            let before = try Data(contentsOf: resolved)
            recipe.finetune.minimax.steps = 7
            let error = #expect(throws: RunError.self) { try RunFolder(url, for: recipe) }
            #expect(error?.code == .otherRecipe)
            #expect(
                error?.description.contains("finetune.minimax.steps: 12000 there, 7 here") == true,
                "\(error?.description ?? "")"
            )
            #expect(try Data(contentsOf: resolved) == before)
        }
    }

    @Test("a folder of an older version, without settings that came later, goes on")
    func olderRecipe() throws {
        try withTemporaryFolder { folder in
            let url = folder.appendingPathComponent("run")
            _ = try RunFolder(url, for: Recipe())
            let resolved = url.appendingPathComponent("recipe.resolved.yaml")
            let text = try String(contentsOf: resolved, encoding: .utf8)
            let older = text.split(separator: "\n").filter { !$0.contains("classesPerPhase") }
                .joined(separator: "\n")
            #expect(older.count < text.count - 10)
            try Data("\(older)\n".utf8).write(to: resolved)
            _ = try RunFolder(url, for: Recipe())
            var other = Recipe()
            other.finetune.classesPerPhase = 3
            #expect(throws: RunError.self) { try RunFolder(url, for: other) }
        }
    }

    @Test("a second process is kept out, and comes in when the first is gone")
    func lock() throws {
        try withTemporaryFolder { folder in
            var first: RunFolder? = try RunFolder(folder, for: Recipe())
            // Another descriptor of the same file is treated like another process.
            let error = #expect(throws: RunError.self) { try RunFolder(folder, for: Recipe()) }
            #expect(error?.code == .locked)
            #expect(error?.description.contains("\(getpid())") == true)
            withExtendedLifetime(first) {}
            first = nil
            _ = try RunFolder(folder, for: Recipe())
        }
    }

    @Test("a folder that cannot be made is a clear error")
    func unwritable() throws {
        try withTemporaryFolder { folder in
            let file = folder.appendingPathComponent("file")
            try Data().write(to: file)
            let error = #expect(throws: RunError.self) {
                try RunFolder(file.appendingPathComponent("run"), for: Recipe())
            }
            #expect(error?.code == .unusable)
        }
    }
}
