import Experiments
import Foundation
import TestSupport
import Testing

@Suite("The commit in a provenance")
struct VersionTests {
    private func write(_ text: String, _ name: String, in folder: URL) throws {
        let file = folder.appendingPathComponent(name)
        try FileManager.default.createDirectory(
            at: file.deletingLastPathComponent(),
            withIntermediateDirectories: true
        )
        try Data(text.utf8).write(to: file)
    }

    @Test("is that of a checkout, on a branch or not, or of its worktree")
    func commits() throws {
        try withTemporaryFolder { folder in
            let checkout = folder.appendingPathComponent("checkout")
            #expect(Version.commit(ofCheckout: checkout) == nil)
            try write("abc\n", ".git/HEAD", in: checkout)
            #expect(Version.commit(ofCheckout: checkout) == "abc")
            try write("ref: refs/heads/main\n", ".git/HEAD", in: checkout)
            try write("# pack-refs\nfed refs/heads/main\n", ".git/packed-refs", in: checkout)
            #expect(Version.commit(ofCheckout: checkout) == "fed")
            try write("def\n", ".git/refs/heads/main", in: checkout)
            #expect(Version.commit(ofCheckout: checkout) == "def")

            let tree = folder.appendingPathComponent("tree")
            let place = checkout.appendingPathComponent(".git/worktrees/tree")
            try write("gitdir: \(place.path)\n", ".git", in: tree)
            try write("ref: refs/heads/side\n", "HEAD", in: place)
            try write("../..\n", "commondir", in: place)
            try write("123\n", ".git/refs/heads/side", in: checkout)
            #expect(Version.commit(ofCheckout: tree) == "123")
        }
    }
}
