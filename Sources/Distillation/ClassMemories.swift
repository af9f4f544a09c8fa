import NeuralNetworks
import Torch

/// The two memories of Minimax Diffusion for every class: the latest latents of real images (R)
/// and the latest predictions (Q), oldest overwritten first.
///
/// Both memories of a class lie in one matrix [2·capacity, d], so that one product with a batch
/// gives all similarities.
///
/// NB: its tensors are written in place and never part of a graph.
package final class ClassMemories {
    private struct Ring {
        /// R in the first half of the rows, Q in the second.
        let rows: Tensor
        /// 1/|row|.
        let reciprocalNorms: Tensor
        /// Number of rows filled in each half.
        var count = 0
        /// The next row that is written: the oldest one once the memory is full.
        var next = 0
    }

    /// Rows of each memory.
    package let capacity: Int
    private let latentShape: [Int]
    private let device: Device
    private var rings = [Int: Ring]()

    /// Makes empty memories.
    ///
    /// - Parameters:
    ///   - capacity: Entries of each memory of a class.
    ///   - latentShape: [C, H, W].
    ///   - device: Where the latents are.
    package init(capacity: Int, latentShape: [Int], device: Device) {
        self.capacity = capacity
        self.latentShape = latentShape
        self.device = device
    }

    private var dimension: Int { latentShape.reduce(1, *) }

    /// Cosines between predictions of one class and what its memories hold.
    ///
    /// - Parameters:
    ///   - predictions: [n, d], with their gradient.
    ///   - label: The class.
    /// - Returns: [n, m] to R and [n, m] to Q; nil as long as the memories are empty.
    func cosines(_ predictions: Tensor, label: Int) -> (real: Tensor, predicted: Tensor)? {
        guard let ring = rings[label], ring.count > 0 else { return nil }
        let norms = predictions.norm(axes: [1], keepingAxes: true)  // [n, 1]
        var x = (predictions / norms).matmul(ring.rows.transposed(0, 1))  // [n, 2·capacity]
        x = x * ring.reciprocalNorms
        return (
            real: x.sliced(0..<ring.count, along: 1),
            predicted: x.sliced(capacity..<capacity + ring.count, along: 1)
        )
    }

    /// Remembers latents and predictions of one class, [n, C, H, W] each.
    func append(real: Tensor, predicted: Tensor, label: Int) {
        withoutGradient {
            let total = real.size(along: 0)
            let kept = min(total, capacity)
            let newest = { (x: Tensor) in
                x.detached().sliced(total - kept..<total).reshaped(kept, self.dimension)
            }
            var ring = rings[label] ?? makeRing()
            for (half, rows) in [newest(real), newest(predicted)].enumerated() {
                let norms = rows.norm(axes: [1]).reciprocal()
                // Up to the end of the ring, and on from its beginning.
                let first = min(kept, capacity - ring.next)
                for part in [0..<first, first..<kept] where !part.isEmpty {
                    let start = half * capacity + (ring.next + part.lowerBound) % capacity
                    let places = start..<start + part.count
                    ring.rows[places].copy(from: rows[part])
                    ring.reciprocalNorms[places].copy(from: norms[part])
                }
            }
            ring.next = (ring.next + kept) % capacity
            ring.count = min(ring.count + kept, capacity)
            rings[label] = ring
        }
    }

    private func makeRing() -> Ring {
        Ring(
            rows: .zeros([2 * capacity, dimension], device: device),
            reciprocalNorms: .zeros([2 * capacity], device: device)
        )
    }

    /// What the memories of a class hold, oldest first: [m, C, H, W] each.
    package func contents(label: Int) -> (real: Tensor, predicted: Tensor)? {
        guard let ring = rings[label], ring.count > 0 else { return nil }
        let oldest = ring.count < capacity ? 0 : ring.next
        let places = (0..<ring.count).map { (oldest + $0) % capacity }
        let shape = [ring.count] + latentShape
        return (
            real: ring.rows.gathered(places).reshaped(shape),
            predicted: ring.rows.gathered(places.map { $0 + capacity }).reshaped(shape)
        )
    }

    /// Everything that must be saved, by name: the rings as they lie in memory, since the last bits
    /// of a matrix product depend on the order of its rows.
    func state() -> StateDictionary {
        var state = StateDictionary()
        for (label, ring) in rings.sorted(by: { $0.key < $1.key }) {
            state["\(label).rows"] = ring.rows
            state["\(label).reciprocal_norms"] = ring.reciprocalNorms
            state["\(label).position"] = Tensor([ring.count, ring.next])
        }
        return state
    }

    /// Restores what `state()` returned.
    func load(_ state: StateDictionary) throws(StateMismatchError) {
        rings = [:]
        for (name, position) in state where name.hasSuffix(".position") {
            let key = name.dropLast(".position".count)
            guard let label = Int(key), let rows = state["\(key).rows"],
                let norms = state["\(key).reciprocal_norms"]
            else {
                throw StateMismatchError(
                    subject: "the memories",
                    missing: ["\(key).rows or \(key).reciprocal_norms"]
                )
            }
            let ring = makeRing()
            guard rows.shape == ring.rows.shape, norms.shape == ring.reciprocalNorms.shape else {
                throw StateMismatchError(
                    subject: "the memories",
                    missing: [],
                    unexpected: [],
                    misshaped: ["\(key).rows expected \(ring.rows.shape), found \(rows.shape)"]
                )
            }
            ring.rows.copy(from: rows)
            ring.reciprocalNorms.copy(from: norms)
            let values: [Int] = position.values()
            rings[label] = Ring(
                rows: ring.rows,
                reciprocalNorms: ring.reciprocalNorms,
                count: values[0],
                next: values[1]
            )
        }
    }
}
