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
            try RunFolder(url, for: recipe).write(Data("1".utf8), to: "checkpoints/some")
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

    @Test("how often checkpoints are written can change; the folder then says how often it is")
    func checkpointEvery() throws {
        try withTemporaryFolder { folder in
            let url = folder.appendingPathComponent("run")
            var recipe = Recipe()
            try RunFolder(url, for: recipe).write(Data("1".utf8), to: "checkpoints/some")
            recipe.finetune.checkpointEvery = 7
            recipe.pretrain.logEvery = 8
            recipe.idc.checkpointEvery = 9
            recipe.glad.logEvery = 10_000
            let again = try RunFolder(url, for: recipe)
            #expect(again.has("checkpoints/some"))
            #expect(try Recipe.read(again.path("recipe.resolved.yaml")) == recipe)
        }
    }

    @Test("a folder in which nothing was made yet goes to the next recipe")
    func untouched() throws {
        try withTemporaryFolder { folder in
            let url = folder.appendingPathComponent("run")
            var recipe = Recipe()
            recipe.data.train.path = "trian"
            try RunFolder(url, for: recipe).write(Data("{}".utf8), to: "provenance.json")
            recipe.data.train.path = "train"
            let corrected = try RunFolder(url, for: recipe)
            #expect(try Recipe.read(corrected.path("recipe.resolved.yaml")) == recipe)
            #expect(!corrected.has("provenance.json"))
        }
    }

    @Test("a damaged recipe of a run is named, and a file in the place of the folder")
    func damagedRecipe() throws {
        try withTemporaryFolder { folder in
            let url = folder.appendingPathComponent("run")
            try RunFolder(url, for: Recipe()).write(Data("1".utf8), to: "checkpoints/some")
            try Data("name: [".utf8).write(to: url.appendingPathComponent("recipe.resolved.yaml"))
            let error = #expect(throws: RunError.self) { try RunFolder(url, for: Recipe()) }
            #expect(error?.description.contains("recipe.resolved.yaml is damaged") == true)
            // No text at all: not an empty folder either.
            let resolved = url.appendingPathComponent("recipe.resolved.yaml")
            let bytes = Data("name: run".utf8) + [0xFF]
            try bytes.write(to: resolved)
            let unreadable = #expect(throws: RunError.self) { try RunFolder(url, for: Recipe()) }
            #expect(unreadable?.code == .malformed)
            #expect(try Data(contentsOf: resolved) == bytes)
            let file = folder.appendingPathComponent("file")
            try Data().write(to: file)
            let other = #expect(throws: RunError.self) { try RunFolder(file, for: Recipe()) }
            #expect(other?.description.contains("is a file. Name a folder") == true)
        }
    }

    @Test("a folder of an older version, without settings that came later, goes on")
    func olderRecipe() throws {
        try withTemporaryFolder { folder in
            let url = folder.appendingPathComponent("run")
            try RunFolder(url, for: Recipe()).write(Data("1".utf8), to: "checkpoints/some")
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
