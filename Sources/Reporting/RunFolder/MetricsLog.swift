import Foundation

/// The numbers of one logged step.
package struct MetricsRecord: Equatable, Sendable {
    /// What was going on, such as "pretrain", "finetune" or "evaluate".
    package var stage: String
    /// The method whose images are evaluated, where there is one.
    package var method: String?
    /// The network that is evaluated, where there is one.
    package var network: String?
    /// Every finite number of the line, by its key.
    package var numbers: [String: Double]

    package subscript(key: String) -> Double? { numbers[key] }

    init?(_ value: JSONValue) {
        guard case .object(let members) = value, let stage = members["stage"]?.string else {
            return nil
        }
        self.stage = stage
        method = members["method"]?.string
        network = members["network"]?.string
        numbers = members.compactMapValues(\.number)
    }

    /// What makes two lines the same step: a resumed run logs some steps a second time.
    fileprivate var identity: [String]? {
        let position = ["step", "epoch", "seed", "imagesPerClass"].map { numbers[$0] }
        guard position[0] != nil || position[1] != nil else { return nil }
        return [stage, method ?? "", network ?? ""] + position.map { "\($0 ?? -1)" }
    }
}

/// What `metrics.jsonl` holds, each step once.
package struct MetricsLog: Sendable {
    /// The records, in order of their first appearance, with the values of their last.
    package private(set) var records: [MetricsRecord] = []
    /// Whether the last line was cut off in the middle, as by a power cut.
    package private(set) var endsTorn = false

    init() {}

    static func read(_ file: RunFile) throws -> MetricsLog {
        let data = try file.data()
        let endsWithNewline = data.last == UInt8(ascii: "\n")
        let lines = data.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        let decoder = JSONDecoder()
        var log = MetricsLog()
        var positions: [[String]: Int] = [:]
        for (index, line) in lines.enumerated() {
            if line.allSatisfy({ $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\r") }) { continue }
            guard let value = try? decoder.decode(JSONValue.self, from: line),
                let record = MetricsRecord(value)
            else {
                if index == lines.count - 1, !endsWithNewline {
                    log.endsTorn = true
                    continue
                }
                throw ReportError.malformed(
                    file.path,
                    "line \(index + 1) is not a JSON object with a \"stage\"",
                    remedy: "Remove that line; the curves are drawn from the others."
                )
            }
            if let identity = record.identity {
                if let position = positions[identity] {
                    log.records[position] = record
                    continue
                }
                positions[identity] = log.records.count
            }
            log.records.append(record)
        }
        return log
    }

    /// The records of a stage that count steps, in order of their steps.
    package func steps(of stage: String) -> [MetricsRecord] {
        records.filter { $0.stage == stage && $0["step"] != nil }
            .sorted { ($0["step"] ?? 0) < ($1["step"] ?? 0) }
    }
}
