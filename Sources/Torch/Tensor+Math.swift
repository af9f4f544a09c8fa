import CTorch

// MARK: - Element by element

extension Tensor {
    /// eˣ, element by element.
    public func exp() -> Tensor { Tensor.of("exp", self) { ct_exp(handle, &$0) } }

    /// The natural logarithm.
    public func log() -> Tensor { Tensor.of("log", self) { ct_log(handle, &$0) } }

    /// The square root.
    public func sqrt() -> Tensor { Tensor.of("sqrt", self) { ct_sqrt(handle, &$0) } }

    /// One over the square root.
    public func reciprocalSqrt() -> Tensor {
        Tensor.of("reciprocalSqrt", self) { ct_rsqrt(handle, &$0) }
    }

    /// x².
    public func squared() -> Tensor { Tensor.of("squared", self) { ct_square(handle, &$0) } }

    /// 1/x.
    public func reciprocal() -> Tensor {
        Tensor.of("reciprocal", self) { ct_reciprocal(handle, &$0) }
    }

    /// The sine.
    public func sin() -> Tensor { Tensor.of("sin", self) { ct_sin(handle, &$0) } }

    /// The cosine.
    public func cos() -> Tensor { Tensor.of("cos", self) { ct_cos(handle, &$0) } }

    /// The hyperbolic tangent.
    public func tanh() -> Tensor { Tensor.of("tanh", self) { ct_tanh(handle, &$0) } }

    /// The largest whole number that is not larger.
    public func floor() -> Tensor { Tensor.of("floor", self) { ct_floor(handle, &$0) } }

    /// The nearest whole number, halves to even.
    public func rounded() -> Tensor { Tensor.of("rounded", self) { ct_round(handle, &$0) } }

    /// |x|.
    public func magnitude() -> Tensor { Tensor.of("magnitude", self) { ct_abs(handle, &$0) } }

    /// -1, 0 or 1.
    public func sign() -> Tensor { Tensor.of("sign", self) { ct_sign(handle, &$0) } }

    /// 1/(1 + e⁻ˣ).
    public func sigmoid() -> Tensor { Tensor.of("sigmoid", self) { ct_sigmoid(handle, &$0) } }

    /// max(x, 0).
    public func relu() -> Tensor { Tensor.of("relu", self) { ct_relu(handle, &$0) } }

    /// x·sigmoid(x).
    public func silu() -> Tensor { Tensor.of("silu", self) { ct_silu(handle, &$0) } }

    /// Whether each element is neither infinite nor NaN.
    public func isFinite() -> Tensor { Tensor.of("isFinite", self) { ct_is_finite(handle, &$0) } }

    /// The opposite truth value.
    public func negatedLogically() -> Tensor {
        Tensor.of("negatedLogically", self) { ct_logical_not(handle, &$0) }
    }

    /// The Gaussian error linear unit, exact or with the tanh approximation that DiT uses.
    public func gelu(tanhApproximation: Bool = false) -> Tensor {
        Tensor.of("gelu", self) { ct_gelu(handle, tanhApproximation, &$0) }
    }

    /// Values outside of a range moved to its ends.
    public func clamped(to range: ClosedRange<Double>) -> Tensor {
        Tensor.of("clamped", self) { ct_clamp(handle, range.lowerBound, range.upperBound, &$0) }
    }

    /// xᵉ.
    public func power(_ exponent: Double) -> Tensor {
        Tensor.of("power", self) { ct_pow_scalar(handle, exponent, &$0) }
    }

    /// self + scale·other, in one pass.
    public func adding(_ other: Tensor, scaledBy scale: Double) -> Tensor {
        Tensor.of("adding", self, other) { ct_add(handle, other.handle, scale, &$0) }
    }

    /// self + weight·(other − self).
    public func interpolated(to other: Tensor, weight: Double) -> Tensor {
        Tensor.of("interpolated", self, other) { ct_lerp(handle, other.handle, weight, &$0) }
    }

    /// The larger one of each pair.
    public func maximum(_ other: Tensor) -> Tensor {
        Tensor.of("maximum", self, other) { ct_maximum(handle, other.handle, &$0) }
    }

    /// The smaller one of each pair.
    public func minimum(_ other: Tensor) -> Tensor {
        Tensor.of("minimum", self, other) { ct_minimum(handle, other.handle, &$0) }
    }

    /// The matrix product over the last two axes, batched over the others.
    public func matmul(_ other: Tensor) -> Tensor {
        Tensor.of("matmul", self, other) { ct_matmul(handle, other.handle, &$0) }
    }
}

