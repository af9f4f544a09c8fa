/// A method by the command's name of it, and what people call it.
package struct Method: Hashable, Comparable, Sendable {
    package var id: String

    package init(_ id: String) { self.id = id }

    private struct Entry {
        var id: String
        /// For axes and table cells.
        var short: String
        /// For headings above images.
        var long: String
        /// What a network is trained on, after a number: "100 …".
        var images: String
        var color: Palette.Color
    }

    /// In the order of every table and figure: what is chosen from real images, then what is made.
    private static let known: [Entry] = [
        Entry(
            id: "full",
            short: "All images",
            long: "All training images",
            images: "real images (the whole training set)",
            color: .grey
        ),
        Entry(
            id: "random",
            short: "Random",
            long: "Random real images",
            images: "random real images",
            color: .green
        ),
        Entry(
            id: "k-center",
            short: "K-Center",
            long: "Real images chosen by K-Center",
            images: "real images chosen by K-Center",
            color: .sky
        ),
        Entry(
            id: "herding",
            short: "Herding",
            long: "Real images chosen by herding",
            images: "real images chosen by herding",
            color: .yellow
        ),
        Entry(
            id: "dm",
            short: "DM",
            long: "Distribution matching (DM)",
            images: "images from distribution matching (DM)",
            color: .purple
        ),
        Entry(
            id: "idc-1",
            short: "IDC-1",
            long: "IDC-1",
            images: "images from IDC-1",
            color: .brown
        ),
        Entry(id: "idc", short: "IDC", long: "IDC", images: "images from IDC", color: .ink),
        Entry(id: "glad", short: "GLaD", long: "GLaD", images: "images from GLaD", color: .teal),
        Entry(
            id: "dit",
            short: "DiT",
            long: "DiT without the minimax criteria",
            images: "synthetic images from the DiT without the minimax criteria",
            color: .orange
        ),
        Entry(
            id: "minimax",
            short: "Minimax",
            long: "Minimax Diffusion",
            images: "synthetic images from Minimax Diffusion",
            color: .blue
        ),
    ]

    private var entry: Entry? { Self.known.first { $0.id == id } }
    private var rank: Int {
        // Methods that are not known stand last, after the package's own.
        Self.known.firstIndex { $0.id == id } ?? Self.known.count
    }

    /// Methods that are known from published numbers alone.
    private static let published = [
        "cao2": "CaO₂", "d3hr": "D³HR", "d4m": "D⁴M", "d4m-dit": "D⁴M, DiT", "dap": "DAP",
        "igd": "IGD", "ims3": "IMS³", "lgd": "LGD", "mgd3": "MGD³", "ot": "OT", "rded": "RDED",
        "rsm+cgs": "RSM+CGS", "sre2l": "SRe²L", "tgdd": "TGDD", "vlcp": "VLCP",
    ]

    package var shortName: String { entry?.short ?? Self.published[id] ?? id }
    package var longName: String { entry?.long ?? Self.published[id] ?? id }
    package var imagesPhrase: String { entry?.images ?? "images from '\(id)'" }
    package var color: Palette.Color { entry?.color ?? .vermillion }
    /// Whether its images are photographs of the source, unchanged.
    package var isReal: Bool { ["full", "random", "k-center", "herding"].contains(id) }

    package static func < (left: Method, right: Method) -> Bool {
        (left.rank, left.id) < (right.rank, right.id)
    }
}

/// What people call networks, classes, stages and logged numbers.
package enum Names {
    /// "convnet-3" → "ConvNet-3".
    package static func network(_ id: String) -> String {
        let families = [
            ("convnet", "ConvNet"), ("resnet-ap", "ResNetAP"), ("resnet", "ResNet"),
            ("mobilenet-v", "MobileNetV"), ("efficientnet-lite", "EfficientNet-Lite"),
        ]
        for (prefix, name) in families where id.hasPrefix(prefix) {
            return name + id.dropFirst(prefix.count)
        }
        return id
    }

    /// "00-t-shirt-top" → "T shirt top"; names without a number in front stay as they are.
    package static func className(_ folder: String) -> String {
        let digits = folder.prefix { $0.isASCII && $0.isNumber }
        let rest = folder.dropFirst(digits.count)
        guard !digits.isEmpty, rest.first == "-", rest.count > 1 else { return folder }
        return sentenceCase(rest.dropFirst().replacing("-", with: " "))
    }

    /// The epoch that counts, in words that follow an accuracy.
    ///
    /// - Parameter selections: Those that results name: `last`, `best`, `holdout`.
    /// - Returns: "after the last epoch".
    package static func epoch(_ selections: Set<String>) -> String {
        switch selections {
        case ["best"]: "at the best epoch, chosen on the test set as in published results"
        case ["holdout"]: "at the epoch chosen on held-out training images"
        case ["last"], []: "after the last epoch"
        default: "at the epoch that the settings specify"
        }
    }

    /// "finetune" → "Fine-tuning".
    package static func stage(_ id: String) -> String {
        let known = [
            "encode": "Encoding", "pretrain": "Pre-training", "finetune": "Fine-tuning",
            "sample": "Sampling", "baseline": "Baseline", "evaluate": "Evaluation",
        ]
        if let name = known[id] { return name }
        // Compound stages such as "evaluate-minimax" or "baseline random" keep their second half.
        if let separator = id.firstIndex(where: { "-/: ".contains($0) }),
            let name = known[String(id[..<separator])]
        {
            let rest = String(id[id.index(after: separator)...])
            return "\(name), \(Method(rest).shortName)"
        }
        return sentenceCase(id)
    }

    /// "gradientNorm" → "Gradient norm".
    package static func key(_ id: String) -> String {
        var words = ""
        for character in id {
            if character.isUppercase {
                words += words.isEmpty || words.hasSuffix(" ") ? "" : " "
                words += character.lowercased()
            } else {
                words.append(character == "_" || character == "-" ? " " : character)
            }
        }
        return sentenceCase(words)
    }

    private static func sentenceCase(_ text: some StringProtocol) -> String {
        text.prefix(1).uppercased() + text.dropFirst()
    }
}
