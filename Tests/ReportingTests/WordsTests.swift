import Reporting
import Testing

@Suite("Words")
struct WordsTests {
    /// Units are kept beside their numbers; tests are easier to read with plain blanks.
    private func plain(_ text: String) -> String {
        text.replacing(Words.space, with: " ")
    }

    @Test(
        "Durations are in the units that people use",
        arguments: [
            (0, "0 s"), (0.3571, "0.36 s"), (7.25, "7.2 s"), (9.96, "10.0 s"), (38.24, "38.2 s"),
            (99.96, "1 min 40 s"), (500, "8 min 20 s"), (3599.6, "1 h 00 min"),
            (3720, "1 h 02 min"), (360_000, "100 h 00 min"), (.nan, "–"), (-1, "–"),
        ] as [(Double, String)]
    )
    func durations(_ seconds: Double, _ words: String) {
        #expect(plain(Words.duration(seconds)) == words)
    }

    @Test(
        "Sizes are in powers of a thousand",
        arguments: [
            (0, "0 bytes"), (600_000_000, "600 MB"), (1_210_000_000, "1.21 GB"),
            (999_600, "1.00 MB"), (5.5e15, "5500 TB"),
        ] as [(Double, String)]
    )
    func sizes(_ bytes: Double, _ words: String) {
        #expect(plain(Words.bytes(bytes)) == words)
    }

    @Test("Accuracies are percent with one decimal, with the deviation where it is known")
    func percent() {
        #expect(plain(Words.percent(0.784, deviation: 0.0061)) == "78.4 % ± 0.6")
        #expect(plain(Words.percent(1, deviation: nil)) == "100.0 %")
    }

    @Test("Large numbers have separators")
    func counts() {
        #expect(Words.count(60_000) == "60,000")
        #expect(Words.count(-1_234_567) == "−1,234,567")
        #expect(Words.count(999) == "999")
        #expect(Words.count(1, "image") == "1 image")
        #expect(Words.number(0.000_123_456_7) == "0.000123457")
        #expect(Words.number(12) == "12")
        #expect(Words.list(["a", "b", "c"]) == "a, b and c")
    }

    @Test("Folder names of classes read as names")
    func classNames() {
        #expect(Names.className("00-t-shirt-top") == "T shirt top")
        #expect(Names.className("n02086240") == "n02086240")
        #expect(Names.className("7") == "7")
        #expect(Names.className("golden-retriever") == "golden-retriever")
    }

    @Test("Networks, stages and keys read as names")
    func otherNames() {
        #expect(Names.network("convnet-3") == "ConvNet-3")
        #expect(Names.network("resnet-ap-10") == "ResNetAP-10")
        #expect(Names.network("resnet-18") == "ResNet-18")
        #expect(Names.network("mobilenet-v2") == "MobileNetV2")
        #expect(Names.network("efficientnet-lite0") == "EfficientNet-Lite0")
        #expect(Names.stage("baseline dit") == "Baseline, DiT")
        #expect(Names.stage("finetune") == "Fine-tuning")
        #expect(Names.key("gradientNorm") == "Gradient norm")
    }

    @Test("Methods have one order everywhere, unknown ones last")
    func methodOrder() {
        let ids = ["zeta", "minimax", "dit", "random", "alpha", "herding"]
        #expect(
            ids.map(Method.init).sorted().map(\.id)
                == ["random", "herding", "dit", "minimax", "alpha", "zeta"]
        )
    }

    private func accuracy(_ values: [Double]) -> AccuracyResult.Accuracy {
        let mean = values.reduce(0, +) / Double(values.count)
        return .init(
            values: values,
            mean: mean,
            sampleDeviation: Significance.deviation(values)
        )
    }

    // Probabilities by scipy.stats.ttest_ind(equal_var=False): 0.062, 0.027, 0.0036.
    @Test(
        "A difference that the seeds may explain is none, however small their spread",
        arguments: [
            ([0.70, 0.71, 0.72], [0.679, 0.689, 0.699], false),
            ([0.70, 0.71, 0.72, 0.73, 0.74], [0.673, 0.683, 0.693, 0.703, 0.713], true),
            ([0.74, 0.75, 0.76], [0.69, 0.70, 0.71], true), ([0.75, 0.75], [0.70, 0.70], true),
            ([0.75, 0.75], [0.75, 0.75], false),
        ]
    )
    func comparisons(high: [Double], low: [Double], isDifferent: Bool) {
        let (high, low) = (accuracy(high), accuracy(low))
        let difference = high.mean - low.mean
        #expect(
            Comparison(high, low)
                == (isDifferent ? .higher(by: difference) : .withinNoise(difference: difference))
        )
        #expect(
            Comparison(low, high)
                == (isDifferent ? .lower(by: difference) : .withinNoise(difference: -difference))
        )
    }

    @Test("Comparisons are said without claiming what chance could explain")
    func comparisonSentences() {
        let low = accuracy([0.69, 0.70, 0.71])
        #expect(
            Comparison(accuracy([0.735, 0.745, 0.755]), low).sentence("A", "B")
                == "A is 4.5 percentage points above B, more than the seeds explain (Welch's test, p < 0.05)."
        )
        #expect(
            Comparison(accuracy([0.695, 0.705, 0.715]), low).sentence("A", "B")
                == "The difference of 0.5 percentage points between A and B may be due to the seeds (Welch's test, p ≥ 0.05): neither is shown to be better."
        )
        #expect(
            Comparison(accuracy([0.6]), low).sentence("A", "B")
                == "A is 10.0 percentage points below B, but with a single seed the spread is unknown, so this may be due to chance."
        )
    }
}
