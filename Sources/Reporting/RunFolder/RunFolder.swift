import Foundation

/// Everything a report needs of a run folder, read once and checked.
package struct RunFolder: Sendable {
    package var url: URL
    package var recipe: String?
    package var provenance: JSONValue?
    package var metrics: MetricsLog?
    package var results: Results?
    package var surrogate: ImageSet?
    package var baselines: [ImageSet]
    /// Similar real images, where they were looked for.
    package var neighbours: NeighbourFile?

    /// The folder's own name, such as "fashion-mnist-demo".
    package var name: String { url.standardizedFileURL.lastPathComponent }

    package init(_ url: URL) throws {
        self.url = url
        let path = url.path(percentEncoded: false)
        var isFolder: ObjCBool = false
        guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder),
            isFolder.boolValue
        else {
            throw ReportError(
                .notARunFolder,
                "\(path): there is no such folder. Give the folder that 'distill run' wrote."
            )
        }

        func file(_ name: String) -> RunFile? {
            let file = RunFile(url: url.appending(path: name))
            return file.exists ? file : nil
        }
        recipe = try file("recipe.resolved.yaml")?.text()
        provenance = try file("provenance.json")?.decoded(JSONValue.self)
        metrics = try file("metrics.jsonl").map(MetricsLog.read)
        results = try file("results.json").map(Results.read)
        baselines = ImageSet.folders(in: url.appending(path: "baselines"))
            .map(\.lastPathComponent)
            .compactMap { ImageSet(method: $0, place: "baselines/\($0)", in: url) }
        surrogate = ImageSet(
            method: Self.surrogateMethod(results, baselines: baselines),
            place: "surrogate",
            in: url
        )
        neighbours = try file("neighbours.json")?.decoded(NeighbourFile.self)

        let found: [Any?] = [recipe, provenance, metrics, results, surrogate, baselines.first]
        guard found.contains(where: { $0 != nil }) else {
            throw ReportError(
                .notARunFolder,
                """
                \(path): this is not a run folder: expected at least one of recipe.resolved.yaml, \
                provenance.json, metrics.jsonl, results.json, surrogate/ and baselines/. Give the \
                folder that 'distill run' wrote.
                """
            )
        }
    }

    /// The method of `surrogate/`: the one among the results that is no baseline.
    private static func surrogateMethod(_ results: Results?, baselines: [ImageSet]) -> String {
        let known = Set(baselines.map(\.method))
        let others = Set((results?.results ?? []).map(\.method)).subtracting(known)
        return others.count == 1 ? others.first ?? "minimax" : "minimax"
    }

    /// All sets of images in the order in which figures and tables show their methods.
    package var imageSets: [ImageSet] {
        (baselines + [surrogate].compactMap { $0 })
            .sorted { Method($0.method) < Method($1.method) }
    }
}
