import Foundation
import Testing

#if canImport(FoundationXML)
    import FoundationXML
#endif

/// Counts the elements of well-formed XML.
final class XMLDocumentReader: NSObject, XMLParserDelegate {
    private var counts: [String: Int] = [:]

    static func elements(_ text: String) throws -> [String: Int] {
        let parser = XMLParser(data: Data(text.utf8))
        let reader = XMLDocumentReader()
        parser.delegate = reader
        try #require(parser.parse(), "\(parser.parserError.map(String.init(describing:)) ?? "")")
        return reader.counts
    }

    func parser(
        _ parser: XMLParser,
        didStartElement name: String,
        namespaceURI: String?,
        qualifiedName: String?,
        attributes: [String: String]
    ) {
        counts[name, default: 0] += 1
    }
}
