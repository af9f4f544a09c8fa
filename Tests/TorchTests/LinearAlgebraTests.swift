import TestSupport
import Testing
import Torch

@Suite("Linear algebra")
struct LinearAlgebraTests {
    @Test("a matrix with known eigenvalues")
    func known() {
        // [[2, 1], [1, 2]] has 1 and 3, with (1, −1)/√2 and (1, 1)/√2.
        let x = Tensor([2, 1, 1, 2] as [Double], shape: [2, 2])
        let (values, vectors) = x.symmetricEigendecomposition()
        expectValues(values, [1, 3])
        expectValues(x.symmetricEigenvalues(), [1, 3])
        expectValues(
            vectors.magnitude(),
            [Double](repeating: 0.5.squareRoot(), count: 4),
            shape: [2, 2]
        )
    }

    @Test("values and vectors give the matrix again, also a singular one", arguments: [3, 40])
    func reconstruction(_ rank: Int) {
        var generator = RandomGenerator(seed: 4)
        let factor = generator.normal([40, rank]).converted(to: .float64)
        let x = factor.matmul(factor.transposed(0, 1))
        let (values, vectors) = x.symmetricEigendecomposition()
        let again = (vectors * values).matmul(vectors.transposed(0, 1))
        expectClose(again, x, relative: 1e-12)
        let found: [Double] = values.values()
        #expect(found == found.sorted())
        #expect(found.filter { $0 > 1e-9 }.count == rank)
    }

    @Test("the upper triangle is not read")
    func lowerTriangle() {
        let x = Tensor([2, 99, 1, 2] as [Double], shape: [2, 2])
        expectValues(x.symmetricEigenvalues(), [1, 3])
    }

    @Test("two results leave no tensors behind")
    func noLeaks() {
        let x = Tensor.ones([3, 3], dtype: .float64)
        expectNoLeaks { x.symmetricEigendecomposition() }
    }
}
