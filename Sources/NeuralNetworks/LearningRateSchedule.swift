import Foundation

/// How the learning rate changes, as a factor of the base rate.
public enum LearningRateSchedule: Sendable, Equatable {
    /// Always 1.
    case constant
    /// ×γ at each of some milestones, as PyTorch's MultiStepLR.
    case multiStep(milestones: [Int], factor: Double)
    /// A rise from 0 over `warmup` steps, then half a cosine down to `floor` at `total` steps.
    case cosine(warmup: Int, total: Int, floor: Double)
    /// The first half of a half cosine, ½(1 + cos(πk/(2·total))): it ends at one half (RDED).
    case halfCosine(total: Int)

    /// A rise from 0 over `warmup` steps, then constant, then a straight line down to 0 over the
    /// last `decay` of `total` steps: the constant part can be prolonged at any time.
    case trapezoid(warmup: Int, total: Int, decay: Int)

    /// The factor at a step (or epoch), counted from 0.
    public func factor(at step: Int) -> Double {
        switch self {
        case .constant:
            return 1
        case .multiStep(let milestones, let factor):
            return milestones.reduce(1) { step >= $1 ? $0 * factor : $0 }
        case .cosine(let warmup, let total, let floor):
            if step < warmup { return Double(step + 1) / Double(warmup) }
            let progress = Double(step - warmup) / Double(max(total - warmup, 1))
            return floor + (1 - floor) * 0.5 * (1 + cos(.pi * min(progress, 1)))
        case .trapezoid(let warmup, let total, let decay):
            let rise = warmup > 0 ? Double(step + 1) / Double(warmup) : 1
            let fall = decay > 0 ? Double(total - step) / Double(decay) : 1
            return max(min(rise, 1, fall), 0)
        case .halfCosine(let total):
            return 0.5 * (1 + cos(.pi * Double(step) / Double(total) / 2))
        }
    }
}
