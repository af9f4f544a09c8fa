import Evaluation
import Testing
import Torch

@Suite("The nearest of many points, portion by portion")
struct NearestSearchTests {
    @Test("any portions find what comparing every pair finds", arguments: [1, 3, 7, 50])
    func portions(_ size: Int) {
        var generator = RandomGenerator(seed: 4)
        let few = generator.uniformValues(5 * 6)
        let many = generator.uniformValues(50 * 6)
        var search = NearestSearch(for: Tensor(few, shape: [5, 6]))
        #expect(search.nearest.allSatisfy { $0 == nil })
        let all = Tensor(many, shape: [50, 6])
        for start in stride(from: 0, to: 50, by: size) {
            let range = start..<min(start + size, 50)
            // Names that are no positions in the portion.
            search.look(at: all[range], places: range.map { 100 + $0 })
        }
        for (position, found) in search.nearest.enumerated() {
            let squares = (0..<50).map { other in
                (0..<6).reduce(0.0) { sum, axis in
                    let difference = Double(few[position * 6 + axis] - many[other * 6 + axis])
                    return sum + difference * difference
                }
            }
            let least = squares.min() ?? 0
            #expect(found?.place == squares.firstIndex(of: least).map { 100 + $0 })
            #expect(abs((found?.square ?? -1) - least) < 1e-9)
        }
    }

    @Test("the first of equal points counts, and no points change nothing")
    func ties() {
        var search = NearestSearch(for: Tensor([0, 0] as [Float], shape: [1, 2]))
        let point = Tensor([1, 1] as [Float], shape: [1, 2])
        search.look(at: point, places: [8])
        search.look(at: point, places: [9])
        search.look(at: Tensor.zeros([0, 2]), places: [])
        #expect(search.nearest[0]?.place == 8)
        #expect(abs((search.nearest[0]?.square ?? 0) - 2) < 1e-12)
    }
}
