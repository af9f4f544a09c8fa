import Experiments
import Foundation
import TestSupport
import Testing

@Suite("The commit in a provenance")
struct VersionTests {
    @Test("is that of a checkout, on a branch or not, or of its worktree")
    func commits() throws {
        try withTemporaryFolder { folder in
            let checkout = folder.appendingPathComponent("checkout")
            #expect(Version.commit(ofCheckout: checkout) == nil)
            try write("abc\n", to: ".git/HEAD", in: checkout)
            #expect(Version.commit(ofCheckout: checkout) == "abc")
            try write("ref: refs/heads/main\n", to: ".git/HEAD", in: checkout)
            try write("# pack-refs\nfed refs/heads/main\n", to: ".git/packed-refs", in: checkout)
            #expect(Version.commit(ofCheckout: checkout) == "fed")
            try write("def\n", to: ".git/refs/heads/main", in: checkout)
            #expect(Version.commit(ofCheckout: checkout) == "def")

            let tree = folder.appendingPathComponent("tree")
            let place = checkout.appendingPathComponent(".git/worktrees/tree")
            try write("gitdir: \(place.path)\n", to: ".git", in: tree)
            try write("ref: refs/heads/side\n", to: "HEAD", in: place)
            try write("../..\n", to: "commondir", in: place)
            try write("123\n", to: ".git/refs/heads/side", in: checkout)
            #expect(Version.commit(ofCheckout: tree) == "123")
        }
    }
}
