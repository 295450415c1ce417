// Inputs that the fuzzer has found worth keeping, read again in every run.

import Testing

@testable import Bridge

struct CorpusTests {
  private static func inputs(of target: FuzzTarget, in folder: String) -> [(path: String, bytes: [UInt8])] {
    let directory = "\(SourceTree.root)/Tests/Fuzz/\(folder)/\(target)"
    return ScratchDirectory.names(in: directory).compactMap { name in
      let path = "\(directory)/\(name)"
      guard case .bytes(let bytes) = FileContents.read(path, limit: 1 << 20) else { return nil }
      return (path, bytes)
    }
  }

  private func replay(_ target: FuzzTarget, _ folder: String) {
    for (path, bytes) in Self.inputs(of: target, in: folder) {
      #expect(throws: Never.self, "\(path)") { try target.check(bytes) }
    }
  }

  @Test(arguments: FuzzTarget.allCases)
  func everyInputOfTheCorpusIsReadAsItMust(_ target: FuzzTarget) {
    #expect(Self.inputs(of: target, in: "Corpus").count >= 20)
    replay(target, "Corpus")
  }

  /// Inputs that once broke something, named after it.
  @Test(arguments: FuzzTarget.allCases)
  func whatOnceBrokeStaysWhole(_ target: FuzzTarget) {
    replay(target, "Regressions")
  }
}
