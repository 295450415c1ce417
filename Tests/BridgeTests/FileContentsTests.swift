// Whole files, read and replaced.

import Glibc
import Testing

@testable import Bridge

struct FileContentsTests {
  private let directory: ScratchDirectory

  init() throws { directory = try ScratchDirectory() }

  @Test func readsWhatItReplaced() throws {
    let path = directory.file("a")
    for bytes in [[], Array("hello".utf8), [UInt8](repeating: 7, count: 200_000), Array("short".utf8)] {
      try FileContents.replace(path, with: bytes)
      #expect(FileContents.read(path, limit: 1 << 20) == .bytes(bytes))
    }
  }

  /// Those that are flushed in steps.
  @Test(arguments: [(1 << 20) - 1, 1 << 20, (1 << 20) + 1, (3 << 20) + 7]) func replacesLargeFiles(_ count: Int)
    throws
  {
    let path = directory.file("a")
    for first in [UInt8(0), 100] {
      let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 / 1000) &+ first }
      try FileContents.replace(path, with: bytes)
      #expect(FileContents.read(path, limit: 1 << 23) == .bytes(bytes))
    }
  }

  @Test func leavesNothingBeside() throws {
    try FileContents.replace(directory.file("a"), with: [1])
    #expect(directory.names == ["a"])
  }

  @Test func isForItsOwnerOnly() throws {
    let path = directory.file("a")
    try FileContents.replace(path, with: [1])
    var status = stat()
    #expect(stat(path, &status) == 0)
    #expect(status.st_mode & 0o777 == 0o600)
  }

  @Test func missesFiles() {
    #expect(FileContents.read(directory.file("none"), limit: 10) == .missing)
    #expect(FileContents.read(directory.file("none/none"), limit: 10) == .missing)
  }

  @Test(arguments: [-1, 0, 1])
  func limitsTheSize(_ excess: Int) throws {
    let path = directory.file("a")
    let bytes = [UInt8](repeating: 1, count: 100 + excess)
    try FileContents.replace(path, with: bytes)
    let contents = FileContents.read(path, limit: 100)
    #expect(contents == (excess > 0 ? .tooLarge : .bytes(bytes)))
  }

  @Test func readsRegularFilesOnly() {
    #expect(mkfifo(directory.file("pipe"), 0o600) == 0)
    for path in [directory.path, directory.file("pipe"), "/dev/zero"] {
      guard case .failed = FileContents.read(path, limit: 100) else {
        Issue.record("read \(path)")
        continue
      }
    }
  }

  @Test func aFailedReplacementChangesNothing() throws {
    try directory.makeDirectory("target")
    #expect(throws: FileError.self) { try FileContents.replace(directory.file("target"), with: [1]) }
    #expect(directory.names == ["target"])
    #expect(throws: FileError.self) { try FileContents.replace(directory.file("none/a"), with: [1]) }
    #expect(directory.names == ["target"])
  }

  @Test func replacesALinkItselfAndNotWhatItPointsTo() throws {
    try directory.write("victim", to: "victim")
    #expect(symlink(directory.file("victim"), directory.file("a")) == 0)
    try FileContents.replace(directory.file("a"), with: Array("new".utf8))
    #expect(directory.text(of: "victim") == "victim")
    #expect(directory.text(of: "a") == "new")
  }

  /// Root is allowed to write everywhere and still can make no file there.
  @Test(arguments: ["/proc", "/nonexistent"])
  func tellsWhereNoFileCanBeMade(_ directory: String) {
    #expect(throws: FileError.self) { try FileContents.requireRoom(in: directory) }
  }

  @Test func leavesNothingWhereOneCan() throws {
    let directory = try ScratchDirectory()
    try FileContents.requireRoom(in: directory.path)
    #expect(directory.names == [])
  }
}
