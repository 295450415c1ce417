// Circles of files: groups in which each file uses types of the others, so that none can be read or tested alone.

import Testing

@testable import Bridge

struct FileCircleTests {
  /// The circles that are meant, by one of their files, and why they are.
  private static let reasons = [
    "EventLoop/FlushQueue.swift":
      "a stream enters itself in the queue, which flushes streams; a protocol between them would cost each token"
  ]
  /// As many as there are; it may only become smaller.
  private static let maxCircles = 1

  private let files = SourceTree.library

  @Test func circlesAreFew() {
    let circles = FileGraph(files).circles
    print("circles of files:")
    for circle in circles {
      print(
        "  \(circle.joined(separator: ", ")): \(circle.compactMap { Self.reasons[$0] }.first ?? "no reason is given")"
      )
    }
    #expect(circles.count <= Self.maxCircles)
    let found = Set(circles.joined())
    for file in Self.reasons.keys { #expect(found.contains(file), "\(file) is in no circle any more") }
  }

  @Test func aCircleIsFound() {
    let files = [
      SwiftSource(path: "A.swift", text: "struct A { var b: B? }"),
      SwiftSource(path: "B.swift", text: "struct B { var c: C? }"),
      SwiftSource(path: "C.swift", text: "// A\nstruct C { var b: B? }"),
    ]
    #expect(FileGraph(files).circles == [["B.swift", "C.swift"]])
  }
}

/// Which file uses types of which.
private struct FileGraph {
  private var uses: [String: Set<String>] = [:]

  init(_ files: [SwiftSource]) {
    var owners: [String: Set<String>] = [:]
    for file in files { for name in file.declaredTypes.visible { owners[name, default: []].insert(file.path) } }
    for file in files {
      let own = file.declaredTypes
      var used: Set<String> = []
      // A name after a dot is a member, whatever else has the same name.
      for use in file.words where use.before != UInt8(ascii: ".") {
        let name = String(use.word)
        if !own.hidden.contains(name), let files = owners[name] { used.formUnion(files) }
      }
      uses[file.path] = used.subtracting([file.path])
    }
  }

  /// The largest groups in which each file is reached from each other one, sorted.
  var circles: [[String]] {
    let reached = uses.mapValues(reachable)
    var result: Set<[String]> = []
    for (file, others) in reached where others.contains(file) {
      result.insert(others.filter { reached[$0]?.contains(file) == true }.sorted())
    }
    return result.sorted { $0.lexicographicallyPrecedes($1) }
  }

  private func reachable(from start: Set<String>) -> Set<String> {
    var found: Set<String> = []
    var open = Array(start)
    while let file = open.popLast() {
      if found.insert(file).inserted { open += uses[file] ?? [] }
    }
    return found
  }
}
