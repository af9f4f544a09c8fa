import TestSupport
import Testing
import Torch

@Suite("State dictionaries")
struct StateDictionaryTests {
    private let state = StateDictionary([
        ("b.x", .ones([2])), ("a.y", .zeros([3])), ("b.z", .ones([4])),
    ])

    @Test("names keep their order")
    func order() {
        #expect(state.names == ["b.x", "a.y", "b.z"])
        #expect(state.map(\.key) == state.names)
        #expect(state.count == 3)
        #expect(state.elementCount == 9)
        #expect(state["a.y"]?.shape == [3])
        #expect(state["c"] == nil)
        #expect(StateDictionary().count == 0)
    }

    @Test("of two tensors with one name the last is kept, at the first place")
    func duplicates() {
        let state = StateDictionary([("a", .ones([1])), ("b", .ones([2])), ("a", .ones([3]))])
        #expect(state.names == ["a", "b"])
        #expect(state["a"]?.shape == [3])
    }

    @Test("prefixes")
    func prefixes() {
        #expect(state.removingPrefix("b.").names == ["x", "z"])
        #expect(state.addingPrefix("m.").names == ["m.b.x", "m.a.y", "m.b.z"])
        #expect(state.addingPrefix("m.").removingPrefix("m.").names == state.names)
    }

    @Test("setting, mapping and merging")
    func changes() {
        var copy = state
        copy["b.x"] = nil
        copy["new"] = .ones([5])
        #expect(copy.names == ["a.y", "b.z", "new"])
        #expect(state.count == 3)
        copy.merge(StateDictionary([("new", .ones([6])), ("last", .ones([7]))]))
        #expect(copy.names == ["a.y", "b.z", "new", "last"])
        #expect(copy["new"]?.shape == [6])
        #expect(state.mapValues { $0 * 2 }["b.z"]?.sum().item == 8)
        #expect(state.mapValues { $0 }.names == state.names)
    }
}
