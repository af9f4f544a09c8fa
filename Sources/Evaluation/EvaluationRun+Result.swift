import Training

extension EvaluationRun {
    /// Confusion matrices of more classes are not kept in results.
    private static let mostClasses = 100

    /// What was measured, when all seeds are done.
    var result: EvaluationResult {
        let identity = plan.identity
        let selection = plan.options.selection
        let (last, best) = (
            EvaluationResult.Accuracy(record.finished.compactMap(\.last)),
            EvaluationResult.Accuracy(record.finished.compactMap(\.best))
        )
        let confusion = summedConfusion
        return EvaluationResult(
            method: identity.method,
            imagesPerClass: plan.imagesPerClass,
            network: identity.network,
            evaluationProtocol: identity.evaluationProtocol,
            classes: plan.train.classCount,
            train: identity.train,
            test: identity.test,
            seeds: identity.seeds,
            epochs: identity.epochs,
            evaluations: (1...identity.epochs).count(
                where: plan.trainingOptions(seed: 0).looksAtTestSet
            ),
            precision: identity.precision.rawValue,
            device: identity.device,
            last: last,
            best: best,
            selection: selection,
            selected: selection == .holdout
                ? .init(record.finished.compactMap(\.chosenOnHeldBack)) : nil,
            heldBackImages: plan.heldBack?.count,
            choice: plan.options.choice,
            teacher: plan.teacher?.record,
            classNames: plan.train.classNames,
            perClass: confusion.enumerated().map { label, row in
                Double(row[label]) / Double(max(row.reduce(0, +), 1))
            },
            confusion: confusion.count <= Self.mostClasses ? confusion : nil,
            seconds: record.seconds,
            peakMemoryBytes: record.peakMemoryBytes
        )
    }

    /// Test images by their class (row) and the class that was found (column), over all seeds.
    private var summedConfusion: [[Int]] {
        record.finished.dropFirst().reduce(record.finished.first?.confusion ?? []) { sum, run in
            zip(sum, run.confusion).map { zip($0, $1).map(+) }
        }
    }
}