// MARK: - Operators

extension Tensor {
    /// The sum, shapes broadcast.
    public static func + (a: Tensor, b: Tensor) -> Tensor {
        of("+", a, b) { ct_add(a.handle, b.handle, 1, &$0) }
    }

    /// The difference, shapes broadcast.
    public static func - (a: Tensor, b: Tensor) -> Tensor {
        of("-", a, b) { ct_add(a.handle, b.handle, -1, &$0) }
    }

    /// The product element by element, shapes broadcast.
    public static func * (a: Tensor, b: Tensor) -> Tensor {
        of("*", a, b) { ct_mul(a.handle, b.handle, &$0) }
    }

    /// The quotient element by element, shapes broadcast.
    public static func / (a: Tensor, b: Tensor) -> Tensor {
        of("/", a, b) { ct_div(a.handle, b.handle, &$0) }
    }

    /// The sum with a number.
    public static func + (a: Tensor, b: Double) -> Tensor {
        of("+", a) { ct_add_scalar(a.handle, b, &$0) }
    }

    /// The sum with a number.
    public static func + (a: Double, b: Tensor) -> Tensor { b + a }

    /// The difference with a number.
    public static func - (a: Tensor, b: Double) -> Tensor { a + -b }

    /// The difference with a number.
    public static func - (a: Double, b: Tensor) -> Tensor { -b + a }

    /// The product with a number.
    public static func * (a: Tensor, b: Double) -> Tensor {
        of("*", a) { ct_mul_scalar(a.handle, b, &$0) }
    }

    /// The product with a number.
    public static func * (a: Double, b: Tensor) -> Tensor { b * a }

    /// The quotient by a number.
    public static func / (a: Tensor, b: Double) -> Tensor { a * (1 / b) }

    /// The quotient of a number.
    public static func / (a: Double, b: Tensor) -> Tensor { b.reciprocal() * a }

    /// The negative.
    public static prefix func - (a: Tensor) -> Tensor { of("-", a) { ct_neg(a.handle, &$0) } }
}

// MARK: - Comparison

extension Tensor {
    /// How two numbers are compared.
    public enum Relation: Int32, Sendable {
        case equal, notEqual, less, lessOrEqual, greater, greaterOrEqual
    }

    /// Element by element, whether the relation to another tensor holds.
    public func compared(_ relation: Relation, to other: Tensor) -> Tensor {
        Tensor.of("compared", self, other) {
            ct_compare(handle, other.handle, relation.rawValue, &$0)
        }
    }

    /// Element by element, whether the relation to a number holds.
    public func compared(_ relation: Relation, to value: Double) -> Tensor {
        Tensor.of("compared", self) { ct_compare_scalar(handle, value, relation.rawValue, &$0) }
    }

    /// Element by element, whether both are true.
    public func and(_ other: Tensor) -> Tensor {
        Tensor.of("and", self, other) { ct_logical_and(handle, other.handle, &$0) }
    }

    /// Whether shapes and all elements are the same.
    public func isEqual(to other: Tensor) -> Bool {
        var result = false
        Tensor.run("isEqual", self, other) { ct_all_equal(handle, other.handle, &result) }
        return result
    }
}

// MARK: - In place

extension Tensor {
    /// Adds scale·other to the elements.
    public func add(_ other: Tensor, scaledBy scale: Double = 1) {
        Tensor.run("add", self, other) { ct_inplace_add(handle, other.handle, scale) }
    }

    /// Multiplies the elements by those of another tensor.
    public func multiply(by other: Tensor) {
        Tensor.run("multiply", self, other) { ct_inplace_mul(handle, other.handle) }
    }

    /// Multiplies the elements by a number.
    public func multiply(by value: Double) {
        Tensor.run("multiply", self) { ct_inplace_mul_scalar(handle, value) }
    }

    /// Sets every element.
    public func fill(with value: Double) {
        Tensor.run("fill", self) { ct_inplace_fill(handle, value) }
    }

    /// Moves values outside of a range to its ends.
    public func clamp(to range: ClosedRange<Double>) {
        Tensor.run("clamp", self) { ct_inplace_clamp(handle, range.lowerBound, range.upperBound) }
    }

    /// Overwrites the slices with these indices.
    public func copy(from source: Tensor, at indices: Tensor, along axis: Int = 0) {
        Tensor.run("copy", self, indices, source) {
            ct_inplace_index_copy(handle, Int64(axis), indices.handle, source.handle)
        }
    }
}
