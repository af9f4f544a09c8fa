import CTorch

extension Tensor {
    /// The eigenvalues of a symmetric matrix [..., n, n], in rising order, and its eigenvectors.
    ///
    /// Only the lower triangle is read; the matrix must be of finite numbers.
    ///
    /// - Returns: Values [..., n], and vectors [..., n, n] as columns: A = V·diag(λ)·Vᵀ.
    public func symmetricEigendecomposition() -> (values: Tensor, vectors: Tensor) {
        pair("symmetricEigendecomposition") { ct_eigh(handle, $0, $1) }
    }

    /// The eigenvalues alone of a symmetric matrix [..., n, n], in rising order: [..., n].
    public func symmetricEigenvalues() -> Tensor {
        Tensor.of("symmetricEigenvalues", self) { ct_eigvalsh(handle, &$0) }
    }
}
