import Torch

/// Tells for every image how likely each class is, in the place of its label.
public protocol SoftLabelling {
    /// Scores before the softmax.
    ///
    /// - Parameters:
    ///   - images: [B, C, H, W], augmented, normalised and mixed: what the student sees.
    ///   - step: The number of the step, from 0.
    /// - Returns: [B, K], float32.
    /// - Throws: The error of a store of labels that cannot be read or written.
    func logits(for images: Tensor, step: Int) throws -> Tensor
}

extension Tensor {
    /// How far a student is from its teacher, both softened by a temperature (Hinton et al., 2015).
    ///
    /// ```
    /// 1/B Σ_b Σ_k q_k (ln q_k − ln p_k),  q = softmax(teacher/T),  p = softmax(self/T)
    /// ```
    ///
    /// As in RDED and SRe2L without the factor T².
    ///
    /// - Parameters:
    ///   - teacher: Scores of the teacher, [B, K].
    ///   - temperature: T, above 0; larger ones tell more of the unlikely classes.
    /// - Returns: A scalar; self is [B, K].
    package func softLabelLoss(teacher: Tensor, temperature: Double) -> Tensor {
        let target = (teacher / temperature).softmax(along: -1)
        let own = (self / temperature).logSoftmax(along: -1)
        return own.klDivergence(to: target).sum() / Double(size(along: 0))
    }
}
