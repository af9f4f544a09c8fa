import Torch

/// The weights of a known model inside a checkpoint.
public struct RecognizedWeights: Sendable {
    /// How the checkpoint names the tensors.
    public let layout: WeightLayout
    /// The dictionary of a training checkpoint in which they lie, `ema` for example; empty at the
    /// top.
    public let group: String
    /// What the shapes say about the model.
    public let sizes: ModelSizes
    /// Names among those of the model that have no place in it.
    public let unknownNames: [String]
    /// Names in the same dictionary beside the model: other parts of a larger one.
    public let otherNames: [String]
    /// Parts of tensors that are missing or do not fit each other, in words.
    public let problems: [String]
    let tensors: [ImportedTensor]

    /// Number of values of the model; the largest integer if there are more.
    public var parameterCount: Int {
        var total = 0
        // An axis of size 0 would come too late where the product of those before it overflows.
        for shape in tensors.map(\.shape) where !shape.contains(0) {
            var count = 1
            for size in shape {
                let (product, overflow) = count.multipliedReportingOverflow(by: size)
                guard !overflow else { return .max }
                count = product
            }
            let (sum, overflow) = total.addingReportingOverflow(count)
            guard !overflow else { return .max }
            total = sum
        }
        return total
    }

    /// The names that the models here have for the tensors, with their shapes.
    public var nativeShapes: [(name: String, shape: [Int])] { tensors.map { ($0.name, $0.shape) } }
}

extension Checkpoint {
    /// Dictionaries of training checkpoints in the order in which their weights are preferred: the
    /// average, as the reference samples from it, then the plain ones.
    static let preferredGroups = ["ema", "", "model", "state_dict", "module", "model_state_dict"]

    /// The dictionaries that hold tensors, with "/" between their keys; "" for the top.
    public var groups: [String] {
        var groups = [String]()
        var known = Set<String>()
        for entry in entries {
            let group = Checkpoint.group(of: entry.name)
            if known.insert(group).inserted { groups.append(group) }
        }
        return groups
    }

    /// Finds the weights of a known model.
    ///
    /// - Parameter group: The dictionary to look in; of several with weights the average (`ema`)
    ///   if it is not given.
    /// - Returns: The weights; nil if no known model is found.
    public func recognizedWeights(in group: String? = nil) -> RecognizedWeights? {
        let preferred = Checkpoint.preferredGroups
        let groups =
            group.map { [$0] }
            ?? self.groups.enumerated().sorted { first, second in
                let rank = { preferred.firstIndex(of: $0) ?? preferred.count }
                return (rank(first.element), first.offset) < (rank(second.element), second.offset)
            }.map(\.element)
        let members = Dictionary(grouping: entries) { Checkpoint.group(of: $0.name) }
        for group in groups {
            if let weights = recognized(group, members[group, default: []]) { return weights }
        }
        return nil
    }

    /// Reads the weights of a known model by their native names.
    ///
    /// - Parameter weights: What `recognizedWeights(in:)` found.
    /// - Returns: The tensors. The table of positions of a DiT is computed where the file has none.
    /// - Throws: `CheckpointError` if parts are missing or do not fit, if repeated tensors differ,
    ///   if there are tensors that are no part of the model, or if no table of positions can be
    ///   computed.
    public func state(_ weights: RecognizedWeights) throws(CheckpointError) -> StateDictionary {
        try checkWholeness(weights)
        var state = StateDictionary()
        for tensor in weights.tensors { state[tensor.name] = try combined(tensor) }
        if case .dit(let sizes) = weights.sizes, state["pos_embed"] == nil {
            guard sizes.hiddenSize.isMultiple(of: 4) else {
                throw CheckpointError(
                    .unsupported,
                    file: url.path,
                    "The weights of a DiT have no table of positions, and none can be computed for "
                        + "tokens of width \(sizes.hiddenSize): a multiple of 4 is needed.",
                    remedy: "Use weights of another width, or a file with pos_embed."
                )
            }
            state["pos_embed"] = PositionTable.sineCosine(
                side: sizes.inputSize / sizes.patchSize,
                width: sizes.hiddenSize
            )
        }
        return state
    }

    /// Throws if tensors of a model are missing, do not fit, or are too many.
    private func checkWholeness(_ weights: RecognizedWeights) throws(CheckpointError) {
        guard !weights.problems.isEmpty || !weights.unknownNames.isEmpty else { return }
        let unknown = CheckpointError.list(weights.unknownNames)
        let misplaced =
            weights.unknownNames.isEmpty ? [] : ["\(unknown) have no place in the model"]
        let reasons = (weights.problems + misplaced).prefix(5).joined(separator: "; ")
        let message = "The weights look like \(weights.layout.title), but \(reasons)."
        guard weights.problems.isEmpty else { throw .malformed(url.path, message) }
        // Whole, but more than the model: nothing is gained by copying the file again.
        throw CheckpointError(
            .unsupported,
            file: url.path,
            message,
            remedy: "Remove these tensors from the file, or choose another of its dictionaries "
                + "(distill convert --weights NAME)."
        )
    }

    /// One native tensor out of its parts or copies.
    private func combined(_ tensor: ImportedTensor) throws(CheckpointError) -> Tensor {
        let parts = tensor.sources.compactMap { self[$0] }
        guard let first = parts.first, parts.count == tensor.sources.count else {
            throw .malformed(url.path, "A part of \(tensor.name) is missing.")
        }
        switch tensor.kind {
        case .same, .computed: return first
        case .pointwise: return first.reshaped(tensor.shape)
        case .joined: return .concatenated(parts)
        case .repeated:
            for (name, copy) in zip(tensor.sources, parts).dropFirst()
            where !copy.elementsEqual(first) {
                throw .malformed(
                    url.path,
                    "\(tensor.sources[0]) and \(name) differ, but both are the \(tensor.name) of "
                        + "one model."
                )
            }
            return first
        }
    }

    private func recognized(
        _ group: String,
        _ members: [Checkpoint.Entry]
    ) -> RecognizedWeights? {
        let path = group.isEmpty ? "" : group + "/"
        let names = Set(members.map { $0.name.dropFirst(path.count) })
        for layout in WeightLayout.inOrder {
            for prefix in WeightLayout.wrappers + layout.prefixes
            where layout.signature.allSatisfy({ names.contains("\(prefix)\($0)") }) {
                let whole = path + prefix
                // Inside of a larger model, the rest of it is no concern here.
                let own = members.filter { entry in
                    entry.name.hasPrefix(whole)
                        && !layout.ignored.contains { entry.name.hasPrefix(whole + $0) }
                }
                let inside = Set(own.map(\.name))
                let found = layout.table.imported(own, prefix: whole)
                let className = layout == .diffusersDiT ? "DiTTransformer2DModel" : "AutoencoderKL"
                let settings = ModelSettings(beside: url, className: className)
                guard let sizes = ModelSizes.sizes(layout, found.tensors, settings: settings)
                else { continue }
                return RecognizedWeights(
                    layout: layout,
                    group: group,
                    sizes: sizes,
                    unknownNames: found.unknown,
                    otherNames: members.map(\.name).filter { !inside.contains($0) },
                    problems: found.problems,
                    tensors: found.tensors
                )
            }
        }
        return nil
    }

    private static func group(of name: String) -> String {
        name.lastIndex(of: "/").map { String(name[..<$0]) } ?? ""
    }
}

extension Tensor {
    /// Whether shape, type and every byte are the same.
    fileprivate func elementsEqual(_ other: Tensor) -> Bool {
        shape == other.shape && dtype == other.dtype && bytes() == other.bytes()
    }
}
