extension EvaluationResult {
    /// Whether the other result is of the same measurement, apart from its seeds.
    public func isSameMeasurement(as other: EvaluationResult) -> Bool {
        method == other.method && imagesPerClass == other.imagesPerClass
            && network == other.network && evaluationProtocol == other.evaluationProtocol
            && train.fingerprint == other.train.fingerprint
            && test.fingerprint == other.test.fingerprint && epochs == other.epochs
            && evaluations == other.evaluations && precision == other.precision
            && device == other.device && (selection ?? .last) == (other.selection ?? .last)
            && teacher?.digest == other.teacher?.digest && choice == other.choice
    }

    /// The result of both, for the same measurement with other seeds.
    ///
    /// - Parameter other: The later one; its seeds come last.
    /// - Returns: Every accuracy, the summed confusion matrix and time, and the larger memory; nil if
    ///   it is another measurement or they have a seed in common.
    public func joined(with other: EvaluationResult) -> EvaluationResult? {
        guard isSameMeasurement(as: other), Set(seeds).isDisjoint(with: other.seeds) else {
            return nil
        }
        func both<Value, Joined>(
            _ path: KeyPath<EvaluationResult, Value?>,
            _ join: (Value, Value) -> Joined
        ) -> Joined? {
            guard let mine = self[keyPath: path], let theirs = other[keyPath: path] else {
                return nil
            }
            return join(mine, theirs)
        }
        let count = Double(seeds.count)
        let otherCount = Double(other.seeds.count)
        return EvaluationResult(
            method: method,
            imagesPerClass: imagesPerClass,
            network: network,
            evaluationProtocol: evaluationProtocol,
            classes: classes,
            train: train,
            test: test,
            seeds: seeds + other.seeds,
            epochs: epochs,
            evaluations: evaluations,
            precision: precision,
            device: device,
            last: Accuracy(last.values + other.last.values),
            best: Accuracy(best.values + other.best.values),
            selection: selection,
            selected: both(\.selected) { Accuracy($0.values + $1.values) },
            heldBackImages: heldBackImages,
            choice: choice,
            teacher: teacher,
            classNames: classNames,
            perClass: both(\.perClass) { mine, theirs in
                zip(mine, theirs).map { ($0 * count + $1 * otherCount) / (count + otherCount) }
            },
            confusion: both(\.confusion) { mine, theirs in
                zip(mine, theirs).map { zip($0, $1).map(+) }
            },
            seconds: seconds + other.seconds,
            peakMemoryBytes: max(peakMemoryBytes, other.peakMemoryBytes)
        )
    }
}
