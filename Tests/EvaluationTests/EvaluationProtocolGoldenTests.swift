import Evaluation
import TestSupport
import Testing
import Training

@Suite("The protocol has the published numbers", .tags(.golden))
struct EvaluationProtocolGoldenTests {
    @Test("epochs by images per class match")
    func epochs() throws {
        let table = try Golden("schedules")["expected.ipc_epoch"]
        let rows: [Int] = table.values()
        #expect(rows.count >= 5)
        for start in stride(from: 0, to: rows.count, by: 5) {
            // The reference counts the images that its multi-formation makes of each stored one.
            let (factor, bound) = (max(rows[start + 1], 1), rows[start + 3])
            var imagesPerClass = rows[start] * factor * factor
            if bound > 0 { imagesPerClass = min(imagesPerClass, bound) }
            let epochs = EvaluationProtocol.epochs(
                imagesPerClass: imagesPerClass,
                classCount: rows[start + 2]
            )
            #expect(epochs == rows[start + 4], "row \(rows[start..<start + 5])")
        }
    }

    @Test("names lead to protocols, and unknown ones to an error with the names there are")
    func names() throws {
        #expect(try EvaluationProtocol.named("gu-hard-28") == .guHard28)
        let error = #expect(throws: TrainingError.self) {
            try EvaluationProtocol.named("gu-hard-29")
        }
        #expect(error?.message.contains("gu-hard-28") == true)
    }
}
