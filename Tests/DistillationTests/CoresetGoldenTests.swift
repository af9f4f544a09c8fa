import Distillation
import TestSupport
import Testing
import Torch

@Suite("Chosen images are those of the reference", .tags(.golden))
struct CoresetGoldenTests {
    @Test("herding and K-Center choose the same images in the same order")
    func indices() throws {
        let golden = try Golden("coreset")
        let features = try golden["input.features"]
        let labels: [Int] = try golden["input.labels"].values()
        let count = try golden.config["ipc"].int
        let members = (0..<(try golden.config["nclass"].int)).map { label in
            labels.indices.filter { labels[$0] == label }
        }
        func rows(_ name: String) throws -> [[Int]] {
            let expected = try golden["expected.\(name)"]
            return (0..<expected.size(along: 0)).map { expected[$0].values() }
        }
        #expect(
            CoresetSelection.herding(features, members: members, count: count)
                == (try rows("herding"))
        )
        for (start, name) in [
            (CoresetSelection.Start.first, "kcenter"), (.mean, "kcenter_from_mean"),
        ] {
            #expect(
                CoresetSelection.kCenter(features, members: members, count: count, start: start)
                    == (try rows(name)),
                "\(name)"
            )
        }
    }
}

@Suite("Choosing real images")
struct CoresetTests {
    private let members = [[0, 2, 4, 6, 8, 10, 12], [1, 3, 5, 7, 9, 11, 13]]

    private var features: Tensor {
        var generator = RandomGenerator(seed: 4)
        return generator.normal([14, 5])
    }

    private func choices(_ features: Tensor, count: Int) -> [[[Int]]] {
        [
            CoresetSelection.random(members, count: count, seed: 1),
            CoresetSelection.kCenter(features, members: members, count: count, start: .first),
            CoresetSelection.kCenter(features, members: members, count: count, start: .mean),
            CoresetSelection.herding(features, members: members, count: count),
        ]
    }

    @Test("fewer images are the beginning of more, all of the right class and none twice")
    func nested() {
        for (few, many) in zip(choices(features, count: 2), choices(features, count: 20)) {
            for label in 0..<2 {
                #expect(few[label] == Array(many[label].prefix(2)))
                #expect(Set(many[label]) == Set(members[label]))
                #expect(many[label].count == 7)
            }
        }
    }

    @Test("equal images are not chosen twice")
    func copies() {
        for choice in choices(.ones([14, 5]), count: 4) {
            #expect(choice.allSatisfy { Set($0).count == 4 })
        }
    }

    @Test("K-Center takes the corners, herding keeps the mean")
    func meaning() {
        // Seven points on a line for each class.
        let line = Tensor((0..<14).map { Float($0 / 2) }, shape: [14, 1])
        let corners = CoresetSelection.kCenter(line, members: members, count: 2, start: .mean)
        #expect(corners.map { $0.map { $0 / 2 } } == [[3, 0], [3, 0]])
        let herd = CoresetSelection.herding(line, members: members, count: 3)
        #expect(herd.allSatisfy { $0.reduce(0) { $0 + $1 / 2 } == 9 })
    }

    @Test("the choice at random depends on the seed")
    func seeds() {
        let first = CoresetSelection.random(members, count: 3, seed: 1)
        #expect(first == CoresetSelection.random(members, count: 3, seed: 1))
        #expect((2..<6).contains { CoresetSelection.random(members, count: 3, seed: $0) != first })
    }
}
