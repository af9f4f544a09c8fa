import Evaluation
import Models
import Testing
import Training

@Suite("The protocols' names and rules")
struct ProtocolVariationTests {
    @Test("every name leads to its protocol", arguments: EvaluationProtocol.all.map(\.id))
    func names(_ id: String) throws {
        #expect(try EvaluationProtocol.named(id).id == id)
    }

    @Test("variations are part of the name, in fixed order")
    func variations() throws {
        let proto = try EvaluationProtocol.named(
            "rded-soft-300+temperature=4+patches=1+size=64+batch=10+epochs=30"
        )
        #expect(proto.id == "rded-soft-300+size=64+epochs=30+batch=10+temperature=4+patches=1")
        #expect(try EvaluationProtocol.named(proto.id) == proto)
        #expect(proto.imageSize == 64)
        #expect(proto.testShortSide == 72)
        #expect(proto.labels == .soft(temperature: 4))
        #expect(proto.augmentation.cropSize == 64)
        #expect(proto.augmentation.patchGrid == 1)
        #expect(proto.augmentation.cropScale == 1...1)
        #expect(proto.epochs(imagesPerClass: 10, classCount: 10) == 30)
        #expect(proto.optimization(classCount: 10).batchSize == 10)
    }

    @Test(
        "impossible variations are refused with the reason",
        arguments: [
            ("gu-hard-23", "expected one of gu-hard-28"), ("gu-hard-28+size=32", "as they are"),
            ("gu-hard-64+temperature=3", "labels are hard"), ("gu-hard-64+epochs", "a value"),
            ("rded-soft-300+temperature=inf", "at most a billion"),
            ("gu-hard-64+epochs=0", "above 0"), ("gu-hard-64+epochs=2.5", "whole number"),
            ("gu-hard-64+batch=2+batch=3", "each name once"), ("fkd-300+patches=2", "no patches"),
            ("fkd-300+color=2", "expected size"), ("fkd-300+augmentation=more", "expected none"),
            ("rded-soft-300+patches=1+augmentation=none", "leaves images whole"),
        ]
    )
    func refusals(_ id: String, _ reason: String) {
        let error = #expect(throws: TrainingError.self) { try EvaluationProtocol.named(id) }
        #expect(error?.message.contains(reason) == true)
    }

    @Test("the settings of RDED, SRe2L and DM are theirs")
    func rules() {
        let rded = EvaluationProtocol.rdedSoft300
        #expect(rded.labels == .soft(temperature: 20))
        #expect(rded.testShortSide == 256)
        #expect(rded.augmentation.patchGrid == 2)
        #expect(rded.epochs(imagesPerClass: 10, classCount: 10) == 300)
        let batches = [(1, 10), (10, 10), (50, 10), (1, 100), (10, 100), (50, 1000)].map {
            rded.optimization(classCount: $1, imagesPerClass: $0).batchSize
        }
        #expect(batches == [10, 50, 100, 20, 100, 200])
        let update = rded.optimization(classCount: 10)
        #expect(update.update == .adamW)
        #expect(update.schedule == .halfCosine)
        #expect((update.learningRate, update.weightDecay) == (0.001, 0.01))

        let mobile = rded.optimization(classCount: 10, network: .mobileNetV2)
        #expect(mobile.learningRate == 0.0025)

        let fkd = EvaluationProtocol.fkd300
        #expect(fkd.labels == .storedSoft(temperature: 20, imageSeed: 42))
        #expect(fkd.optimization(classCount: 10).schedule == .cosine)
        #expect(fkd.optimization(classCount: 10).batchSize == 1024)

        let dsa = EvaluationProtocol.dsa28
        #expect(dsa.epochs(imagesPerClass: 10, classCount: 10) == 1000)
        #expect(!dsa.usesCutMix)
        #expect(dsa.siamese == .published)
        #expect(dsa.optimization(classCount: 10).batchSize == 256)
        #expect(dsa.optimization(classCount: 10).decayFactor == 0.1)
    }

    @Test("without augmentation images stay as they are", arguments: EvaluationProtocol.all)
    func plain(_ usual: EvaluationProtocol) throws {
        let plain = try EvaluationProtocol.named(usual.id + "+augmentation=none")
        #expect(plain.id == usual.id + "+augmentation=none")
        #expect(plain.augmentation == .none)
        #expect(plain.siamese == nil)
        #expect(!plain.usesCutMix)
        #expect(plain.labels == usual.labels)
        #expect(usual.augmentation != .none || usual.siamese != nil)
    }

    @Test("what a variation leaves as it is is not part of the name")
    func usualVariations() throws {
        #expect(try EvaluationProtocol.named("gu-hard-224+size=224").id == "gu-hard-224")
        let rded = try EvaluationProtocol.named("rded-soft-300+temperature=20+patches=2")
        #expect(rded == .rdedSoft300)
        let whole = try EvaluationProtocol.named("rded-soft-300+patches=1+epochs=2")
        #expect(whole.withoutAugmentation.id == "rded-soft-300+epochs=2+augmentation=none")
        let proto = try EvaluationProtocol.named("gu-hard-28+batch=64+epochs=2000")
        func name(_ epochs: Int, _ imagesPerClass: Int) throws -> String {
            proto.name(
                epochs: epochs,
                imagesPerClass: imagesPerClass,
                classCount: 10,
                network: try NetworkName("convnet-3")
            )
        }
        #expect(try name(2000, 10) == "gu-hard-28")
        #expect(try name(2000, 50) == "gu-hard-28+epochs=2000")
        let other = try EvaluationProtocol.named("dm-dsa-28+batch=64")
        let network = try NetworkName("convnet-3")
        #expect(
            other.name(epochs: 5, imagesPerClass: 10, classCount: 10, network: network)
                == "dm-dsa-28+epochs=5+batch=64"
        )
    }

    @Test("the learning rates fall as the schedules say")
    func schedules() {
        var options = TrainingOptions(epochs: 10, learningRate: 1, decayFactor: 0.1)
        options.schedule = .oneStep
        #expect((0..<10).map(options.learningRate) == [1, 1, 1, 1, 1, 1, 0.1, 0.1, 0.1, 0.1])
        options.schedule = .cosine
        #expect(options.learningRate(atEpoch: 0) == 1)
        #expect(abs(options.learningRate(atEpoch: 5) - 0.5) < 1e-12)
        options.schedule = .halfCosine
        #expect(abs(options.learningRate(atEpoch: 5) - 0.853_553_390_593) < 1e-9)
    }

    @Test("looks begin where the protocol says, and the last epoch is among them")
    func looks() {
        let options = TrainingOptions(epochs: 300, evaluations: 30, firstLook: 0.8)
        let looks = (1...300).filter(options.looksAtTestSet)
        #expect(looks == [250, 260, 270, 280, 290, 300])
    }
}
