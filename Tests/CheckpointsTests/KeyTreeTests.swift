import Checkpoints
import Testing
import Torch

@Suite("The outline of a checkpoint's names")
struct KeyTreeTests {
    private func lines(_ entries: [(String, [Int])]) -> [String] {
        KeyTree(
            entries.map { Checkpoint.Entry(name: $0.0, dtype: .float32, shape: $0.1) }
        ).lines
    }

    @Test("blocks of equal structure are told once")
    func blocks() {
        var entries: [(String, [Int])] = [("pos_embed", [1, 4])]
        for block in 0..<12 {
            entries.append(("blocks.\(block).attn.weight", [3, 4]))
            entries.append(("blocks.\(block).attn.bias", [3]))
            if block < 2 { entries.append(("blocks.\(block).gamma", [3])) }
        }
        entries.append(("final.linear.weight", [2]))
        #expect(
            lines(entries) == [
                "pos_embed  float32 [1, 4]",
                "blocks.",
                "  0…1.",
                "    attn.weight  float32 [3, 4], bias  float32 [3]",
                "    gamma  float32 [3]",
                "  2…11.attn.weight  float32 [3, 4], bias  float32 [3]",
                "final.linear.weight  float32 [2]",
            ]
        )
    }

    @Test("dictionaries and names below them are levels")
    func groups() {
        #expect(
            lines([("model/a.b", [1]), ("ema/a.b", [1]), ("opt/0/x", [1]), ("opt/1/x", [1])]) == [
                "model/a.b  float32 [1]", "ema/a.b  float32 [1]", "opt/0…1/x  float32 [1]",
            ]
        )
    }

    @Test("numbers that no list of layers has are names")
    func largeNumbers() {
        let (least, most) = ("\(Int.min).weight", "\(Int.max).weight")
        #expect(lines([("a.weight", [1]), (least, [1]), (most, [1])]).count == 3)
        #expect(lines([("-1.weight", [1]), ("0.weight", [1])]).count == 2)
    }

    @Test("a name may have any number of parts")
    func deepNames() {
        let name = String(repeating: "a.", count: 100_000) + "b"
        #expect(lines([(name, [1])]) == ["\(name)  float32 [1]"])
        #expect(lines([("", [1]), ("..", [2]), ("a", [1]), ("a.b", [1])]).count > 2)
        #expect(lines([]).isEmpty)
    }
}
