/// A noisy series as its moving mean with the spread around it, thinned to what a figure can show.
struct Smoothing {
    /// Number of neighbouring values that each mean is taken over; odd.
    var window: Int
    /// The mean and the population deviation of the values around each kept position.
    var points: [Chart.Point]

    /// Smooths values over a tenth of their number and keeps some hundreds of them.
    ///
    /// The window grows from the first value on, since a training starts steeply; at the end it
    /// loses its right half, so that the last point is a mean as well.
    /// Exact values, such as a learning rate, are thinned only.
    init(_ values: [(x: Double, y: Double)], isNoisy: Bool = true) {
        let half = isNoisy ? values.count / 20 : 0
        window = 2 * half + 1
        let stride = max(1, values.count / 240)
        let lastIndex = values.count - 1
        points = values.indices.compactMap { index in
            guard index % stride == 0 || index == lastIndex else { return nil }
            let reach = min(half, index)
            let near = values[index - reach...min(index + reach, lastIndex)].map(\.y)
            let mean = near.reduce(0, +) / Double(near.count)
            let variance = near.map { ($0 - mean) * ($0 - mean) }.reduce(0, +) / Double(near.count)
            return Chart.Point(
                values[index].x,
                mean,
                deviation: reach > 0 ? variance.squareRoot() : nil
            )
        }
    }
}
