// Our side of `make bench`: does what it is told, line by line, and tells how long it took.
//
//   distill-bench finetune …    another comparison, see FinetuningServer.swift
//   distill-bench match …       another comparison, see MatchingServer.swift
//   distill-bench FOLDER MODEL BATCH THREADS PRECISION
//
// PRECISION is float32, bfloat16, or auto for the faster one here; the first line tells which it is.
// First it writes weights and a batch into FOLDER for the other side. Then it reads commands:
//
//   losses N    N updates in float32 from these weights: their losses, one line
//   samples N   samples of N steps in float32 from these weights, into FOLDER/samples.safetensors
//   train N     N updates in PRECISION: seconds of the clock, seconds of the processors
//   sample N    samples of N steps in PRECISION: the same

import Checkpoints
import Foundation
import Torch
import Training

/// Writes a line at once: the other side waits for it.
func reply(_ line: String) { FileHandle.standardOutput.write(Data("\(line)\n".utf8)) }

func fail(_ message: String) -> Never {
    FileHandle.standardError.write(Data("distill-bench: \(message)\n".utf8))
    exit(64)
}

/// The type of autocast by the name of a precision: float32, bfloat16, or auto for the faster one here.
func autocastType(_ name: String, on device: Device = .cpu) -> DType? {
    switch name {
    case "float32": nil
    case "bfloat16": .bfloat16
    case "auto": Precision.automatic(on: device).autocastType
    default: fail("expected float32, bfloat16 or auto, found \(name)")
    }
}

/// Seconds of the clock and of all processors that `body` took, and of the device it works on.
func measured(on device: Device = .cpu, _ body: () throws -> Void) rethrows -> String {
    device.synchronize()
    let (start, processors) = (ContinuousClock.now, clock())
    try body()
    device.synchronize()
    let seconds = (ContinuousClock.now - start) / .seconds(1)
    return "\(seconds) \(Double(clock() - processors) / Double(CLOCKS_PER_SEC))"
}

let arguments = CommandLine.arguments
switch arguments.dropFirst().first {
case "finetune":
    try FinetuningServer(arguments.dropFirst(2)).serve()
    exit(0)
case "match":
    try MatchingServer(arguments.dropFirst(2)).serve()
    exit(0)
default: break
}
guard arguments.count == 6, let batchSize = Int(arguments[3]), let threads = Int(arguments[4]),
    let configuration = Workload.configurations[arguments[2]]
else { fail("expected FOLDER MODEL BATCH THREADS PRECISION") }

Engine.keepFreedMemory()
Engine.threadCount = threads
let precision = autocastType(arguments[5])
let folder = URL(filePath: arguments[1])
let workload = Workload(configuration, batchSize: batchSize)
try workload.write(to: folder)
let training = try workload.training(precision: precision)
let sampled = try workload.model()
sampled.freeze()
if let precision { sampled.lowerFrozenWeights(to: precision) }
reply("ready: \(Engine.fusedLoops), \(precision ?? .float32)")

while let line = readLine() {
    let words = line.split(separator: " ")
    guard words.count == 2, let count = Int(words[1]) else { fail("what is \"\(line)\"?") }
    switch words[0] {
    case "losses":
        let training = try workload.training(precision: nil)
        reply((0..<count).map { _ in "\(training.step())" }.joined(separator: " "))
    case "samples":
        let samples = try workload.samples(workload.model(), steps: count, precision: nil)
        let file = folder.appending(path: "samples.safetensors")
        try Safetensors.save(StateDictionary([("samples", samples)]), to: file)
        reply("written")
    case "train":
        reply(measured { for _ in 0..<count { _ = training.step() } })
    case "sample":
        reply(measured { _ = workload.samples(sampled, steps: count, precision: precision) })
    default:
        fail("what is \"\(line)\"?")
    }
}
