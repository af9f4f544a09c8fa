import Foundation
import TestSupport
import Testing

/// A web server for one folder that can go on in the middle of a file, as long as it lives.
private final class WebServer {
    private let process = Process()
    let address: String

    private static let program = #"""
        import http.server, os, re, sys
        class Handler(http.server.SimpleHTTPRequestHandler):
            def do_GET(self):
                path = self.translate_path(self.path)
                if not os.path.isfile(path):
                    return self.send_error(404)
                data = open(path, "rb").read()
                found = re.match(r"bytes=(\d+)-", self.headers.get("Range", ""))
                start = int(found[1]) if found else 0
                if found and start >= len(data):
                    return self.send_error(416)
                self.send_response(206 if found else 200)
                if found:
                    last = len(data) - 1
                    self.send_header("Content-Range", f"bytes {start}-{last}/{len(data)}")
                self.send_header("Content-Length", str(len(data) - start))
                self.end_headers()
                self.wfile.write(data[start:])
                with open("log", "a") as log:
                    log.write(f"{os.path.basename(path)} {start}\n")
            def log_message(self, *arguments):
                pass
        server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
        print(server.server_port, flush=True)
        server.serve_forever()
        """#

    init(_ folder: URL) throws {
        let pipe = Pipe()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["python3", "-c", WebServer.program]
        process.currentDirectoryURL = folder
        process.standardOutput = pipe
        try process.run()
        let port = String(decoding: pipe.fileHandleForReading.availableData, as: UTF8.self)
        address = "http://127.0.0.1:\(port.trimmingCharacters(in: .whitespacesAndNewlines))"
    }

    // Children inherit blocked signals, but not this one.
    deinit { kill(process.processIdentifier, SIGKILL) }
}

@Suite("Downloads", .timeLimit(.minutes(2)))
struct FetchTests {
    /// A server with one file, and a manifest that names it.
    private func withServer(
        sha256: String? = nil,
        _ body: (_ folder: URL, _ fetch: () throws -> DistillProcess) throws -> Void
    ) throws {
        try withTemporaryFolder { folder in
            let site = folder.appendingPathComponent("site")
            try FileManager.default.createDirectory(at: site, withIntermediateDirectories: true)
            let content = Data((0..<300_000).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ $0 >> 8) })
            try content.write(to: site.appendingPathComponent("model.bin"))
            let server = try WebServer(site)
            let manifest = """
                model:
                  role: test
                  licence: CC0
                  home: nowhere
                  folder: Weights
                  files:
                    - {url: "\(server.address)/model.bin", name: model.bin, megabytes: 1\(
                        sha256.map { ", sha256: \"\($0)\"" } ?? "")}
                gone:
                  role: test
                  licence: CC0
                  home: nowhere
                  folder: Weights
                  files: [{url: "\(server.address)/gone.bin", name: gone.bin, megabytes: 1}]
                """
            try Data(manifest.utf8).write(to: folder.appendingPathComponent("manifest.yaml"))
            try withExtendedLifetime(server) {
                try body(folder) {
                    try DistillProcess(
                        ["fetch", "model", "--manifest", "manifest.yaml"],
                        in: folder
                    )
                }
            }
        }
    }

    private func log(_ folder: URL) throws -> [String] {
        try String(contentsOf: folder.appendingPathComponent("site/log"), encoding: .utf8)
            .split(separator: "\n").map(String.init)
    }

    @Test("a file is fetched once, its checksum recorded, and its licence told")
    func once() throws {
        try withServer { folder, fetch in
            let first = try fetch()
            #expect(first.exitCode == 0, "\(first.errors)")
            #expect(first.errors.contains("Licence: CC0"))
            let second = try fetch()
            #expect(second.exitCode == 0 && second.errors.contains("intact"), "\(second.errors)")
            #expect(try log(folder) == ["model.bin 0"])
            let file = folder.appendingPathComponent("Weights/model.bin")
            let site = folder.appendingPathComponent("site/model.bin")
            #expect(try Data(contentsOf: file) == Data(contentsOf: site))
            // Damage is noticed and repaired.
            try Data([1, 2, 3]).write(to: file)
            let third = try fetch()
            #expect(third.exitCode == 0 && third.errors.contains("not what it was"))
            #expect(try Data(contentsOf: file) == Data(contentsOf: site))
            // A file that its owner replaced is refused, and nothing is lost.
            try Data(repeating: 9, count: 1000).write(to: site)
            try FileManager.default.removeItem(at: file)
            let fourth = try fetch()
            #expect(fourth.exitCode == 1 && fourth.errors.contains("replaced"), "\(fourth.errors)")
            #expect(!FileManager.default.fileExists(atPath: file.path))
        }
    }

    @Test("an interrupted download goes on where it was")
    func resume() throws {
        try withServer { folder, fetch in
            let weights = folder.appendingPathComponent("Weights")
            try FileManager.default.createDirectory(at: weights, withIntermediateDirectories: true)
            let whole = try Data(contentsOf: folder.appendingPathComponent("site/model.bin"))
            let partial = weights.appendingPathComponent("model.bin.partial")
            try whole.prefix(123_456).write(to: partial)
            let process = try fetch()
            #expect(process.exitCode == 0, "\(process.errors)")
            #expect(try log(folder) == ["model.bin 123456"])
            #expect(try Data(contentsOf: weights.appendingPathComponent("model.bin")) == whole)
            #expect(!FileManager.default.fileExists(atPath: partial.path))
        }
    }

    @Test("a wrong checksum and a missing file are refused by name")
    func refused() throws {
        try withServer(sha256: String(repeating: "0", count: 64)) { folder, fetch in
            let process = try fetch()
            #expect(process.exitCode == 1)
            #expect(process.errors.contains("SHA-256"), "\(process.errors)")
            let left = try FileManager.default.contentsOfDirectory(
                atPath: folder.appendingPathComponent("Weights").path
            )
            #expect(left == [".model.lock"])
            let gone = try DistillProcess(
                ["fetch", "gone", "--manifest", "manifest.yaml"],
                in: folder
            )
            #expect(gone.exitCode == 1 && gone.errors.contains("404"), "\(gone.errors)")
        }
    }

    @Test("a checksum that cannot be one is refused before anything is fetched")
    func malformedChecksum() throws {
        for text in ["abc", String(repeating: "g", count: 64), String(repeating: "A", count: 64)] {
            try withServer(sha256: text) { folder, fetch in
                let process = try fetch()
                #expect(process.exitCode == 64 && process.errors.contains("64 hexadecimal digits"))
                let weights = folder.appendingPathComponent("Weights")
                #expect(!FileManager.default.fileExists(atPath: weights.path), "\(process.errors)")
            }
        }
    }

    @Test("the list that comes with the command names licences, and what is missing names its line")
    func installed() throws {
        let list = try DistillProcess(["fetch"])
        #expect(list.exitCode == 0)
        #expect(list.output.contains("dit-xl-2-256") && list.output.contains("CC-BY-NC-4.0"))
        let dry = try DistillProcess(["fetch", "sd-vae-ft-ema", "--dry-run", "--json"])
        #expect(try dry.json()["megabytes"] as? Int == 336)
        #expect(try DistillProcess(["fetch", "nothing"]).exitCode == 64)
        try withTemporaryFolder { folder in
            let small = try SmallRun(in: folder)
            for (setting, line) in [
                ("model.weights=Weights/DiT-XL-2-256x256.pt", "distill fetch dit-xl-2-256"),
                ("data.train.path=Datasets/imagewoof2/train", "distill fetch imagewoof2"),
            ] {
                let process = try DistillProcess(
                    ["finetune", "recipe.yaml", "-o", "run-\(line.count)", "--set", setting],
                    in: small.folder
                )
                #expect(process.exitCode == 66)
                #expect(process.errors.contains(line), "\(process.errors)")
            }
        }
    }
}
