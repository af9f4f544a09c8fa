import Datasets
import Distillation
import Evaluation
import Yams

/// A value that does not fit its setting.
struct SettingFault {
    /// The path of the setting.
    let path: [String]
    /// The value.
    let node: Node?
    /// What would fit, and what was found.
    let description: String

    /// Finds out what is wrong.
    ///
    /// - Parameters:
    ///   - error: Why the settings cannot be decoded.
    ///   - tree: The settings.
    ///   - usual: Settings that fit, for an example.
    init(_ error: DecodingError, in tree: Node, usual: Node?) {
        let context: DecodingError.Context? =
            switch error {
            case .typeMismatch(_, let context), .valueNotFound(_, let context),
                .keyNotFound(_, let context), .dataCorrupted(let context):
                context
            @unknown default: nil
            }
        var path = [String]()
        var (node, example): (Node?, Node?) = (tree, usual)
        for key in context?.codingPath ?? [] {
            if let index = key.intValue {
                // One of the values of a list.
                let values: [Node] = (node?.sequence).map { Array($0) } ?? []
                node = values.indices.contains(index) ? values[index] : nil
                example = nil
            } else {
                path.append(key.stringValue)
                let name = key.stringValue
                (node, example) = (node?.mapping?[name], example?.mapping?[name])
            }
        }
        self.path = path
        self.node = node
        let expected: String =
            switch error {
            case .typeMismatch(let type, _), .valueNotFound(let type, _):
                SettingFault.words(for: type, usual: example)
            case .keyNotFound(let key, _): "the setting \(key.stringValue)"
            default:
                SettingFault.choice(context?.debugDescription ?? "") ?? "another value"
            }
        description = "expected \(expected), found \(SettingFault.words(for: node))."
    }

    /// What a value is, for people.
    static func words(for node: Node?) -> String {
        switch node {
        case .scalar(let scalar)?: return scalar.string.isEmpty ? "nothing" : scalar.string
        case .mapping?: return "a group of settings"
        case .sequence(let values)?:
            let texts = values.compactMap { $0.scalar?.string }
            return texts.count == values.count ? "[\(texts.joined(separator: ", "))]" : "a list"
        case .alias?, nil: return "something else"
        }
    }

    private static func words(for type: Any.Type, usual: Node?) -> String {
        if type == Node.Sequence.self {
            let values = usual?.sequence?.compactMap { $0.scalar?.string } ?? []
            return values.isEmpty ? "a list" : "a list, such as [\(values.joined(separator: ", "))]"
        }
        if type == Bool.self { return "true or false" }
        if type == Double.self || type == Float.self { return "a number" }
        if type is any BinaryInteger.Type { return "a whole number" }
        return "a single value"
    }

    /// The names of which a setting takes one.
    ///
    /// - Parameter message: Of the standard library: "Cannot initialize TYPE from invalid …".
    /// - Returns: "a, b or c"; nil for another message.
    private static func choice(_ message: String) -> String? {
        let words = message.split(separator: " ")
        guard words.count > 2, words[0] == "Cannot" else { return nil }
        return choices[String(words[2])].map { StrictYAML.listed($0, "or") }
    }

    /// The names that settings take, by the type of the setting.
    private static let choices: [String: [String]] = {
        func names<Setting: CaseIterable & RawRepresentable>(
            _ type: Setting.Type
        ) -> (String, [String]) where Setting.RawValue == String {
            ("\(type)", type.allCases.map(\.rawValue))
        }
        return Dictionary(
            [
                names(DataSource.Format.self), names(IDXDataset.Split.self),
                names(ModelSettings.LabelTable.self), names(SampleSettings.Method.self),
                names(SampleSettings.GuidedChannels.self),
                names(CoresetSettings.RandomRule.self), names(CoresetSelection.Start.self),
                names(ImageInitialization.self), names(MultiFormation.Mode.self),
                names(GradientMatching.Distance.self), names(GradientMatching.Layers.self),
                names(GLaD.Objective.self), names(ImageChoice.self),
                names(EvaluationOptions.Selection.self),
            ],
            uniquingKeysWith: { first, _ in first }
        )
    }()
}
